/**
 * Fetches a pruned store from the peers that hold it, into what makes it anew.
 *
 * The shell of the coordinator (`snapshot-coordinator.ts`): it connects, runs one session per peer, hands to the writer what
 * is due, one thing at a time, and ends everything before it settles.
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
  type IntentionId,
  type PublicKey,
  type Scheduler,
  type StoreId,
} from '@lattice/model'
import { type PrunedStoreWriter, StreamLost } from '@lattice/net-types'
import { net } from '@lattice/proto'
import { pause } from './deadline.ts'
import { BootstrapFailed, PeerRefused, PeerViolation, SessionFailed } from './errors.ts'
import type { NetworkLimits } from './limits.ts'
import type { PeerLink } from './peer-link.ts'
import type { RequestClient } from './request-client.ts'
import { MAX_MOVES } from './run-movable.ts'
import type { PeerHint, SessionAnswer, SessionCall } from './session-call.ts'
import type { Effects, Fail } from './session.ts'
import { createSnapshotClient, type SnapshotAnswer, type SnapshotRequest } from './snapshot-client.ts'
import { createSnapshotCoordinator, type SnapshotCoordinator, type WriterResult } from './snapshot-coordinator.ts'
import type { SnapshotEffect, SnapshotState, WriterWork } from './snapshot-effect.ts'

export interface SnapshotFetch {
  readonly storeId: StoreId
  /** A few at a time are fetched from. The caller vouches for them. */
  readonly peers: readonly PeerHint[]
  readonly writer: PrunedStoreWriter
  readonly onProgress?: (progress: SnapshotState) => void
  readonly signal: AbortController['signal']
}

export type SnapshotOutcome =
  /** The writer is finished: what is above the base is still to be had. */
  | { readonly kind: 'fetched'; readonly base: IntentionId; readonly bytes: number }
  /** All that answered have the whole history: there is nothing to fetch in this way. */
  | { readonly kind: 'unpruned' }

export interface RunSnapshotDeps {
  readonly crypto: Crypto
  readonly scheduler: Scheduler
  readonly nowMs: () => number
  readonly limits: Pick<NetworkLimits, 'bootstrapOverdueMs'>
  readonly connect: (hint: PeerHint, signal: AbortController['signal']) => Promise<PeerLink>
  readonly perform: (link: PeerLink, call: SessionCall) => Promise<SessionAnswer>
  /** The peer sent what it should not have, and no session is there to tell it by. */
  readonly blame: (link: PeerLink, error: BootstrapFailed) => void
}

/**
 * Resolves once the writer has the whole store at the base. Rejects with {@link BootstrapFailed} when every peer failed, its
 * cause being the last failure; with what the writer rejects with; or with `signal.reason`. What the writer took in and did
 * not refuse stays, and the next fetch goes on there.
 */
export async function runSnapshot(fetch: SnapshotFetch, deps: RunSnapshotDeps): Promise<SnapshotOutcome> {
  fetch.signal.throwIfAborted()
  if (fetch.peers.length === 0) throw new BootstrapFailed('no peer to fetch it from is known')
  return new SnapshotRun(fetch, deps).toEnd()
}

/** A connected peer, and the session under way with it. */
interface Member {
  readonly link: PeerLink
  session:
    | { readonly client: RequestClient<SnapshotRequest>; drive: ((effects: Effects<void>) => void) | undefined }
    | undefined
  /** Times that a session was cut short for another path. */
  moves: number
  /** What it is out for is known: how its session ends tells nothing more. */
  isBarred: boolean
}

class SnapshotRun {
  readonly #fetch: SnapshotFetch
  readonly #deps: RunSnapshotDeps
  readonly #coordinator: SnapshotCoordinator
  readonly #controller: AbortController = createAbortController()
  readonly #hints: ReadonlyMap<IdKey, PeerHint>
  readonly #members = new Map<IdKey, Member>()
  readonly #tasks = new Set<Promise<void>>()
  #cancelWake: Cancel = () => undefined
  #failure: unknown
  #settle: { readonly done: (outcome: SnapshotOutcome) => void; readonly failed: (error: unknown) => void } | undefined

  constructor(fetch: SnapshotFetch, deps: RunSnapshotDeps) {
    this.#fetch = fetch
    this.#deps = deps
    this.#hints = new Map(fetch.peers.map((hint) => [idKey(hint.peer), hint]))
    this.#coordinator = createSnapshotCoordinator({
      ...deps,
      peers: [...this.#hints.values()].map(({ peer }) => peer),
      position: fetch.writer.position(),
    })
  }

  /** Everything that was started has ended when it settles. */
  async toEnd(): Promise<SnapshotOutcome> {
    const { signal } = this.#fetch
    const onAbort = (): void => this.#settle?.failed(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      return await new Promise<SnapshotOutcome>((done, failed) => {
        this.#settle = { done, failed }
        this.#carry(this.#coordinator.start())
      })
    } finally {
      signal.removeEventListener('abort', onAbort)
      this.#settle = undefined
      this.#cancelWake()
      this.#controller.abort(signal.aborted ? signal.reason : new SessionFailed('the fetch is over'))
      while (this.#tasks.size > 0) await Promise.all(this.#tasks)
    }
  }

  #carry(effects: readonly SnapshotEffect[]): void {
    for (const effect of effects) if (this.#settle !== undefined) this.#carryOne(effect)
  }
  #carryOne(effect: SnapshotEffect): void {
    switch (effect.kind) {
      case 'connect':
        return this.#spawn(() => this.#connect(effect))
      case 'ask':
        return this.#ask(effect.peer, effect.request)
      case 'write':
        return this.#spawn(() => this.#write(effect.work))
      case 'bar':
        return this.#bar(effect.peer, effect.why)
      case 'wake':
        this.#cancelWake = this.#deps.scheduler.after(effect.afterMs, () => this.#carry(this.#coordinator.tick()))
        return
      case 'done':
        return this.#settle?.done({ kind: 'fetched', base: effect.base, bytes: this.#coordinator.state().bytes })
      case 'unpruned':
        return this.#settle?.done({ kind: 'unpruned' })
      case 'failed':
        return this.#settle?.failed(this.#failed(effect.why))
    }
  }
  #failed(why: string | undefined): BootstrapFailed {
    if (this.#failure instanceof BootstrapFailed) return this.#failure
    const reason = this.#failure instanceof Error ? this.#failure.message : 'every peer failed'
    return new BootstrapFailed(why ?? reason, { cause: this.#failure })
  }
  /** Runs a task within the fetch; one that fails is a failure of this node, and ends it. */
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

  async #write(work: WriterWork): Promise<void> {
    const result = await performWork(this.#fetch.writer, work)
    this.#carry(this.#coordinator.worked(result))
    this.#fetch.onProgress?.(this.#coordinator.state())
  }

  async #connect({ peer, afterMs }: Extract<SnapshotEffect, { kind: 'connect' }>): Promise<void> {
    const { signal } = this.#controller
    const hint = this.#hints.get(idKey(peer))
    assert(hint !== undefined, 'the peer is one of those that were named')
    try {
      if (afterMs > 0) await pause(this.#deps.scheduler, afterMs, [signal])
      const link = await this.#deps.connect(hint, signal)
      this.#members.set(idKey(peer), { link, session: undefined, moves: 0, isBarred: false })
      this.#carry(this.#coordinator.connected(peer))
    } catch (error) {
      this.#failure ??= error
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
  #ask(peer: PublicKey, request: SnapshotRequest): void {
    const member = this.#member(peer)
    const { session } = member
    const effects = session?.client.ask(request)
    if (effects !== undefined) session?.drive?.(effects)
    else this.#spawn(() => this.#converse(member, request))
  }
  async #converse(member: Member, request: SnapshotRequest): Promise<void> {
    const { link } = member
    const client = createSnapshotClient({
      storeId: this.#fetch.storeId,
      requests: [request],
      onAnswer: (answer) => this.#onAnswer(member, answer),
    })
    const session: NonNullable<Member['session']> = { client, drive: undefined }
    member.session = session
    try {
      const run = member.moves < MAX_MOVES ? link.runUntilMoved<void> : link.run<void>
      const end = await run({
        protocol: net.Protocol.SNAPSHOT,
        machine: client,
        perform: (call) => this.#deps.perform(link, call),
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
      member.session = undefined
      if (this.#controller.signal.aborted) return
      if (!member.isBarred) this.#failure = error
      this.#ended(member, error)
    }
  }
  #ended({ link, isBarred }: Member, error: unknown): void {
    const { peer } = link
    if (!isBarred && error instanceof PeerRefused && error.code === 'SNAPSHOT_GONE') {
      this.#carry(this.#coordinator.moved(peer))
      return
    }
    if (error instanceof BootstrapFailed || error instanceof PeerViolation) {
      this.#carry(this.#coordinator.broke(peer))
      return
    }
    const isLost = !isBarred && (error instanceof StreamLost || link.signal.aborted)
    this.#carry(isLost ? this.#coordinator.lost(peer) : this.#coordinator.gone(peer))
  }
  #onAnswer(member: Member, answer: SnapshotAnswer): readonly Fail[] {
    const { peer } = member.link
    const effects = this.#coordinator.answered(peer, answer)
    const barred = effects.find((effect) => effect.kind === 'bar' && effect.peer === peer)
    if (barred?.kind !== 'bar') {
      this.#carry(effects)
      return []
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
}

async function performWork(writer: PrunedStoreWriter, work: WriterWork): Promise<WriterResult> {
  switch (work.kind) {
    case 'begin':
      await writer.begin(work.base, work.peer)
      return undefined
    case 'items':
      return writer.addItems(work.items)
    case 'end_items':
      return writer.endItems()
    case 'rows':
      return writer.addRows(work.rows)
    case 'drop':
      await writer.drop()
      return undefined
    case 'drop_rows':
      await writer.dropRows()
      return undefined
    case 'finish':
      return writer.finish()
  }
}

function broken(why: string): Fail {
  return { kind: 'fail', failure: { kind: 'bootstrap', why } }
}
