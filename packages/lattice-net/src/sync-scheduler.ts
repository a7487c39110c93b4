/**
 * When a store is reconciled with a peer, and how often.
 *
 * Requests for one peer and store are one request, and are waited for a moment so that what is under way can arrive. A few
 * run at once, fewer per peer. A session that ends in difference, or fails for a reason that may pass, is repeated at
 * growing intervals until the digests are equal or the peer is gone; one that is refused for good is not.
 *
 * @module
 */
import {
  type Cancel,
  equalBytes,
  type LatticeErrorCode,
  type PublicKey,
  type Random,
  type Scheduler,
  type StoreId,
} from '@lattice/model'
import { backoffMs } from './backoff.ts'
import type { NetworkLimits } from './limits.ts'
import type { SyncOutcome } from './network-event.ts'
import { pairKey } from './session-slots.ts'

export interface SyncScheduler {
  /** Asks for a session in `delayMs`; an earlier request of the same pair stands. */
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
  /** Requests that wait. */
  readonly pending: () => number
}

export interface SyncSchedulerOptions {
  readonly scheduler: Scheduler
  readonly random: Random
  readonly limits: Pick<NetworkLimits, 'sessions' | 'sessionsPerPeer' | 'retryMs' | 'retryMaxMs'>
  /** Sessions started here, in all or with one peer. */
  readonly running: (peer?: PublicKey) => number
  /** Starts a session; its end is told through `ended`. */
  readonly start: (peer: PublicKey, storeId: StoreId) => void
}

interface Entry {
  readonly peer: PublicKey
  readonly storeId: StoreId
  /** Repetitions so far without equal digests. */
  attempts: number
  due: boolean
  /** The present pause has been shortened. */
  hurried: boolean
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
    pending: () => requests.pending(),
  }
}

class Requests {
  readonly #options: SyncSchedulerOptions
  readonly #entries = new Map<string, Entry>()
  #closed = false

  constructor(options: SyncSchedulerOptions) {
    this.#options = options
  }

  pending(): number {
    return this.#entries.size
  }
  /** Starts what is due, as far as there is room. */
  pump(): void {
    const { limits, running, start } = this.#options
    for (const entry of this.#entries.values()) {
      if (this.#closed || running() >= limits.sessions) return
      if (!entry.due || running(entry.peer) >= limits.sessionsPerPeer) continue
      entry.due = false
      start(entry.peer, entry.storeId)
    }
  }
  request(peer: PublicKey, storeId: StoreId, delayMs: number): void {
    if (this.#closed) return
    const key = pairKey(peer, storeId)
    const fresh: Entry = { peer, storeId, attempts: 0, due: false, hurried: false, cancel: undefined }
    const entry = this.#entries.get(key) ?? fresh
    this.#entries.set(key, entry)
    if (!entry.due && entry.cancel === undefined) this.#arm(entry, delayMs)
  }
  hurry(peer: PublicKey, storeId: StoreId, delayMs: number): void {
    const entry = this.#entries.get(pairKey(peer, storeId))
    const isPausing = entry !== undefined && entry.attempts > 0 && entry.cancel !== undefined
    if (!isPausing) this.request(peer, storeId, delayMs)
    else if (!entry.hurried) {
      entry.hurried = true
      this.#arm(entry, this.#options.limits.retryMs)
    }
  }
  ended(outcome: SyncOutcome): void {
    const { peer, storeId } = outcome
    const key = pairKey(peer, storeId)
    if (isSettled(outcome)) {
      const entry = this.#entries.get(key)
      if (entry !== undefined) entry.attempts = 0
      if (entry?.due === false && entry.cancel === undefined) this.#entries.delete(key)
    } else {
      const { limits, random } = this.#options
      const attempts = hasProgressed(outcome) ? 0 : (this.#entries.get(key)?.attempts ?? 0)
      this.request(peer, storeId, backoffMs(attempts, { firstMs: limits.retryMs, maxMs: limits.retryMaxMs, random }))
      const entry = this.#entries.get(key)
      if (entry !== undefined) {
        entry.attempts = attempts + 1
        entry.hurried = false
      }
    }
    this.pump()
  }
  forget(isGone: (entry: Entry) => boolean): void {
    for (const [key, entry] of this.#entries) {
      if (!isGone(entry)) continue
      entry.cancel?.()
      this.#entries.delete(key)
    }
  }
  close(): void {
    this.#closed = true
    this.forget(() => true)
  }

  #arm(entry: Entry, delayMs: number): void {
    entry.cancel?.()
    entry.cancel = this.#options.scheduler.after(delayMs, () => {
      entry.cancel = undefined
      entry.due = true
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
