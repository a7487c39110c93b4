/**
 * Tells when a peer of a store begins to be behind, and when it has caught up.
 *
 * Looked at when something moved, a moment later and once for all that moved meanwhile; nothing is polled. A peer counts
 * as behind only once what it lacks is older than acks take, so that replicas that write all the time are not told to be
 * behind each other. Who is behind is found by what is so, not by what happened: a missed or repeated call changes nothing.
 *
 * @module
 */
import type { AuthorLag } from '@lattice/kernel'
import { type Cancel, equalBytes, idKey, type IdKey, type PublicKey, type StoreId } from '@lattice/model'
import type { NodeContext } from './node-context.ts'
import type { OpenStore } from './open-store.ts'
import { type TablesOf, writingPeers } from './store-peers.ts'
import { shownSync } from './sync-state.ts'

/** Age of what a peer lacks from which on it is behind: three times what an ack may take. */
export const LAG_AFTER_MS = 15_000
/** Between a movement and the look at it. */
export const LAG_SETTLE_MS = 1_000
/** Peers of one store that are looked at; a look costs about peers × authors. */
const REVIEWED_MAX = 256

export interface LagWatch {
  /** Follows a store that came into use, in place of an earlier one of its id. */
  readonly follow: (store: OpenStore) => void
  /** A peer came, went, or exchanged something; of one store, or of any. */
  readonly moved: (storeId?: StoreId) => void
  readonly close: () => void
}

interface Watched {
  readonly moved: () => void
  readonly end: () => void
}

/** Starts without stores. `isInUse` says whether a store is still the one that was followed. */
export function createLagWatch(
  context: NodeContext,
  { tablesOf, isInUse }: { readonly tablesOf: TablesOf; readonly isInUse: (store: OpenStore) => boolean },
): LagWatch {
  const stores = new Map<IdKey, Watched>()
  return {
    follow: (store) => {
      const key = idKey(store.id)
      stores.get(key)?.end()
      stores.set(key, watchStore(context, store, { tablesOf, isInUse }))
    },
    moved: (storeId) => {
      if (storeId !== undefined) stores.get(idKey(storeId))?.moved()
      else for (const store of stores.values()) store.moved()
    },
    close: () => {
      for (const store of stores.values()) store.end()
      stores.clear()
    },
  }
}

function watchStore(
  context: NodeContext,
  store: OpenStore,
  { tablesOf, isInUse }: { readonly tablesOf: TablesOf; readonly isInUse: (store: OpenStore) => boolean },
): Watched {
  const { scheduler, clock } = context
  const behind = new Set<IdKey>()
  let timer: { readonly dueMs: number; readonly cancel: Cancel } | undefined
  let isOver = false

  /** The earlier of two looks is enough: it arms the later one anew. */
  function arm(delayMs: number): void {
    const dueMs = clock.monotonicMs() + delayMs
    if (isOver || (timer !== undefined && timer.dueMs <= dueMs)) return
    timer?.cancel()
    timer = { dueMs, cancel: scheduler.after(delayMs, look) }
  }
  function look(): void {
    timer = undefined
    if (isOver || !isInUse(store)) return
    const lags = lagsOf(context, store, tablesOf)
    const nowMs = clock.wallMs()
    let nextMs = Infinity
    for (const { peer, lag } of lags) {
      const forMs = lag.unseen === 0 ? 0 : nowMs - (lag.unseenSinceMs ?? nowMs)
      const key = idKey(peer)
      const isTold = behind.has(key)
      if (isTold ? lag.unseen === 0 : lag.unseen > 0 && forMs >= LAG_AFTER_MS) {
        if (isTold) behind.delete(key)
        else behind.add(key)
        context.publish({ kind: 'peer_lag', storeId: store.id, peer, lag })
      } else if (!isTold && lag.unseen > 0) nextMs = Math.min(nextMs, LAG_AFTER_MS - forMs)
    }
    const known = new Set(lags.map(({ peer }) => idKey(peer)))
    // One that writes no more is not expected to say what it has seen.
    for (const key of behind) if (!known.has(key)) behind.delete(key)
    // A clock that was set back must not put it off for long.
    if (nextMs !== Infinity) arm(Math.min(nextMs, LAG_AFTER_MS))
  }

  const unsubscribe = store.kernel.onWitnessed(() => arm(LAG_SETTLE_MS))
  arm(LAG_SETTLE_MS)
  return {
    moved: () => arm(LAG_SETTLE_MS),
    end: () => {
      isOver = true
      timer?.cancel()
      unsubscribe()
    },
  }
}

function lagsOf(
  context: NodeContext,
  store: OpenStore,
  tablesOf: TablesOf,
): readonly { readonly peer: PublicKey; readonly lag: AuthorLag }[] {
  const { kernel } = store
  return writingPeers(kernel.tables(), tablesOf)
    .filter((peer) => !equalBytes(peer, context.id))
    .slice(0, REVIEWED_MAX)
    .map((peer) => {
      const isEqual = shownSync(context, store, peer) === 'synced'
      return { peer, lag: isEqual ? { unseen: 0, unseenSinceMs: undefined } : kernel.lag(peer) }
    })
}
