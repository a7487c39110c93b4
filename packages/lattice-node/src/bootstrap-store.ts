/**
 * Fetches a store that others hold, until it is all here.
 *
 * A few peers of the list serve it at once, and how far each one's log was taken in is recorded, so a lost peer or a crash
 * costs nothing but its share. An attempt that failed is repeated when a peer comes up, or after a pause that grows. A few stores
 * are fetched at once: what is declared and nowhere to be had costs a bounded share of this node.
 *
 * @module
 */
import {
  type AbortSignal,
  createAbortController,
  equalBytes,
  idKey,
  type LatticeErrorCode,
  type PublicKey,
  type StoreId,
  toWitnessSeq,
} from '@lattice/model'
import { BootstrapFailed, type BootstrapProgress, type NetworkService, type PeerHint } from '@lattice/net'
import { createDoubtedPeers, type DoubtedPeers } from './doubted-peers.ts'
import { toFailure } from './failure.ts'
import { adoptFetched, fetchPruned, isFetchBegun, type PrunedFetchDeps } from './fetch-pruned.ts'
import { notAdmitted } from './life-errors.ts'
import type { NodeContext } from './node-context.ts'
import type { OpenStore } from './open-store.ts'
import { longerPauseMs, RETRY_FIRST_MS } from './retry-pauses.ts'
import type { Slots } from './slots.ts'
import type { Bootstrap } from './store-entry.ts'
import { createWakeUp } from './wake-up.ts'

export interface StartBootstrapOptions {
  readonly id: StoreId
  /** Opens the store, unless it is open. */
  readonly open: () => Promise<OpenStore>
  /** Closes it again: nothing came, and what is open costs files; or it is about to be replaced. */
  readonly close: () => Promise<void>
  /** For the store as it is made anew, where others deleted what it lacks. */
  readonly fetching: Omit<PrunedFetchDeps, 'id' | 'signal'>
  /** Whom to fetch from, asked again for each attempt. */
  readonly peers: () => readonly PublicKey[]
  /** How many stores are fetched at once. */
  readonly slots: Slots
  readonly onProgress: (progress: BootstrapProgress) => void
  /** Everything is here. */
  readonly onDone: () => void
  /** Told of each attempt that failed. */
  readonly onFailure: () => void
}

/** Starts fetching; ends when done or aborted. */
export function startBootstrap(context: NodeContext, options: StartBootstrapOptions): Bootstrap {
  const controller = createAbortController()
  const { signal } = controller
  const wakeUp = createWakeUp(context.scheduler)
  const doubts = createDoubtedPeers(context.clock)
  const state: BootstrapState = { failure: undefined, attempts: 0, progress: undefined, doubts }
  const run = async (): Promise<void> => {
    try {
      await fetchUntilDone(context, options, { signal, wakeUp, state })
    } catch (error) {
      // Only the abort ends it early; what is here stays, and the next start goes on.
      if (!signal.aborted) context.logger.error('bootstrap.failed', { storeId: options.id, error })
    }
  }
  return {
    controller,
    done: run(),
    nudge: wakeUp.nudge,
    reset: () => {
      state.failure = undefined
      state.attempts = 0
      wakeUp.nudge()
    },
    lastFailure: () => state.failure,
    attempts: () => state.attempts,
    peers: () => hintsOf(context, options.peers()).map(({ peer }) => peer),
    progress: () => state.progress,
  }
}

interface BootstrapState {
  failure: unknown
  attempts: number
  progress: { readonly done: number; readonly total: number } | undefined
  readonly doubts: DoubtedPeers
}

interface BootstrapRun {
  readonly signal: AbortSignal
  readonly wakeUp: ReturnType<typeof createWakeUp>
  readonly state: BootstrapState
}

async function fetchUntilDone(
  context: NodeContext,
  options: StartBootstrapOptions,
  { signal, wakeUp, state }: BootstrapRun,
): Promise<void> {
  let pauseMs = RETRY_FIRST_MS
  for (;;) {
    signal.throwIfAborted()
    const network = context.network()
    const peers = hintsOf(context, options.peers())
    if (network !== undefined && peers.length > 0) {
      try {
        const fetch: FetchOnce = { network, peers, signal, options, state }
        const end = await options.slots.run(() => attempt(context, fetch), signal)
        state.failure = end === 'removed' ? notAdmitted(options.id) : undefined
        // Whoever waits for it is told before it comes into use as what it is.
        if (end === 'removed') options.onFailure()
        // Within the attempt: what cannot be recorded now is tried again like anything else.
        options.onDone()
        return
      } catch (error) {
        if (signal.aborted) throw error
        state.failure = error
        state.attempts += 1
        context.logger.warn('bootstrap.retry', { storeId: options.id, ...toFailure(error) })
        options.onFailure()
      }
    }
    await wakeUp.wait(pauseMs, signal)
    pauseMs = longerPauseMs(pauseMs)
  }
}

interface FetchOnce {
  readonly network: NetworkService
  readonly peers: readonly PeerHint[]
  readonly signal: AbortSignal
  readonly options: StartBootstrapOptions
  readonly state: BootstrapState
}

/** Everything is here, or all that who was removed may have. */
type FetchEnd = 'whole' | 'removed'

/** The store is open while something is fetched, and from then on. */
async function attempt(context: NodeContext, fetch: FetchOnce): Promise<FetchEnd> {
  // What was begun is gone on with.
  if (isFetchBegun(context, fetch.options.id)) await fetchCut(context, fetch)
  try {
    return await fetchWhole(context, fetch)
  } catch (error) {
    if (!hasHeard(error, 'PRUNED')) throw error
    await fetchCut(context, fetch)
    return await fetchWhole(context, fetch)
  }
}

function hasHeard(error: unknown, code: LatticeErrorCode): boolean {
  return error instanceof BootstrapFailed && error.detail.codes.includes(code)
}

async function fetchWhole(context: NodeContext, fetch: FetchOnce): Promise<FetchEnd> {
  const { network, peers, signal, options } = fetch
  const { open, close } = options
  const store = await open()
  let end: FetchEnd | undefined
  try {
    await fetchOnce(context, store, fetch)
    end = 'whole'
  } catch (error) {
    if (!hasHeard(error, 'REVOKED')) throw error
    // Said by a peer it is a claim; the epoch that did it is none. Where its past was cut nothing of the log comes along.
    if (!(await network.askRemoval({ store: store.replicated, peers, signal }))) throw error
    end = 'removed'
  } finally {
    if (end !== 'removed' && store.kernel.stats().witnessCount === 0) await close()
  }
  return end
}

/** Others deleted history: what is left of it, and the state there, are fetched and put in the place of what is here. */
async function fetchCut(context: NodeContext, { network, peers, signal, options, state }: FetchOnce): Promise<void> {
  const { id, close, fetching, onProgress } = options
  const [first] = peers
  const isWhole = await fetchPruned(context, {
    ...fetching,
    id,
    network,
    peers,
    doubts: state.doubts,
    signal,
    onProgress: ({ done, total, bytes, peers: count }) => {
      state.progress = { done, total }
      if (first !== undefined) onProgress({ peer: first.peer, done, total, bytes, peers: count })
    },
  })
  if (!isWhole) return
  await close()
  await adoptFetched(context, { ...fetching, id, signal })
}

async function fetchOnce(
  context: NodeContext,
  store: OpenStore,
  { network, peers, signal, options, state }: FetchOnce,
): Promise<void> {
  const { meta } = context
  const { onProgress } = options
  // A position speaks of what is in the log; a log that was lost makes it void.
  const hasLog = store.kernel.stats().witnessCount > 0
  await network.bootstrap({
    store: store.replicated,
    peers,
    signal,
    onProgress: (progress) => {
      state.progress = progress
      onProgress(progress)
    },
    positions: {
      load: (peer) => {
        const found = hasLog ? meta.bootstrapPosition(store.id, peer) : undefined
        return found && { seq: toWitnessSeq(found.seq), hash: found.hash }
      },
      save: (peer, position) => meta.saveBootstrapPosition(store.id, peer, position),
    },
  })
}

function hintsOf(context: NodeContext, peers: readonly PublicKey[]): PeerHint[] {
  const unique = new Map(peers.map((peer) => [idKey(peer), peer]))
  return [...unique.values()]
    .filter((peer) => !equalBytes(peer, context.id))
    .map((peer) => ({ peer, addresses: context.meta.addresses(peer) }))
}
