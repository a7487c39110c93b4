/**
 * The sending side of a push stream: a bounded queue of pushes, a window of those on their way, results in order.
 *
 * A push that does not fit is not dropped alone: with it goes everything queued for its store, and the caller learns
 * that the store must be reconciled. So what a peer got is always a prefix, and a loss is never silent.
 *
 * @module
 */
import { equalBytes, type IdKey, idKey, type SignedIntention, type StoreId } from '@lattice/model'
import { type FrameInit, toWire } from './frame.ts'
import { INTENTIONS_FRAME_BYTES, PUSH_QUEUE_BYTES, PUSH_QUEUE_FRAMES, PUSH_WINDOW } from './limits.ts'
import { readOptionalClaim } from './reconcile.ts'
import type { ClaimedDigest } from './session-call.ts'
import { type Effects, send, type SessionMachine, unexpected, violation } from './session.ts'
import { net } from '@lattice/proto'

export interface PushSenderEvents {
  /** The peer answers that it has no such store, or not for us: pushes of it stop until it shows otherwise. */
  readonly onUnshared: (storeId: StoreId) => void
  /** The peer's digest after a batch was taken in. */
  readonly onDigest: (storeId: StoreId, digest: ClaimedDigest) => void
}

export interface PushSender extends SessionMachine<void> {
  /**
   * Queues a batch. False when it does not fit: it and everything queued of its store are dropped, and the store is to
   * be reconciled.
   */
  readonly offer: (push: OfferedPush) => boolean
  /** What may be sent now. To be driven after `offer` and `release`. */
  readonly flush: () => Effects<void>
  readonly hold: (storeId: StoreId) => void
  readonly release: (storeId: StoreId) => void
  /** True while pushes of the store wait or are on their way. */
  readonly busy: (storeId: StoreId) => boolean
  /** The stores of which something is queued or on its way: what is lost when the stream ends. */
  readonly unsettled: () => readonly StoreId[]
}

export interface OfferedPush {
  readonly storeId: StoreId
  readonly intentions: readonly SignedIntention[]
  /** The sender's digest after these. */
  readonly digest: ClaimedDigest
}

interface QueuedFrame {
  readonly key: IdKey
  readonly storeId: StoreId
  readonly frame: FrameInit
  readonly bytes: number
}

/** Starts with an empty queue. */
export function createPushSender({ onUnshared, onDigest }: PushSenderEvents): PushSender {
  const queue = new PushQueue()
  let started = false
  const flush = (): Effects<void> => (started ? queue.take().map(({ frame }) => send(frame)) : [])

  function settled(result: net.PushResult): Effects<void> {
    const oldest = queue.settle()
    if (oldest === undefined) return [violation('push_result_not_owed')]
    if (!equalBytes(result.storeId, oldest.storeId)) return [violation('push_result_for_another_store')]
    const claim = readOptionalClaim(result)
    if (claim === 'malformed') return [violation('push_result_malformed')]
    if (claim !== undefined) onDigest(oldest.storeId, claim)
    return flush()
  }

  return {
    offer: (push) => queue.offer(idKey(push.storeId), framesOf(push)),
    flush,
    hold: (storeId) => queue.hold(idKey(storeId)),
    release: (storeId) => queue.release(idKey(storeId)),
    busy: (storeId) => queue.unsettled().has(idKey(storeId)),
    unsettled: () => [...queue.unsettled().values()],
    start: () => {
      started = true
      return flush()
    },
    receive: (frame) => (frame.case === 'pushResult' ? settled(frame.value) : [unexpected(frame)]),
    refused: ({ code, message }) => {
      const oldest = queue.settle()
      if (oldest === undefined || code !== net.RefusalCode.NO_SUCH_STORE) {
        return [{ kind: 'fail', failure: { kind: 'refused', refusal: code, message } }]
      }
      queue.drop(oldest.key)
      onUnshared(oldest.storeId)
      return flush()
    },
    answered: () => [],
    idle: () => queue.flying() === 0,
    lasting: () => true,
  }
}

/** What waits and what is on its way, each in order. */
class PushQueue {
  #waiting: QueuedFrame[] = []
  #waitingBytes = 0
  readonly #flying: QueuedFrame[] = []
  readonly #held = new Set<IdKey>()

  flying(): number {
    return this.#flying.length
  }
  hold(key: IdKey): void {
    this.#held.add(key)
  }
  release(key: IdKey): void {
    this.#held.delete(key)
  }
  /** False, and everything of the store dropped, when the frames do not fit. */
  offer(key: IdKey, frames: readonly QueuedFrame[]): boolean {
    const bytes = frames.reduce((sum, frame) => sum + frame.bytes, 0)
    const fits =
      this.#waiting.length + frames.length <= PUSH_QUEUE_FRAMES && this.#waitingBytes + bytes <= PUSH_QUEUE_BYTES
    if (!fits) {
      this.drop(key)
      return false
    }
    this.#waiting.push(...frames)
    this.#waitingBytes += bytes
    return true
  }
  drop(key: IdKey): void {
    this.#waiting = this.#waiting.filter((queued) => queued.key !== key)
    this.#waitingBytes = this.#waiting.reduce((sum, queued) => sum + queued.bytes, 0)
  }
  /** What goes now: all that the window has room for and no session holds back. */
  take(): readonly QueuedFrame[] {
    const taken: QueuedFrame[] = []
    const waiting: QueuedFrame[] = []
    for (const queued of this.#waiting) {
      const goes = this.#flying.length < PUSH_WINDOW && !this.#held.has(queued.key)
      if (!goes) {
        waiting.push(queued)
        continue
      }
      taken.push(queued)
      this.#flying.push(queued)
      this.#waitingBytes -= queued.bytes
    }
    this.#waiting = waiting
    return taken
  }
  /** The oldest on its way is answered. */
  settle(): QueuedFrame | undefined {
    return this.#flying.shift()
  }
  /** The stores of which something waits or is on its way. */
  unsettled(): ReadonlyMap<IdKey, StoreId> {
    return new Map([...this.#waiting, ...this.#flying].map(({ key, storeId }) => [key, storeId]))
  }
}

/** A batch in frames of bounded payload. Only the last carries the digest: inside a batch there is none to compare. */
function framesOf({ storeId, intentions, digest }: OfferedPush): QueuedFrame[] {
  const frames: QueuedFrame[] = []
  const key = idKey(storeId)
  let begin = 0
  while (begin < intentions.length) {
    let end = begin
    let bytes = 0
    for (; end < intentions.length; end += 1) {
      const next = intentions[end]
      const size = next === undefined ? 0 : next.bytes.length + next.signature.length
      if (end > begin && bytes + size > INTENTIONS_FRAME_BYTES) break
      bytes += size
    }
    const isLast = end === intentions.length
    const claim = isLast
      ? { witnessCount: BigInt(digest.witnessCount), fingerprint: digest.fingerprint }
      : { witnessCount: 0n, fingerprint: new Uint8Array(0) }
    const value = { storeId, intentions: toWire(intentions.slice(begin, end)), ...claim }
    frames.push({ key, storeId, bytes, frame: { case: 'push', value } })
    begin = end
  }
  return frames
}
