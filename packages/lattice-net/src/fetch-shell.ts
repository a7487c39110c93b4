/**
 * The shell of a fetch from several peers at once: it connects, runs one session per peer, carries out what the coordinator
 * of the fetch asks for, and ends everything before it settles.
 *
 * @module
 */
import {
  type AbortController,
  type AbortSignal,
  assert,
  type Cancel,
  createAbortController,
  equalBytes,
  type IdKey,
  idKey,
  isLatticeError,
  type LatticeErrorCode,
  type PublicKey,
  type Scheduler,
} from '@lattice/model'
import { StreamLost } from '@lattice/net-types'
import type { net } from '@lattice/proto'
import { pause } from './deadline.ts'
import { BootstrapFailed, SessionFailed } from './errors.ts'
import type { FetchCoordinator, FetchEffect } from './fetch-effect.ts'
import type { PeerLink } from './peer-link.ts'
import type { RequestClient } from './request-client.ts'
import { MAX_MOVES } from './run-movable.ts'
import type { PeerHint, SessionAnswer, SessionCall } from './session-call.ts'
import { broken, type Effect, type Effects } from './session.ts'

/** What every fetch needs of the network. */
export interface FetchDeps {
  readonly scheduler: Scheduler
  readonly connect: (hint: PeerHint, signal: AbortSignal) => Promise<PeerLink>
  /** `drain` resolves once more may be read from the peer. */
  readonly perform: (link: PeerLink, call: SessionCall, drain?: () => Promise<void>) => Promise<SessionAnswer>
  /** The peer sent what it should not have, and no session is there to tell it by. */
  readonly blame: (link: PeerLink, error: BootstrapFailed) => void
}

type Verdict = readonly (Effect<never> & { readonly kind: 'call' | 'fail' })[]

export interface FetchShellOptions<Request, Answer, Own> {
  readonly peers: readonly PeerHint[]
  readonly signal: AbortSignal
  readonly protocol: net.Protocol
  readonly coordinator: FetchCoordinator<Answer, FetchEffect<Request> | Own>
  readonly createClient: (requests: readonly Request[], onAnswer: (answer: Answer) => Verdict) => RequestClient<Request>
  /** Carries out an effect that this fetch alone has. */
  readonly carry: (effect: Own) => void
  /** What the end of a session means, where it is more than that the peer is gone or lost. */
  readonly ended?: (peer: PublicKey, error: unknown) => readonly (FetchEffect<Request> | Own)[] | undefined
  /** No more is to be read from peers for now. */
  readonly isFull?: () => boolean
}

/** Runs once. */
export interface FetchShell<Request, Own, Outcome> {
  /** Rejects with what `failed` or a task was given, or with `signal.reason`. All that was started has ended when it settles. */
  readonly toEnd: () => Promise<Outcome>
  readonly carry: (effects: readonly (FetchEffect<Request> | Own)[]) => void
  /** Runs a task within the fetch; one that fails is a failure of this node, and ends it. */
  readonly spawn: (task: () => Promise<void>) => void
  readonly done: (outcome: Outcome) => void
  readonly failed: (error: unknown) => void
  /** A peer that is, or was, connected. */
  readonly link: (peer: PublicKey) => PeerLink
  /** All of them, in the order in which they were. */
  readonly links: () => readonly PeerLink[]
  /** Why the last peer failed. */
  readonly lastFailure: () => unknown
  /** Something else with a peer failed; how is told with the failure of it all. */
  readonly note: (error: unknown) => void
  /** As the caller is told: why, and how all that failed with peers ended. `why`: in place of what `error` says. */
  readonly failure: (error: unknown, why?: string) => BootstrapFailed
}

export function createFetchShell<Request, Answer, Own extends { readonly kind: string }, Outcome>(
  options: FetchShellOptions<Request, Answer, Own>,
  deps: FetchDeps,
): FetchShell<Request, Own, Outcome> {
  return new Shell<Request, Answer, Own, Outcome>(options, deps).shell
}

/** A connected peer, and the session under way with it. */
interface Member<Request> {
  readonly link: PeerLink
  session:
    | { readonly client: RequestClient<Request>; drive: ((effects: Effects<void>) => void) | undefined }
    | undefined
  /** Times that a session was cut short for another path. */
  moves: number
  /** What it is out for is known: how its session ends tells nothing more. */
  isBarred: boolean
}

interface Settle<Outcome> {
  readonly done: (outcome: Outcome) => void
  readonly failed: (error: unknown) => void
}

const SHARED: ReadonlySet<string> = new Set(['connect', 'ask', 'bar', 'wake'] satisfies FetchEffect<never>['kind'][])

function isShared<Request>(effect: { readonly kind: string } | FetchEffect<Request>): effect is FetchEffect<Request> {
  return SHARED.has(effect.kind)
}

class Shell<Request, Answer, Own extends { readonly kind: string }, Outcome> {
  readonly shell: FetchShell<Request, Own, Outcome>
  readonly #options: FetchShellOptions<Request, Answer, Own>
  readonly #deps: FetchDeps
  readonly #controller: AbortController = createAbortController()
  readonly #hints: ReadonlyMap<IdKey, PeerHint>
  readonly #members = new Map<IdKey, Member<Request>>()
  readonly #tasks = new Set<Promise<void>>()
  readonly #codes = new Set<LatticeErrorCode>()
  #waiting: (() => void)[] = []
  #cancelWake: Cancel = () => undefined
  #failure: unknown
  #settle: Settle<Outcome> | undefined

  constructor(options: FetchShellOptions<Request, Answer, Own>, deps: FetchDeps) {
    this.#options = options
    this.#deps = deps
    this.#hints = new Map(options.peers.map((hint) => [idKey(hint.peer), hint]))
    this.shell = {
      toEnd: () => this.#toEnd(),
      carry: (effects) => this.#carry(effects),
      spawn: (task) => this.#spawn(task),
      done: (outcome) => this.#settle?.done(outcome),
      failed: (error) => this.#settle?.failed(error),
      link: (peer) => this.#member(peer).link,
      links: () => [...this.#members.values()].map(({ link }) => link),
      lastFailure: () => this.#failure,
      note: (error) => this.#note(error),
      failure: (error, why) => this.#failed(error, why),
    }
  }

  async #toEnd(): Promise<Outcome> {
    const { signal, coordinator } = this.#options
    const onAbort = (): void => this.#settle?.failed(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      return await new Promise<Outcome>((done, failed) => {
        this.#settle = { done, failed }
        this.#carry(coordinator.start())
      })
    } finally {
      signal.removeEventListener('abort', onAbort)
      this.#settle = undefined
      this.#cancelWake()
      this.#controller.abort(signal.aborted ? signal.reason : new SessionFailed('the fetch is over'))
      this.#wake()
      while (this.#tasks.size > 0) await Promise.all(this.#tasks)
    }
  }

  #carry(effects: readonly (FetchEffect<Request> | Own)[]): void {
    for (const effect of effects) {
      if (this.#settle === undefined) break
      if (isShared<Request>(effect)) this.#carryShared(effect)
      else this.#options.carry(effect)
    }
    if (!this.#isFull()) this.#wake()
  }
  #carryShared(effect: FetchEffect<Request>): void {
    switch (effect.kind) {
      case 'connect':
        return this.#spawn(() => this.#connect(effect))
      case 'ask':
        return this.#ask(effect.peer, effect.request)
      case 'bar':
        return this.#bar(effect.peer, effect.why)
      case 'wake':
        this.#cancelWake = this.#deps.scheduler.after(effect.afterMs, () =>
          this.#carry(this.#options.coordinator.tick()),
        )
    }
  }

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
  #note(error: unknown): void {
    if (isLatticeError(error)) this.#codes.add(error.code)
  }
  #failed(error: unknown, why: string | undefined): BootstrapFailed {
    const codes = [...this.#codes]
    // Without a cause it is what came that was bad.
    if (error instanceof BootstrapFailed) return new BootstrapFailed(error.detail.why, { codes })
    const reason = error instanceof Error ? error.message : 'every peer failed'
    return new BootstrapFailed(why ?? reason, { cause: error, codes })
  }

  async #connect({ peer, afterMs }: Extract<FetchEffect<Request>, { kind: 'connect' }>): Promise<void> {
    const { coordinator } = this.#options
    const { signal } = this.#controller
    const hint = this.#hints.get(idKey(peer))
    assert(hint !== undefined, 'the peer is one of those that were named')
    try {
      if (afterMs > 0) await pause(this.#deps.scheduler, afterMs, [signal])
      const link = await this.#deps.connect(hint, signal)
      this.#members.set(idKey(peer), { link, session: undefined, moves: 0, isBarred: false })
      this.#carry(coordinator.connected(peer))
    } catch (error) {
      this.#note(error)
      // What a peer says tells more than that another is away.
      this.#failure ??= error
      // One that was there may be there again.
      this.#carry(this.#members.has(idKey(peer)) ? coordinator.lost(peer) : coordinator.gone(peer))
    }
  }
  #member(peer: PublicKey): Member<Request> {
    const member = this.#members.get(idKey(peer))
    assert(member !== undefined, 'the peer is connected')
    return member
  }

  /** By the session under way, or by a new one: a stream costs no round trip. */
  #ask(peer: PublicKey, request: Request): void {
    const member = this.#member(peer)
    const { session } = member
    const effects = session?.client.ask(request)
    if (effects !== undefined) session?.drive?.(effects)
    else this.#spawn(() => this.#converse(member, request))
  }
  async #converse(member: Member<Request>, request: Request): Promise<void> {
    const { link } = member
    const client = this.#options.createClient([request], (answer) => this.#onAnswer(member, answer))
    const session: NonNullable<Member<Request>['session']> = { client, drive: undefined }
    member.session = session
    try {
      const run = member.moves < MAX_MOVES ? link.runUntilMoved<void> : link.run<void>
      const end = await run({
        protocol: this.#options.protocol,
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
      this.#carry(this.#options.coordinator.restarted(link.peer))
    } catch (error) {
      member.session = undefined
      if (this.#controller.signal.aborted) return
      this.#note(error)
      if (!member.isBarred) this.#failure = error
      this.#ended(member, error)
    }
  }
  #ended({ link, isBarred }: Member<Request>, error: unknown): void {
    const { coordinator, ended } = this.#options
    const { peer } = link
    const own = isBarred ? undefined : ended?.(peer, error)
    const isLost = !isBarred && (error instanceof StreamLost || link.signal.aborted)
    this.#carry(own ?? (isLost ? coordinator.lost(peer) : coordinator.gone(peer)))
  }
  #onAnswer(member: Member<Request>, answer: Answer): Verdict {
    const { peer } = member.link
    const effects = this.#options.coordinator.answered(peer, answer)
    const barred = effects
      .filter(isShared<Request>)
      .find((effect) => effect.kind === 'bar' && equalBytes(effect.peer, peer))
    if (barred?.kind !== 'bar') {
      this.#carry(effects)
      return this.#isFull() ? [{ kind: 'call', call: { kind: 'drain' } }] : []
    }
    // In the session's own step the verdict is its end.
    this.#failure = new BootstrapFailed(barred.why)
    member.isBarred = true
    this.#carry(effects.filter((effect) => effect !== barred))
    return [broken(barred.why)]
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

  #isFull(): boolean {
    return this.#options.isFull?.() ?? false
  }
  async #drained(): Promise<void> {
    while (this.#isFull() && !this.#controller.signal.aborted) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
  }
  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}
