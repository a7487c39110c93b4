/**
 * The sending side of a gossip stream: bounded queues, windows of what is on its way, answers in order.
 *
 * Runs and notes (everything else: who holds what, membership, heartbeats) go side by side, each with a queue, a window
 * and answers of its own, so that a store that takes long holds up no note. A run that does not fit is not dropped alone:
 * with it goes everything queued for its store, and the caller learns that the store must be reconciled. So what a peer
 * got is always a prefix, and a loss is never silent.
 *
 * @module
 */
import { equalBytes, type IdKey, idKey, type StoreId } from '@lattice/model'
import { net } from '@lattice/proto'
import type { FrameInit } from '../frame.ts'
import type { RunMessage } from './gossip-run.ts'
import type { Topic } from './gossip-topic.ts'
import { payloadBytes, treeFrame } from './tree-frames.ts'
import { NOTE_QUEUE_FRAMES, NOTE_WINDOW, PUSH_QUEUE_BYTES, PUSH_QUEUE_FRAMES, PUSH_WINDOW } from '../limits.ts'
import { readOptionalClaim } from '../reconcile.ts'
import type { ClaimedDigest } from '../session-call.ts'
import { type Effects, finish, send, type SessionMachine, unexpected, violation } from '../session.ts'

export interface GossipSenderEvents {
  /** The peer answers that it has no such store, or not for us: runs of it stop until it shows otherwise. */
  readonly onUnshared: (storeId: StoreId) => void
  /** The peer answers that this node was removed from the store. */
  readonly onRevoked?: (storeId: StoreId) => void
  /** The peer's digest after a run was taken in. */
  readonly onDigest: (storeId: StoreId, digest: ClaimedDigest) => void
  /** The peer takes no part in the topic, or not with us. */
  readonly onStranger: (topic: Topic) => void
}

export interface GossipSender extends SessionMachine<void> {
  /** Queues a run. False when it does not fit: it and everything queued of its store are dropped. */
  readonly offer: (run: OfferedRun) => boolean
  /** Queues a note. False when it does not fit: the peer takes nothing in, and its stream should end. */
  readonly note: (note: Note) => boolean
  /** What may be sent now. To be driven after `offer`, `note` and `release`. */
  readonly flush: () => Effects<void>
  readonly hold: (storeId: StoreId) => void
  readonly release: (storeId: StoreId) => void
  /** True while runs of the store wait or are on their way. */
  readonly busy: (storeId: StoreId) => boolean
  /** The stores of which something is queued or on its way: what is lost when the stream ends. */
  readonly unsettled: () => readonly StoreId[]
  /** Sends nothing more, and finishes once all that is on its way is answered. To be driven. */
  readonly retire: () => Effects<void>
  /** What waits: for the sender that follows one that retired. */
  readonly queues: GossipQueues
}

/** Runs and notes that wait to be sent, over whichever stream. */
export interface GossipQueues {
  readonly runs: RunQueue
  readonly notes: NoteQueue
}

export interface OfferedRun {
  readonly topic: Topic
  readonly message: RunMessage
  /** The sender's digest after it; undefined where more follows at once. */
  readonly digest: ClaimedDigest | undefined
}

export interface Note {
  readonly frame: FrameInit
  /** What it is about; a heartbeat is about neither. */
  readonly topic?: Topic
  readonly storeId?: StoreId
}

interface QueuedRun {
  readonly key: IdKey
  readonly storeId: StoreId
  readonly frame: FrameInit
  readonly bytes: number
}

/** Starts with empty queues, or with what a retired sender left. */
export function createGossipSender(
  { onUnshared, onRevoked, onDigest, onStranger }: GossipSenderEvents,
  queues: GossipQueues = { runs: new RunQueue(), notes: new NoteQueue() },
): GossipSender {
  const { runs, notes } = queues
  let started = false
  let isRetired = false
  const isIdle = (): boolean => runs.flying() === 0 && notes.flying() === 0
  function flush(): Effects<void> {
    if (isRetired) return started && isIdle() ? [finish(undefined)] : []
    return started ? [...notes.take(), ...runs.take()].map(({ frame }) => send(frame)) : []
  }

  function settled(result: net.PushResult): Effects<void> {
    const oldest = runs.settle()
    if (oldest === undefined) return [violation('push_result_not_owed')]
    if (!equalBytes(result.storeId, oldest.storeId)) return [violation('push_result_for_another_store')]
    const claim = readOptionalClaim(result)
    if (claim === 'malformed') return [violation('push_result_malformed')]
    if (claim !== undefined) onDigest(oldest.storeId, claim)
    return flush()
  }
  function noted({ refused }: net.Noted): Effects<void> {
    const oldest = notes.settle()
    if (oldest === undefined) return [violation('noted_not_owed')]
    if (refused === net.RefusalCode.UNSPECIFIED) return flush()
    const { topic, storeId } = oldest
    if (refused === net.RefusalCode.NO_SUCH_TOPIC && topic !== undefined) onStranger(topic)
    else if (refused === net.RefusalCode.NO_SUCH_STORE && storeId !== undefined) onUnshared(storeId)
    else return [violation('noted_malformed')]
    return flush()
  }

  return {
    offer: (offered) => runs.offer(queuedRun(offered)),
    note: (note) => notes.offer(note),
    flush,
    hold: (storeId) => runs.hold(idKey(storeId)),
    release: (storeId) => runs.release(idKey(storeId)),
    busy: (storeId) => runs.unsettled().has(idKey(storeId)),
    unsettled: () => [...runs.unsettled().values()],
    start: () => {
      started = true
      return flush()
    },
    receive: (frame) => {
      if (frame.case === 'pushResult') return settled(frame.value)
      return frame.case === 'noted' ? noted(frame.value) : [unexpected(frame)]
    },
    refused: ({ code, message }) => {
      const oldest = runs.settle()
      const isRevoked = code === net.RefusalCode.REVOKED
      if (oldest === undefined || !(isRevoked || code === net.RefusalCode.NO_SUCH_STORE)) {
        return [{ kind: 'fail', failure: { kind: 'refused', refusal: code, message } }]
      }
      runs.drop(oldest.key)
      onUnshared(oldest.storeId)
      if (isRevoked) onRevoked?.(oldest.storeId)
      return flush()
    },
    answered: () => [],
    retire: () => {
      isRetired = true
      return flush()
    },
    queues,
    idle: isIdle,
    lasting: () => true,
  }
}

/** Runs that wait and runs on their way, each in order. */
class RunQueue {
  #waiting: QueuedRun[] = []
  #waitingBytes = 0
  readonly #flying: QueuedRun[] = []
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
  /** False, and everything of the store dropped, when it does not fit. */
  offer(run: QueuedRun): boolean {
    const fits = this.#waiting.length < PUSH_QUEUE_FRAMES && this.#waitingBytes + run.bytes <= PUSH_QUEUE_BYTES
    if (!fits) {
      this.drop(run.key)
      return false
    }
    this.#waiting.push(run)
    this.#waitingBytes += run.bytes
    return true
  }
  drop(key: IdKey): void {
    this.#waiting = this.#waiting.filter((queued) => queued.key !== key)
    this.#waitingBytes = this.#waiting.reduce((sum, queued) => sum + queued.bytes, 0)
  }
  /** What goes now: all that the window has room for and no session holds back. */
  take(): readonly QueuedRun[] {
    const taken: QueuedRun[] = []
    const waiting: QueuedRun[] = []
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
  settle(): QueuedRun | undefined {
    return this.#flying.shift()
  }
  /** The stores of which something waits or is on its way. */
  unsettled(): ReadonlyMap<IdKey, StoreId> {
    return new Map([...this.#waiting, ...this.#flying].map(({ key, storeId }) => [key, storeId]))
  }
}

/** The same for notes, which nothing holds back. */
class NoteQueue {
  readonly #waiting: Note[] = []
  readonly #flying: Note[] = []

  flying(): number {
    return this.#flying.length
  }
  offer(note: Note): boolean {
    if (this.#waiting.length >= NOTE_QUEUE_FRAMES) return false
    this.#waiting.push(note)
    return true
  }
  take(): readonly Note[] {
    const taken = this.#waiting.splice(0, NOTE_WINDOW - this.#flying.length)
    this.#flying.push(...taken)
    return taken
  }
  settle(): Note | undefined {
    return this.#flying.shift()
  }
}

function queuedRun({ topic, message, digest }: OfferedRun): QueuedRun {
  const { store: storeId, payload } = message
  return { key: idKey(storeId), storeId, bytes: payloadBytes(payload), frame: treeFrame({ topic, message }, digest) }
}
