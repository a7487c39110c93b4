/**
 * When a store is reconciled with a peer, and how often.
 *
 * Requests for one peer and store are one request, and are waited for a moment, part of it by chance, so that what is under
 * way can arrive and a whole mesh does not start at once. A few run at once, fewer per peer; peers take turns, and the
 * stores of a peer come in the order in which they were due, so that a store that always has something to exchange holds up
 * no other. What was to be compared and has become equal meanwhile is not started.
 *
 * A session that ends in difference, or fails for a reason that may pass, is repeated at growing intervals until the digests
 * are equal or the peer is gone; one that is refused for good is not.
 *
 * @module
 */
import {
  type Cancel,
  equalBytes,
  type IdKey,
  idKey,
  type LatticeErrorCode,
  type PublicKey,
  type Random,
  type Scheduler,
  type StoreId,
} from '@lattice/model'
import { backoffMs, jitterMs } from './backoff.ts'
import type { NetworkLimits } from './limits.ts'
import type { SyncOutcome } from './network-event.ts'
import { pairKey } from './session-slots.ts'

export interface SyncScheduler {
  /** Asks for a session in `delayMs`, up to half of that later; an earlier request of the same pair stands. */
  readonly request: (peer: PublicKey, storeId: StoreId, delayMs: number) => void
  /** As `request`, for something new that is lacking: does not wait out a long pause, and shortens each only once. */
  readonly hurry: (peer: PublicKey, storeId: StoreId, delayMs: number) => void
  /** A session ended, whoever started it: repeats it if need be, and lets the next one start. */
  readonly ended: (outcome: SyncOutcome) => void
  /** A session ended that is not to be repeated: its peer or its store is gone. */
  readonly dropped: () => void
  /** Withdraws what is asked for. */
  readonly forgetPeer: (peer: PublicKey) => void
  readonly forgetStore: (storeId: StoreId) => void
  readonly close: () => void
  /** Requests that wait, in all or of one peer. */
  readonly pending: (peer?: PublicKey) => number
}

export interface SyncSchedulerOptions {
  readonly scheduler: Scheduler
  readonly random: Random
  readonly limits: Pick<NetworkLimits, 'sessions' | 'sessionsPerPeer' | 'retryMs' | 'retryMaxMs'>
  /** Sessions started here, in all or with one peer. */
  readonly running: (peer?: PublicKey) => number
  /** True where the peer is known to hold the same by now. */
  readonly isEqual: (peer: PublicKey, storeId: StoreId) => boolean
  /** Starts a session; its end is told through `ended`. */
  readonly start: (peer: PublicKey, storeId: StoreId) => void
}

interface Entry {
  readonly peer: PublicKey
  readonly storeId: StoreId
  /** Repetitions so far without equal digests. */
  attempts: number
  /** Waits in its peer's queue. */
  due: boolean
  /** The present pause has been shortened. */
  hurried: boolean
  /** Something is known to be lacking: started whatever the digests say. */
  isNeeded: boolean
  cancel: Cancel | undefined
}

/** Starts without requests. Entries exist only for connected peers and registered stores: that is their bound. */
export function createSyncScheduler(options: SyncSchedulerOptions): SyncScheduler {
  const requests = new Requests(options)
  return {
    request: (peer, storeId, delayMs) => requests.request(peer, storeId, delayMs),
    hurry: (peer, storeId, delayMs) => requests.hurry(peer, storeId, delayMs),
    ended: (outcome) => requests.ended(outcome),
    dropped: () => requests.pump(),
    forgetPeer: (peer) => requests.forget((entry) => equalBytes(entry.peer, peer)),
    forgetStore: (storeId) => requests.forget((entry) => equalBytes(entry.storeId, storeId)),
    close: () => requests.close(),
    pending: (peer) => requests.pending(peer),
  }
}

class Requests {
  readonly #options: SyncSchedulerOptions
  readonly #entries = new Map<string, Entry>()
  /** What is due, by peer; the peer whose turn it is comes first, and so does what was due first. */
  readonly #queues = new Map<IdKey, Set<Entry>>()
  #closed = false

  constructor(options: SyncSchedulerOptions) {
    this.#options = options
  }

  pending(peer?: PublicKey): number {
    if (peer === undefined) return this.#entries.size
    let count = 0
    for (const entry of this.#entries.values()) if (equalBytes(entry.peer, peer)) count += 1
    return count
  }
  /** Starts what is due, as far as there is room. */
  pump(): void {
    const { limits, running } = this.#options
    while (!this.#closed && running() < limits.sessions) {
      const next = this.#next()
      if (next === undefined) return
      this.#start(next)
    }
  }
  request(peer: PublicKey, storeId: StoreId, delayMs: number): void {
    this.#ask(peer, storeId, delayMs + jitterMs(delayMs / 2, this.#options.random))
  }
  hurry(peer: PublicKey, storeId: StoreId, delayMs: number): void {
    const entry = this.#entries.get(pairKey(peer, storeId))
    const isPausing = entry !== undefined && entry.attempts > 0 && entry.cancel !== undefined
    if (!isPausing) this.request(peer, storeId, delayMs)
    else if (!entry.hurried) {
      entry.hurried = true
      this.#arm(entry, this.#options.limits.retryMs)
    }
    const asked = this.#entries.get(pairKey(peer, storeId))
    if (asked !== undefined) asked.isNeeded = true
  }
  ended(outcome: SyncOutcome): void {
    const { peer, storeId } = outcome
    const entry = this.#entries.get(pairKey(peer, storeId))
    if (isSettled(outcome)) {
      if (entry !== undefined) this.#settle(entry)
    } else {
      const { limits, random } = this.#options
      const attempts = hasProgressed(outcome) ? 0 : (entry?.attempts ?? 0)
      // Half of the pause is by chance already.
      this.#ask(peer, storeId, backoffMs(attempts, { firstMs: limits.retryMs, maxMs: limits.retryMaxMs, random }))
      const asked = this.#entries.get(pairKey(peer, storeId))
      if (asked !== undefined) {
        asked.attempts = attempts + 1
        asked.hurried = false
      }
    }
    this.pump()
  }
  forget(isGone: (entry: Entry) => boolean): void {
    for (const [key, entry] of this.#entries) {
      if (!isGone(entry)) continue
      entry.cancel?.()
      this.#unqueue(entry)
      this.#entries.delete(key)
    }
  }
  close(): void {
    this.#closed = true
    this.forget(() => true)
  }

  #ask(peer: PublicKey, storeId: StoreId, delayMs: number): void {
    if (this.#closed) return
    const key = pairKey(peer, storeId)
    const fresh: Entry = { peer, storeId, attempts: 0, due: false, hurried: false, isNeeded: false, cancel: undefined }
    const entry = this.#entries.get(key) ?? fresh
    this.#entries.set(key, entry)
    if (!entry.due && entry.cancel === undefined) this.#arm(entry, delayMs)
  }
  /** Takes what is next out of its queue: of the first peer with room, whose turn comes last from now on. */
  #next(): Entry | undefined {
    const { limits, running } = this.#options
    for (const [key, queue] of this.#queues) {
      const [first] = queue
      if (first === undefined || running(first.peer) >= limits.sessionsPerPeer) continue
      this.#unqueue(first)
      if (this.#queues.delete(key)) this.#queues.set(key, queue)
      return first
    }
    return undefined
  }
  #start(entry: Entry): void {
    const { isEqual, start } = this.#options
    const { peer, storeId, isNeeded } = entry
    entry.isNeeded = false
    if (!isNeeded && isEqual(peer, storeId)) this.#settle(entry)
    else start(peer, storeId)
  }
  /** Nothing is left to exchange, unless something more was asked for meanwhile. */
  #settle(entry: Entry): void {
    entry.attempts = 0
    if (!entry.due && entry.cancel === undefined) this.#entries.delete(pairKey(entry.peer, entry.storeId))
  }
  #queue(entry: Entry): void {
    entry.due = true
    const key = idKey(entry.peer)
    const queue = this.#queues.get(key) ?? new Set()
    this.#queues.set(key, queue.add(entry))
  }
  #unqueue(entry: Entry): void {
    entry.due = false
    const key = idKey(entry.peer)
    const queue = this.#queues.get(key)
    queue?.delete(entry)
    if (queue?.size === 0) this.#queues.delete(key)
  }
  #arm(entry: Entry, delayMs: number): void {
    entry.cancel?.()
    entry.cancel = this.#options.scheduler.after(delayMs, () => {
      entry.cancel = undefined
      this.#queue(entry)
      this.pump()
    })
  }
}

/** True when the session brought something: the next one is not held back for those before. */
function hasProgressed(outcome: SyncOutcome): boolean {
  return outcome.kind === 'done' && outcome.witnessed > 0
}

/** What may pass by itself, here or at a peer that refused for it: a full disk has room again some day. */
const PASSING: ReadonlySet<LatticeErrorCode> = new Set([
  'DEADLINE_EXCEEDED',
  'SYNC_FAILED',
  'PEER_UNREACHABLE',
  'STORE_NOT_READY',
  'DISK_FULL',
  'STORAGE_FAILED',
  'INTERNAL',
])

/** True when repeating the session as things are would bring nothing. */
function isSettled(outcome: SyncOutcome): boolean {
  return outcome.kind === 'done' ? outcome.synced : !PASSING.has(outcome.error.code)
}
