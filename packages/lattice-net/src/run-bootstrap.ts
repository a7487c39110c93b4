/**
 * Fetches a store from the peers that hold it, several at once, then reconciles with one of them.
 *
 * The shell of the coordinator (`bootstrap-coordinator.ts`): it connects, runs one session per peer, hands to the store
 * what is due, one thing at a time, and ends everything before it settles.
 *
 * @module
 */
import {
  type AbortController,
  assert,
  type Cancel,
  createAbortController,
  type Crypto,
  type IdKey,
  idKey,
  type IngestOutcome,
  isLatticeError,
  type LatticeErrorCode,
  type PublicKey,
  type Scheduler,
  type SignedIntention,
} from '@lattice/model'
import { type ReplicatedStore, StreamLost } from '@lattice/net-types'
import { net } from '@lattice/proto'
import type { BootstrapEffect, FetchedStore } from './bootstrap-effect.ts'
import { type BootstrapCoordinator, createBootstrapCoordinator } from './bootstrap-coordinator.ts'
import { pause } from './deadline.ts'
import { BootstrapFailed, SessionFailed } from './errors.ts'
import type { NetworkLimits } from './limits.ts'
import { createLogClient, type LogAnswer, type LogClient, type LogRequest } from './log-client.ts'
import type { SyncOutcome } from './network-event.ts'
import type { PeerLink } from './peer-link.ts'
import { MAX_MOVES } from './run-movable.ts'
import type { BootstrapPosition, PeerHint, SessionAnswer, SessionCall, SessionStore } from './session-call.ts'
import type { Effects, Fail } from './session.ts'
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
  /** A few at a time are fetched from, the first first. */
  readonly peers: readonly PeerHint[]
  readonly onProgress?: (progress: BootstrapProgress) => void
  readonly positions?: BootstrapPositions
  readonly signal: AbortController['signal']
}

export interface BootstrapOutcome {
  /** The peer whose log was taken in to its end. */
  readonly peer: PublicKey
  readonly pages: number
  readonly fetched: number
  /** The last reconciliation ended with equal digests. False on a store that is written to meanwhile. */
  readonly synced: boolean
}

export interface RunBootstrapDeps {
  readonly crypto: Crypto
  readonly scheduler: Scheduler
  readonly nowMs: () => number
  readonly limits: Pick<NetworkLimits, 'bootstrapShareMs' | 'bootstrapOverdueMs'>
  readonly connect: (hint: PeerHint, signal: AbortController['signal']) => Promise<PeerLink>
  readonly reconcile: (link: PeerLink, store: SessionStore, signal: AbortController['signal']) => Promise<SyncOutcome>
  readonly perform: (link: PeerLink, call: SessionCall, drain?: () => Promise<void>) => Promise<SessionAnswer>
  /** The peer sent what it should not have, and no session is there to tell it by. */
  readonly blame: (link: PeerLink, error: BootstrapFailed) => void
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

/** A connected peer, and the session under way with it. */
interface Member {
  readonly link: PeerLink
  readonly store: SessionStore
  session: { readonly client: LogClient; drive: ((effects: Effects<void>) => void) | undefined } | undefined
  /** Times that a session was cut short for another path. */
  moves: number
  /** What it is out for is known: how its session ends tells nothing more. */
  isBarred: boolean
}

class BootstrapRun {
  readonly #request: BootstrapRequest
  readonly #deps: RunBootstrapDeps
  readonly #coordinator: BootstrapCoordinator
  readonly #controller: AbortController = createAbortController()
  readonly #hints: ReadonlyMap<IdKey, PeerHint>
  readonly #members = new Map<IdKey, Member>()
  readonly #tasks = new Set<Promise<void>>()
  #waiting: (() => void)[] = []
  #cancelWake: Cancel = () => undefined
  #failure: unknown
  readonly #codes = new Set<LatticeErrorCode>()
  #settle: { readonly done: (fetched: FetchedStore) => void; readonly failed: (error: unknown) => void } | undefined

  constructor(request: BootstrapRequest, deps: RunBootstrapDeps) {
    this.#request = request
    this.#deps = deps
    const { store, peers, positions } = request
    const { crypto, nowMs, limits } = deps
    this.#hints = new Map(peers.map((hint) => [idKey(hint.peer), hint]))
    this.#coordinator = createBootstrapCoordinator({
      crypto,
      store,
      peers: [...this.#hints.values()].map(({ peer }) => peer),
      position: (peer) => positions?.load(peer),
      nowMs,
      limits,
    })
  }

  /** Everything that was started has ended when it settles. */
  async fetch(): Promise<FetchedStore> {
    const { signal } = this.#request
    const onAbort = (): void => this.#settle?.failed(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      return await new Promise<FetchedStore>((done, failed) => {
        this.#settle = { done, failed }
        this.#carry(this.#coordinator.start())
      })
    } finally {
      signal.removeEventListener('abort', onAbort)
      this.#settle = undefined
      this.#cancelWake()
      this.#controller.abort(signal.aborted ? signal.reason : new SessionFailed('the bootstrap is over'))
      this.#wake()
      while (this.#tasks.size > 0) await Promise.all(this.#tasks)
    }
  }

  /** With the first of the peers that has it, and is there. */
  async reconcileAny(): Promise<BootstrapOutcome> {
    let failure: unknown
    for (const hint of this.#hints.values()) {
      this.#request.signal.throwIfAborted()
      try {
        const link = await this.#deps.connect(hint, this.#request.signal)
        const store = viewFor(this.#request.store, hint.peer, () => true)
        const member: Member = { link, store, session: undefined, moves: 0, isBarred: false }
        const outcome = await this.#reconcileWith(member)
        if (outcome.kind === 'done') return { peer: hint.peer, pages: 0, fetched: 0, synced: outcome.synced }
        failure = outcome.error
      } catch (error) {
        failure = error
      }
      this.#noteEnd(failure)
    }
    throw failure
  }
  /** As it is told to the caller: why, and how the sessions ended. */
  failure(error: unknown): BootstrapFailed {
    this.#noteEnd(error)
    const codes = [...this.#codes]
    // Without a cause it is what came that was bad.
    if (error instanceof BootstrapFailed) return new BootstrapFailed(error.detail.why, { codes })
    return new BootstrapFailed(error instanceof Error ? error.message : 'every peer failed', { cause: error, codes })
  }
  #noteEnd(error: unknown): void {
    if (isLatticeError(error)) this.#codes.add(error.code)
  }

  /** With the peer whose log is here; with another when that one is gone. */
  async reconcile(served: PublicKey): Promise<boolean> {
    const first = this.#members.get(idKey(served))
    const others = [...this.#members.values()].filter((member) => member !== first)
    let failure: unknown
    for (const member of [...(first === undefined ? [] : [first]), ...others]) {
      const outcome = await this.#reconcileWith(member)
      if (outcome.kind === 'done') return outcome.synced
      failure = outcome.error
    }
    throw failure
  }

  async #reconcileWith({ link, store }: Member): Promise<SyncOutcome> {
    for (let round = 1; ; round += 1) {
      const outcome = await this.#deps.reconcile(link, store, this.#request.signal)
      if (outcome.kind === 'failed' || outcome.synced || round === FINAL_RECONCILIATIONS) return outcome
    }
  }

  #carry(effects: readonly BootstrapEffect[]): void {
    for (const effect of effects) if (this.#settle !== undefined) this.#carryOne(effect)
    if (!this.#coordinator.state().isFull) this.#wake()
  }
  #carryOne(effect: BootstrapEffect): void {
    switch (effect.kind) {
      case 'connect':
        return this.#spawn(() => this.#connect(effect))
      case 'ask':
        return this.#ask(effect.peer, effect.request)
      case 'ingest':
        return this.#spawn(() => this.#ingest(effect.peer, effect.intentions))
      case 'advance':
        return this.#spawn(() => this.#advance(effect))
      case 'bar':
        return this.#bar(effect.peer, effect.why)
      case 'wake':
        this.#cancelWake = this.#deps.scheduler.after(effect.afterMs, () => this.#carry(this.#coordinator.tick()))
        return
      case 'done':
        return this.#settle?.done(effect.outcome)
      case 'failed':
        return this.#settle?.failed(this.#failure)
    }
  }

  /** Runs a task within the bootstrap; one that fails is a failure of this node, and ends it. */
  #spawn(task: () => Promise<void>): void {
    const running = (async () => {
      try {
        await task()
      } catch (error) {
        this.#settle?.failed(error)
      }
    })()
    this.#tasks.add(running)
    running.finally(() => this.#tasks.delete(running)).catch(() => undefined)
  }

  async #connect({ peer, afterMs }: Extract<BootstrapEffect, { kind: 'connect' }>): Promise<void> {
    const { signal } = this.#controller
    const hint = this.#hints.get(idKey(peer))
    assert(hint !== undefined, 'the peer is one of those that were named')
    try {
      if (afterMs > 0) await pause(this.#deps.scheduler, afterMs, [signal])
      const link = await this.#deps.connect(hint, signal)
      const store = viewFor(this.#request.store, peer, () => true)
      this.#members.set(idKey(peer), { link, store, session: undefined, moves: 0, isBarred: false })
      this.#carry(this.#coordinator.connected(peer))
    } catch (error) {
      this.#failure = error
      // One that was there may be there again.
      this.#carry(this.#members.has(idKey(peer)) ? this.#coordinator.lost(peer) : this.#coordinator.gone(peer))
    }
  }

  #member(peer: PublicKey): Member {
    const member = this.#members.get(idKey(peer))
    assert(member !== undefined, 'the peer is connected')
    return member
  }

  /** By the session under way, or by a new one: a stream costs no round trip. */
  #ask(peer: PublicKey, request: LogRequest): void {
    const member = this.#member(peer)
    const { session } = member
    const effects = session?.client.ask(request)
    if (effects !== undefined) session?.drive?.(effects)
    else this.#spawn(() => this.#converse(member, request))
  }
  async #converse(member: Member, request: LogRequest): Promise<void> {
    const { link } = member
    const client = createLogClient({
      storeId: this.#request.store.id,
      requests: [request],
      onAnswer: (answer) => this.#onAnswer(member, answer),
    })
    const session: NonNullable<Member['session']> = { client, drive: undefined }
    member.session = session
    try {
      const run = member.moves < MAX_MOVES ? link.runUntilMoved<void> : link.run<void>
      const end = await run({
        protocol: net.Protocol.BOOTSTRAP,
        machine: client,
        perform: (call) => this.#deps.perform(link, call, () => this.#drained()),
        signal: this.#controller.signal,
        onReady: (drive) => {
          session.drive = drive
        },
      })
      if (end?.kind !== 'moved') return
      member.moves += 1
      member.session = undefined
      this.#carry(this.#coordinator.restarted(link.peer))
    } catch (error) {
      if (this.#controller.signal.aborted) return
      if (!member.isBarred) this.#failure = error
      this.#noteEnd(error)
      const isLost = !member.isBarred && (error instanceof StreamLost || link.signal.aborted)
      this.#carry(isLost ? this.#coordinator.lost(link.peer) : this.#coordinator.gone(link.peer))
    }
  }
  #onAnswer(member: Member, answer: LogAnswer): readonly (Fail | { kind: 'call'; call: { kind: 'drain' } })[] {
    const { peer } = member.link
    const effects = this.#coordinator.answered(peer, answer)
    const barred = effects.find((effect) => effect.kind === 'bar' && effect.peer === peer)
    // In the session's own step the verdict is its end.
    if (barred?.kind === 'bar') this.#failure = new BootstrapFailed(barred.why)
    this.#carry(effects.filter((effect) => effect !== barred))
    if (barred?.kind === 'bar') return [broken(barred.why)]
    return this.#coordinator.state().isFull ? [{ kind: 'call', call: { kind: 'drain' } }] : []
  }

  #bar(peer: PublicKey, why: string): void {
    const member = this.#member(peer)
    const { link, session } = member
    const error = new BootstrapFailed(why)
    this.#failure = error
    member.isBarred = true
    if (session?.drive !== undefined && !session.client.isOver()) session.drive([broken(why)])
    else this.#deps.blame(link, error)
  }

  async #ingest(peer: PublicKey, intentions: readonly SignedIntention[]): Promise<void> {
    const { link, store } = this.#member(peer)
    const answer = await this.#deps.perform(link, { kind: 'ingest', store, intentions })
    assert(answer.kind === 'ingested', 'an ingest is answered by its outcomes')
    const outcomes: readonly IngestOutcome[] = answer.outcomes
    this.#carry(this.#coordinator.ingested(outcomes))
  }
  async #advance({ peer, position, total }: Extract<BootstrapEffect, { kind: 'advance' }>): Promise<void> {
    const { positions, onProgress } = this.#request
    await positions?.save(peer, position)
    const { bytes, peers } = this.#coordinator.state()
    onProgress?.({ peer, done: position.seq, total, bytes, peers })
    this.#carry(this.#coordinator.advanced())
  }

  async #drained(): Promise<void> {
    while (this.#coordinator.state().isFull && !this.#controller.signal.aborted) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
  }
  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}

function broken(why: string): Fail {
  return { kind: 'fail', failure: { kind: 'bootstrap', why } }
}
