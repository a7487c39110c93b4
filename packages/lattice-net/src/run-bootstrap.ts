/**
 * Fetches a store from the first of several peers that serves it whole, then reconciles with that peer.
 *
 * @module
 */
import { type AbortSignal, assert, type Crypto, type PublicKey } from '@lattice/model'
import type { ReplicatedStore } from '@lattice/net-types'
import { net } from '@lattice/proto'
import { createBootstrap, type FetchedLog } from './bootstrap.ts'
import { BootstrapFailed } from './errors.ts'
import type { SyncOutcome } from './network-event.ts'
import type { PeerLink } from './peer-link.ts'
import type { BootstrapPosition, PeerHint, SessionAnswer, SessionCall, SessionStore } from './session-call.ts'
import { viewFor } from './store-registry.ts'

/** Keeps how far the log of each serving peer has been taken in, so that a later bootstrap goes on there. */
export interface BootstrapPositions {
  readonly load: (peer: PublicKey) => BootstrapPosition | undefined
  /** Called once everything up to the position is durable. */
  readonly save: (peer: PublicKey, position: BootstrapPosition) => void | Promise<void>
}

export interface BootstrapProgress {
  readonly peer: PublicKey
  /** Records of the peer's witness log taken in, of how many. */
  readonly done: number
  readonly total: number
}

export interface BootstrapRequest {
  /** Need not be registered. Its own access list is not asked: the caller vouches for `peers`. */
  readonly store: ReplicatedStore
  /** Tried in order. */
  readonly peers: readonly PeerHint[]
  readonly onProgress?: (progress: BootstrapProgress) => void
  readonly positions?: BootstrapPositions
  readonly signal: AbortSignal
}

export interface BootstrapOutcome {
  /** The peer that served the store. */
  readonly peer: PublicKey
  readonly pages: number
  readonly fetched: number
  /** The last reconciliation ended with equal digests. False on a store that is written to meanwhile. */
  readonly synced: boolean
}

export interface RunBootstrapDeps {
  readonly crypto: Crypto
  readonly connect: (hint: PeerHint, signal: AbortSignal) => Promise<PeerLink>
  readonly reconcile: (link: PeerLink, store: SessionStore, signal: AbortSignal) => Promise<SyncOutcome>
  readonly perform: (
    link: PeerLink,
    call: SessionCall,
    onAdvance: (call: Extract<SessionCall, { kind: 'advance' }>) => Promise<void>,
  ) => Promise<SessionAnswer>
}

/** Reconciliations at the end: enough for a store that is written to now and then, and an end for one that always is. */
const FINAL_RECONCILIATIONS = 3

/**
 * Resolves once one peer's log is taken in and reconciled. Rejects with {@link BootstrapFailed} when every peer failed, its
 * cause being the last failure, or with `signal.reason`. Whatever was taken in before a failure is verified and stays.
 */
export async function runBootstrap(request: BootstrapRequest, deps: RunBootstrapDeps): Promise<BootstrapOutcome> {
  const { peers, signal } = request
  if (peers.length === 0) throw new BootstrapFailed('no peer to fetch it from is known')
  let failure: unknown
  for (const hint of peers) {
    try {
      return await bootstrapFrom(hint, request, deps)
    } catch (error) {
      signal.throwIfAborted()
      failure = error
    }
  }
  if (failure instanceof BootstrapFailed) throw failure
  const why = failure instanceof Error ? failure.message : 'every peer failed'
  throw new BootstrapFailed(why, { cause: failure })
}

async function bootstrapFrom(
  hint: PeerHint,
  request: BootstrapRequest,
  deps: RunBootstrapDeps,
): Promise<BootstrapOutcome> {
  const { store, signal } = request
  const link = await deps.connect(hint, signal)
  const view = viewFor(store, hint.peer, () => true)
  const fetched = await fetchLog(link, view, { request, deps })
  let synced = false
  for (let round = 0; round < FINAL_RECONCILIATIONS && !synced; round += 1) {
    const outcome = await deps.reconcile(link, view, signal)
    if (outcome.kind === 'failed') throw outcome.error
    synced = outcome.synced
  }
  return { peer: hint.peer, pages: fetched.pages, fetched: fetched.fetched, synced }
}

async function fetchLog(
  link: PeerLink,
  store: SessionStore,
  { request, deps }: { readonly request: BootstrapRequest; readonly deps: RunBootstrapDeps },
): Promise<FetchedLog> {
  const { positions, onProgress, signal } = request
  const { peer } = link
  let position = positions?.load(peer)
  assert(position === undefined || position.seq >= 1, 'a position is that of a record')
  return link.runMovable(() => ({
    protocol: net.Protocol.BOOTSTRAP,
    machine: createBootstrap({ crypto: deps.crypto, store, witness: peer, position }),
    perform: (call) =>
      deps.perform(link, call, async ({ position: reached, done, total }) => {
        await positions?.save(peer, reached)
        position = reached
        onProgress?.({ peer, done, total })
      }),
    signal,
  }))
}
