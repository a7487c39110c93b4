/**
 * The sending side of a push stream: a bounded queue of pushes, a window of those on their way, results in order.
 *
 * A push that does not fit is not dropped alone: with it goes everything queued for its store, and the caller learns
 * that the store must be reconciled. So what a peer got is always a prefix, and a loss is never silent.
 *
 * @module
 */
import { type IdKey, idKey, type SignedIntention, type StoreId } from '@lattice/model'
import { type FrameInit, toWire } from './frame.ts'
import { INTENTIONS_FRAME_BYTES, PUSH_QUEUE_BYTES, PUSH_QUEUE_FRAMES, PUSH_WINDOW } from './limits.ts'
import type { ClaimedDigest } from './session-call.ts'
import { type Effect, type Effects, send, type SessionMachine, unexpected, violation } from './session.ts'
import { net } from '@lattice/proto'

export interface PushSenderEvents {
  /** The peer answers that it has no such store, or not for us: pushes of it stop until it shows otherwise. */
  readonly onUnshared: (storeId: StoreId) => void
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
export function createPushSender({ onUnshared }: PushSenderEvents): PushSender {
  let queue: QueuedFrame[] = []
  let queuedBytes = 0
  const inFlight: QueuedFrame[] = []
  const held = new Set<IdKey>()
  let started = false

  function drop(key: IdKey): void {
    queue = queue.filter((queued) => queued.key !== key)
    queuedBytes = queue.reduce((sum, queued) => sum + queued.bytes, 0)
  }
  function flush(): Effects<void> {
    const effects: Effect<void>[] = []
    if (!started) return effects
    const waiting: QueuedFrame[] = []
    for (const queued of queue) {
      if (inFlight.length >= PUSH_WINDOW || held.has(queued.key)) waiting.push(queued)
      else {
        inFlight.push(queued)
        queuedBytes -= queued.bytes
        effects.push(send(queued.frame))
      }
    }
    queue = waiting
    return effects
  }
  function settled(): QueuedFrame | undefined {
    return inFlight.shift()
  }

  return {
    offer: (push) => {
      const frames = framesOf(push)
      const bytes = frames.reduce((sum, frame) => sum + frame.bytes, 0)
      if (queue.length + frames.length > PUSH_QUEUE_FRAMES || queuedBytes + bytes > PUSH_QUEUE_BYTES) {
        drop(idKey(push.storeId))
        return false
      }
      queue.push(...frames)
      queuedBytes += bytes
      return true
    },
    flush,
    hold: (storeId) => {
      held.add(idKey(storeId))
    },
    release: (storeId) => {
      held.delete(idKey(storeId))
    },
    busy: (storeId) => {
      const key = idKey(storeId)
      return [...queue, ...inFlight].some((queued) => queued.key === key)
    },
    unsettled: () => {
      const stores = new Map([...queue, ...inFlight].map((queued) => [queued.key, queued.storeId]))
      return [...stores.values()]
    },
    start: () => {
      started = true
      return flush()
    },
    receive: (frame) => {
      if (frame.case !== 'pushResult') return [unexpected(frame)]
      return settled() === undefined ? [violation('push_result_not_owed')] : flush()
    },
    refused: ({ code, message }) => {
      const oldest = settled()
      if (oldest === undefined || code !== net.RefusalCode.NO_SUCH_STORE) {
        return [{ kind: 'fail', failure: { kind: 'refused', refusal: code, message } }]
      }
      drop(oldest.key)
      onUnshared(oldest.storeId)
      return flush()
    },
    answered: () => [],
    idle: () => inFlight.length === 0,
    lasting: () => true,
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
