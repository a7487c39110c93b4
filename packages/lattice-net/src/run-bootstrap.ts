/**
 * Fetches a store from the peers that hold it, several at once, then reconciles with one of them.
 *
 * The coordinator (`bootstrap-coordinator.ts`) says what is due, the shell of any fetch (`fetch-shell.ts`) runs the sessions,
 * and what was fetched goes to the store here, one thing at a time.
 *
 * @module
 */
import { type AbortSignal, assert, type Crypto, type PublicKey } from '@lattice/model'
import type { ReplicatedStore } from '@lattice/net-types'
import { net } from '@lattice/proto'
import type { BootstrapStep, FetchedStore } from './bootstrap-effect.ts'
import { type BootstrapCoordinator, createBootstrapCoordinator } from './bootstrap-coordinator.ts'
import { BootstrapFailed } from './errors.ts'
import { createFetchShell, type FetchDeps, type FetchShell } from './fetch-shell.ts'
import type { NetworkLimits } from './limits.ts'
import { createLogClient, type LogAnswer, type LogRequest } from './log-client.ts'
import type { SyncOutcome } from './network-event.ts'
import type { PeerLink } from './peer-link.ts'
import type { BootstrapPosition, PeerHint, SessionStore } from './session-call.ts'
import { viewFor } from './store-registry.ts'

/** Keeps how far the log of each serving peer has been taken in, so that a later bootstrap goes on there. */
export interface BootstrapPositions {
  readonly load: (peer: PublicKey) => BootstrapPosition | undefined
  /** Called once everything up to the position is durable. */
  readonly save: (peer: PublicKey, position: BootstrapPosition) => void | Promise<void>
}

export interface BootstrapProgress {
  /** The peer whose log is taken in. */
  readonly peer: PublicKey
  /** Records of its witness log taken in, of how many. Counts anew when the log of another peer takes over. */
  readonly done: number
  readonly total: number
  /** Bytes of the intentions that were fetched so far. */
  readonly bytes: number
  /** Peers that are fetched from now. */
  readonly peers: number
}

export interface BootstrapRequest {
  /** Need not be registered. Its own access list is not asked: the caller vouches for `peers`. */
  readonly store: ReplicatedStore
  /** It is made beside the one that is registered, or before any is: nobody is to take what it comes to for held here. */
  readonly isApart?: boolean
  /** A few at a time are fetched from, the first first. */
  readonly peers: readonly PeerHint[]
  readonly onProgress?: (progress: BootstrapProgress) => void
  readonly positions?: BootstrapPositions
  readonly signal: AbortSignal
}

export interface BootstrapOutcome {
  /** The peer whose log was taken in to its end. */
  readonly peer: PublicKey
  readonly pages: number
  readonly fetched: number
  /** The last reconciliation ended with equal digests. False on a store that is written to meanwhile. */
  readonly synced: boolean
}

export interface RunBootstrapDeps extends FetchDeps {
  readonly crypto: Crypto
  readonly nowMs: () => number
  readonly limits: Pick<NetworkLimits, 'bootstrapShareMs' | 'bootstrapOverdueMs'>
  readonly reconcile: (link: PeerLink, store: SessionStore, signal: AbortSignal) => Promise<SyncOutcome>
}

/** Reconciliations at the end: enough for a store that is written to now and then, and an end for one that always is. */
const FINAL_RECONCILIATIONS = 3

/**
 * Resolves once the log of one peer is taken in and one peer is reconciled with. Rejects with {@link BootstrapFailed} when
 * every peer failed, its cause being the last failure, or with `signal.reason`. Whatever was taken in before a failure is
 * verified and stays.
 */
export async function runBootstrap(request: BootstrapRequest, deps: RunBootstrapDeps): Promise<BootstrapOutcome> {
  const { signal, peers } = request
  signal.throwIfAborted()
  if (peers.length === 0) throw new BootstrapFailed('no peer to fetch it from is known')
  const run = new BootstrapRun(request, deps)
  try {
    // What its log begins with was proved as it was made: the rest is a difference like any other.
    if (request.store.base() !== undefined) return await run.reconcileAny()
    const fetched = await run.fetch()
    return { ...fetched, synced: await run.reconcile(fetched.peer) }
  } catch (error) {
    signal.throwIfAborted()
    throw run.failure(error)
  }
}

type Shell = FetchShell<LogRequest, BootstrapStep, FetchedStore>

class BootstrapRun {
  readonly #request: BootstrapRequest
  readonly #deps: RunBootstrapDeps
  readonly #coordinator: BootstrapCoordinator
  readonly #shell: Shell

  constructor(request: BootstrapRequest, deps: RunBootstrapDeps) {
    this.#request = request
    this.#deps = deps
    const { store, peers, positions, signal } = request
    this.#coordinator = createBootstrapCoordinator({
      ...deps,
      store,
      peers: peers.map(({ peer }) => peer),
      position: (peer) => positions?.load(peer),
    })
    this.#shell = createFetchShell<LogRequest, LogAnswer, BootstrapStep, FetchedStore>(
      {
        peers,
        signal,
        protocol: net.Protocol.BOOTSTRAP,
        coordinator: this.#coordinator,
        createClient: (requests, onAnswer) => createLogClient({ storeId: store.id, requests, onAnswer }),
        carry: (step) => this.#carry(step),
        isFull: () => this.#coordinator.state().isFull,
      },
      deps,
    )
  }

  /** Everything that was started has ended when it settles. */
  fetch(): Promise<FetchedStore> {
    return this.#shell.toEnd()
  }

  /** With the first of the peers that has it, and is there. */
  async reconcileAny(): Promise<BootstrapOutcome> {
    const { peers, signal } = this.#request
    let failure: unknown
    for (const hint of peers) {
      signal.throwIfAborted()
      try {
        const outcome = await this.#reconcileWith(await this.#deps.connect(hint, signal))
        if (outcome.kind === 'done') return { peer: hint.peer, pages: 0, fetched: 0, synced: outcome.synced }
        failure = outcome.error
      } catch (error) {
        failure = error
      }
      this.#shell.note(failure)
    }
    throw failure
  }

  /** With the peer whose log is here; with another when that one is gone. */
  async reconcile(served: PublicKey): Promise<boolean> {
    const first = this.#shell.link(served)
    let failure: unknown
    for (const link of [first, ...this.#shell.links().filter((other) => other !== first)]) {
      const outcome = await this.#reconcileWith(link)
      if (outcome.kind === 'done') return outcome.synced
      failure = outcome.error
      this.#shell.note(failure)
    }
    throw failure
  }
  async #reconcileWith(link: PeerLink): Promise<SyncOutcome> {
    for (let round = 1; ; round += 1) {
      const outcome = await this.#deps.reconcile(link, this.#viewOf(link.peer), this.#request.signal)
      if (outcome.kind === 'failed' || outcome.synced || round === FINAL_RECONCILIATIONS) return outcome
    }
  }

  failure(error: unknown): BootstrapFailed {
    return this.#shell.failure(error)
  }

  #viewOf(peer: PublicKey): SessionStore {
    return viewFor(this.#request.store, peer, () => true)
  }

  #carry(step: BootstrapStep): void {
    const shell = this.#shell
    switch (step.kind) {
      case 'ingest':
        return shell.spawn(() => this.#ingest(step))
      case 'advance':
        return shell.spawn(() => this.#advance(step))
      case 'done':
        return shell.done(step.outcome)
      case 'failed':
        return shell.failed(shell.lastFailure())
    }
  }
  async #ingest({ number, peer, intentions }: Extract<BootstrapStep, { kind: 'ingest' }>): Promise<void> {
    const store = this.#viewOf(peer)
    const answer = await this.#deps.perform(this.#shell.link(peer), { kind: 'ingest', store, intentions })
    assert(answer.kind === 'ingested', 'an ingest is answered by its outcomes')
    this.#shell.carry(this.#coordinator.ingested(number, answer.outcomes))
  }
  async #advance({ peer, position, total }: Extract<BootstrapStep, { kind: 'advance' }>): Promise<void> {
    const { positions, onProgress } = this.#request
    await positions?.save(peer, position)
    const { bytes, peers } = this.#coordinator.state()
    onProgress?.({ peer, done: position.seq, total, bytes, peers })
    this.#shell.carry(this.#coordinator.advanced())
  }
}
