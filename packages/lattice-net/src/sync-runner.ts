/**
 * Runs reconcile sessions, those of this side and those of peers, one per peer and store.
 *
 * @module
 */
import {
  type AbortSignal,
  type IdKey,
  idKey,
  isLatticeError,
  type LatticeError,
  type PublicKey,
  type Scheduler,
  type StoreId,
} from '@lattice/model'
import { StreamLost } from '@lattice/net-types'
import { net } from '@lattice/proto'
import { createDeadline, pause } from './deadline.ts'
import { PeerRefused, SessionFailed } from './errors.ts'
import { MAX_BUSY_ATTEMPTS, type NetworkLimits } from './limits.ts'
import type { SyncOutcome } from './network-event.ts'
import type { Accepted, PeerLink } from './peer-link.ts'
import type { ReconcileOutcome } from './reconcile.ts'
import { createReconcileInitiator, openingOver } from './reconcile-initiator.ts'
import { createReconcileResponder } from './reconcile-responder.ts'
import type { SessionAnswer, SessionCall, SessionStore } from './session-call.ts'
import { pairKey, type SessionSlots, type Slot } from './session-slots.ts'
import { type Fail, refuse, tapFinish } from './session.ts'
import type { StoreRegistry } from './store-registry.ts'
import { createUnasked, type Unasked } from './unasked.ts'

export interface SyncRunner {
  /**
   * Runs a session now, or joins the one under way. Resolves with the outcome, also of a failure; rejects only with
   * `signal.reason`.
   */
  readonly run: (link: PeerLink, store: SessionStore, signal?: AbortSignal) => Promise<SyncOutcome>
  /**
   * The same for a store that is being made, beside one that may be in use: it joins no session of that, takes the place of
   * none, and its end is told to the caller alone.
   */
  readonly runApart: (link: PeerLink, store: SessionStore, signal: AbortSignal) => Promise<SyncOutcome>
  /** What to do on a stream by which the peer starts a session. */
  readonly accept: (link: PeerLink, version: number) => Accepted
}

export interface SyncRunnerOptions {
  readonly slots: SessionSlots
  readonly stores: StoreRegistry
  readonly scheduler: Scheduler
  readonly nowMs: () => number
  readonly limits: Pick<NetworkLimits, 'gapDelayMs'>
  readonly perform: (link: PeerLink, call: SessionCall) => Promise<SessionAnswer>
  /** Told of each session's end once, whoever started it. */
  readonly onOutcome: (outcome: SyncOutcome) => void
}

/** Starts without sessions. */
export function createSyncRunner(options: SyncRunnerOptions): SyncRunner {
  const unaskedOf = createUnaskedBook()
  const apart = new Set<string>()
  return {
    run: (link, store, signal) => {
      const request = { link, store, unasked: unaskedOf(link, store.id), signal }
      return untilIdle(options, request, { once: () => runOnce(options, request), onOutcome: options.onOutcome })
    },
    runApart: (link, store, signal) => {
      const request = { link, store: { ...store, isApart: true }, unasked: createUnasked(), signal }
      return untilIdle(options, request, { once: () => converse(options, request), onOutcome: () => undefined })
    },
    accept: (link, version) => acceptSession(options, { link, version, apart, unaskedOf: (id) => unaskedOf(link, id) }),
  }
}

interface RunRequest {
  readonly link: PeerLink
  readonly store: SessionStore
  readonly unasked: Unasked
  readonly signal: AbortSignal | undefined
}

async function runOnce(options: SyncRunnerOptions, request: RunRequest): Promise<SyncOutcome> {
  const { slots, stores, onOutcome } = options
  const { link, store } = request
  const { peer } = link
  const slot = slots.begin(peer, store.id)
  const current = slots.current(peer, store.id)
  if (slot === undefined) return current === undefined ? busy(peer, store.id) : current.outcome
  const registered = stores.get(store.id) === undefined ? undefined : stores.signal(store.id)
  const outcome = await converse(options, request, registered)
  // The peer's own session went first: its outcome is ours.
  const other = slots.current(peer, store.id)
  slot.end(outcome)
  if (isBusy(outcome) && other !== undefined && other !== slot) return other.outcome
  if (!isBusy(outcome)) onOutcome(outcome)
  return outcome
}

/** One session, to its end. */
async function converse(
  { scheduler, nowMs, perform }: SyncRunnerOptions,
  { link, store, unasked, signal }: RunRequest,
  registered?: AbortSignal,
): Promise<SyncOutcome> {
  const { peer } = link
  const startedMs = nowMs()
  const parents = [registered, signal].filter((parent) => parent !== undefined)
  const cut = createDeadline({ parents, scheduler, waitingFor: 'a session' })
  let knownMs = startedMs
  try {
    const done = await link.runMovable(() => ({
      protocol: net.Protocol.RECONCILE,
      ...openingOver(store),
      machine: tapFinish(createReconcileInitiator(store, unasked), () => {
        knownMs = nowMs()
      }),
      perform: (call) => perform(link, call),
      signal: cut.signal,
    }))
    unasked.ended(done)
    // The peer's end of the stream comes a round trip later and tells nothing more, but until then it is busy with this.
    return doneOutcome(peer, done, knownMs - startedMs)
  } catch (error) {
    return { kind: 'failed', peer, storeId: store.id, error: asLatticeError(error) }
  } finally {
    cut.release()
  }
}

interface Attempts {
  readonly once: () => Promise<SyncOutcome>
  /** Told of the last, where the peer was busy each time. */
  readonly onOutcome: (outcome: SyncOutcome) => void
}

async function untilIdle(
  { scheduler, limits }: SyncRunnerOptions,
  { link, signal }: RunRequest,
  { once, onOutcome }: Attempts,
): Promise<SyncOutcome> {
  for (let attempt = 1; ; attempt += 1) {
    const outcome = await once()
    signal?.throwIfAborted()
    if (!isBusy(outcome)) return outcome
    if (attempt === MAX_BUSY_ATTEMPTS || link.signal.aborted) {
      onOutcome(outcome)
      return outcome
    }
    await pause(scheduler, limits.gapDelayMs, [link.signal, ...(signal === undefined ? [] : [signal])])
  }
}

interface AcceptRequest {
  readonly link: PeerLink
  readonly version: number
  /** Peers and stores whose sessions of stores that they make are under way: one of each. */
  readonly apart: Set<string>
  readonly unaskedOf: (storeId: StoreId) => Unasked
}

/** What a session of the peer has taken, until it ends. */
interface Turn extends Pick<Slot, 'storeId' | 'end'> {
  readonly isApart: boolean
  readonly unasked: Unasked
}

/** Undefined while another is under way. */
function takeTurn(
  { slots }: SyncRunnerOptions,
  { link: { peer }, apart, unaskedOf }: AcceptRequest,
  { storeId, isApart }: Pick<Turn, 'storeId' | 'isApart'>,
): Turn | undefined {
  if (!isApart) {
    const slot = slots.accept(peer, storeId)
    return slot && { storeId, isApart, end: slot.end, unasked: unaskedOf(storeId) }
  }
  const key = pairKey(peer, storeId)
  if (apart.has(key)) return undefined
  apart.add(key)
  return { storeId, isApart, end: () => void apart.delete(key), unasked: createUnasked() }
}

function acceptSession(options: SyncRunnerOptions, request: AcceptRequest): Accepted {
  const { stores, scheduler, nowMs, onOutcome } = options
  const { link, version } = request
  const { peer } = link
  let turn: Turn | undefined
  const path = link.path()
  const startedMs = nowMs()
  const cut = createDeadline({ parents: [], scheduler, waitingFor: 'a session' })
  let leave: (() => void) | undefined
  const resolve = (storeId: StoreId, isApart: boolean): SessionStore | Fail => {
    const store = stores.resolve(peer, storeId)
    if (store === undefined) return stores.refusal(peer, storeId)
    turn = takeTurn(options, request, { storeId, isApart })
    if (turn === undefined) return refuse(net.RefusalCode.BUSY, 'a session for this store is under way')
    const registered = stores.signal(storeId)
    const onAbort = (): void => cut.abort(registered.reason)
    registered.addEventListener('abort', onAbort, { once: true })
    leave = () => registered.removeEventListener('abort', onAbort)
    // Who takes it in beside began with what was given here, or has nothing of it.
    return isApart ? { ...store, over: (base) => store.over(base, true) } : store
  }
  let result: ReconcileOutcome | undefined
  const unaskedOf = (): Unasked => turn?.unasked ?? createUnasked()
  const machine = tapFinish(createReconcileResponder({ resolve, unaskedOf, version }), (finished) => {
    result = finished
    turn?.unasked.ended(finished)
  })
  return {
    machine,
    perform: (call) => options.perform(link, call),
    signal: cut.signal,
    onEnd: (end) => {
      leave?.()
      cut.release()
      if (turn === undefined) return
      const outcome: SyncOutcome =
        result === undefined
          ? {
              kind: 'failed',
              peer,
              storeId: turn.storeId,
              error: asLatticeError('error' in end ? end.error : undefined),
            }
          : doneOutcome(peer, result, nowMs() - startedMs)
      turn.end(outcome)
      // The peer goes on with it over another path: that is no failure, and its end will be told.
      const isMoved = !('outcome' in end) && end.error instanceof StreamLost && link.path() !== path
      if (!turn.isApart && (!isMoved || link.signal.aborted)) onOutcome(outcome)
    },
  }
}

/** What each connection sent of each store: gone with the connection, and bounded by the stores shared with its peer. */
function createUnaskedBook(): (link: PeerLink, storeId: StoreId) => Unasked {
  const book = new WeakMap<PeerLink, Map<IdKey, Unasked>>()
  return (link, storeId) => {
    const stores = book.get(link) ?? new Map<IdKey, Unasked>()
    book.set(link, stores)
    const unasked = stores.get(idKey(storeId)) ?? createUnasked()
    stores.set(idKey(storeId), unasked)
    return unasked
  }
}

function doneOutcome(peer: PublicKey, outcome: ReconcileOutcome, durationMs: number): SyncOutcome {
  return { kind: 'done', peer, ...outcome, durationMs }
}

function isBusy(outcome: SyncOutcome): boolean {
  return outcome.kind === 'failed' && outcome.error instanceof PeerRefused && outcome.error.busy
}

function busy(peer: PublicKey, storeId: StoreId): SyncOutcome {
  const error = new PeerRefused(net.RefusalCode.BUSY, 'a session for this store is under way')
  return { kind: 'failed', peer, storeId, error }
}

/** Any failure of a session as one that has a code. */
export function asLatticeError(error: unknown): LatticeError {
  if (isLatticeError(error)) return error
  return new SessionFailed('a session failed on this node', { cause: error })
}
