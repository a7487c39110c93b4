/**
 * When a store is reconciled with a peer, and how often.
 *
 * Requests for one peer and store are one request, and are waited for a moment so that what is under way can arrive. A few
 * run at once, fewer per peer. A session that ends in difference, or fails for a reason that may pass, is repeated at
 * growing intervals until the digests are equal or the peer is gone; one that is refused for good is not.
 *
 * @module
 */
import type { Cancel, PublicKey, Random, Scheduler, StoreId } from '@lattice/model'
import { backoffMs } from './backoff.ts'
import { PeerRefused } from './errors.ts'
import type { NetworkLimits } from './limits.ts'
import type { SyncOutcome } from './network-event.ts'
import { pairKey } from './session-slots.ts'

export interface SyncScheduler {
  /** Asks for a session in `delayMs`; an earlier time of the same pair stands. */
  readonly request: (peer: PublicKey, storeId: StoreId, delayMs: number) => void
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
  cancel: Cancel | undefined
}

/** Starts without requests. Entries exist only for connected peers and registered stores: that is their bound. */
export function createSyncScheduler(options: SyncSchedulerOptions): SyncScheduler {
  const { scheduler, random, limits, running, start } = options
  const entries = new Map<string, Entry>()
  let closed = false

  function pump(): void {
    for (const entry of entries.values()) {
      if (closed || running() >= limits.sessions) return
      if (!entry.due || running(entry.peer) >= limits.sessionsPerPeer) continue
      entry.due = false
      start(entry.peer, entry.storeId)
    }
  }
  function request(peer: PublicKey, storeId: StoreId, delayMs: number): void {
    if (closed) return
    const key = pairKey(peer, storeId)
    const entry = entries.get(key) ?? { peer, storeId, attempts: 0, due: false, cancel: undefined }
    entries.set(key, entry)
    if (entry.due || entry.cancel !== undefined) return
    entry.cancel = scheduler.after(delayMs, () => {
      entry.cancel = undefined
      entry.due = true
      pump()
    })
  }
  function ended(outcome: SyncOutcome): void {
    const { peer, storeId } = outcome
    const key = pairKey(peer, storeId)
    const attempts = entries.get(key)?.attempts ?? 0
    if (!isSettled(outcome)) {
      const delayMs = backoffMs(attempts, { firstMs: limits.retryMs, maxMs: limits.retryMaxMs, random })
      request(peer, storeId, delayMs)
      const entry = entries.get(key)
      if (entry !== undefined) entry.attempts = attempts + 1
    } else {
      const entry = entries.get(key)
      if (entry !== undefined) entry.attempts = 0
      if (entry?.due === false && entry.cancel === undefined) entries.delete(key)
    }
    pump()
  }
  function forget(isGone: (entry: Entry) => boolean): void {
    for (const [key, entry] of entries) {
      if (!isGone(entry)) continue
      entry.cancel?.()
      entries.delete(key)
    }
  }

  return {
    request,
    ended,
    dropped: pump,
    forgetPeer: (peer) => forget((entry) => pairKey(entry.peer, entry.storeId) === pairKey(peer, entry.storeId)),
    forgetStore: (storeId) => forget((entry) => pairKey(entry.peer, entry.storeId) === pairKey(entry.peer, storeId)),
    close: () => {
      closed = true
      forget(() => true)
    },
    pending: () => entries.size,
  }
}

/** True when repeating the session as things are would bring nothing. */
function isSettled(outcome: SyncOutcome): boolean {
  if (outcome.kind === 'done') return outcome.synced
  const { error } = outcome
  if (error instanceof PeerRefused) return !error.busy
  return error.code !== 'DEADLINE_EXCEEDED' && error.code !== 'SYNC_FAILED' && error.code !== 'PEER_UNREACHABLE'
}
