/**
 * Notices replicas that stay different, and has them reconciled.
 *
 * What a peer says it holds is compared with what is here, and what differs is left alone for a few seconds: it may be on
 * its way. While either side still changes, two claims that do not match say little, so that is waited out too, up to a
 * bound. One watch per connected peer and shared store: that is its bound.
 *
 * @module
 */
import { type Cancel, type IdKey, idKey, type PublicKey, type Scheduler, type StoreId } from '@lattice/model'
import type { NetworkLimits } from '../limits.ts'
import { sameSet } from '../reconcile.ts'
import type { ClaimedDigest } from '../session-call.ts'
import { pairKey } from '../session-slots.ts'

export interface DifferWatch {
  /** The peer said what it holds of the store. */
  readonly claimed: (peer: PublicKey, storeId: StoreId) => void
  /** Something was witnessed here. */
  readonly changed: (storeId: StoreId) => void
  readonly forgetPeer: (peer: PublicKey) => void
  readonly forgetStore: (storeId: StoreId) => void
  readonly close: () => void
}

export interface DifferWatchOptions {
  readonly scheduler: Scheduler
  readonly nowMs: () => number
  readonly limits: Pick<NetworkLimits, 'differDelayMs' | 'differMaxMs' | 'heartbeatDelayMs'>
  /** What is here; undefined for a store that is not, or not shared with the peer any more. */
  readonly ours: (peer: PublicKey, storeId: StoreId) => ClaimedDigest | undefined
  /** What the peer last said. */
  readonly theirs: (peer: PublicKey, storeId: StoreId) => ClaimedDigest | undefined
  /** They have differed for too long. */
  readonly onDiffers: (peer: PublicKey, storeId: StoreId) => void
}

interface Watch {
  readonly peer: PublicKey
  readonly storeId: StoreId
  readonly sinceMs: number
  /** When the peer last spoke of the store. */
  claimedMs: number
  cancel: Cancel
}

/** Starts with nothing in sight. */
export function createDifferWatch(options: DifferWatchOptions): DifferWatch {
  const { scheduler, nowMs, limits, ours, theirs, onDiffers } = options
  const watches = new Map<string, Watch>()
  const changedMs = new Map<IdKey, number>()
  let isClosed = false

  function isEqual(peer: PublicKey, storeId: StoreId): boolean {
    const [here, there] = [ours(peer, storeId), theirs(peer, storeId)]
    return here === undefined || there === undefined || sameSet(here, there)
  }
  function drop(key: string): void {
    watches.get(key)?.cancel()
    watches.delete(key)
  }
  /** True when neither side has changed for so long that what either said still holds. */
  function isQuiet({ storeId, claimedMs }: Watch): boolean {
    const lastMs = Math.max(claimedMs, changedMs.get(idKey(storeId)) ?? 0)
    return nowMs() - lastMs >= 2 * limits.heartbeatDelayMs
  }
  function look(key: string, watch: Watch): void {
    const { peer, storeId, sinceMs } = watch
    const isOver = isQuiet(watch) || nowMs() - sinceMs >= limits.differMaxMs
    if (isEqual(peer, storeId)) drop(key)
    else if (isOver) {
      drop(key)
      onDiffers(peer, storeId)
    } else watch.cancel = scheduler.after(limits.heartbeatDelayMs, () => look(key, watch))
  }
  function forget(isGone: (watch: Watch) => boolean): void {
    for (const [key, watch] of watches) if (isGone(watch)) drop(key)
  }

  return {
    claimed: (peer, storeId) => {
      const key = pairKey(peer, storeId)
      const known = watches.get(key)
      if (isClosed) return
      if (isEqual(peer, storeId)) drop(key)
      else if (known !== undefined) known.claimedMs = nowMs()
      else {
        const now = nowMs()
        const watch: Watch = { peer, storeId, sinceMs: now, claimedMs: now, cancel: () => undefined }
        watch.cancel = scheduler.after(limits.differDelayMs, () => look(key, watch))
        watches.set(key, watch)
      }
    },
    changed: (storeId) => {
      changedMs.set(idKey(storeId), nowMs())
    },
    forgetPeer: (peer) => forget((watch) => idKey(watch.peer) === idKey(peer)),
    forgetStore: (storeId) => {
      changedMs.delete(idKey(storeId))
      forget((watch) => idKey(watch.storeId) === idKey(storeId))
    },
    close: () => {
      isClosed = true
      forget(() => true)
    },
  }
}
