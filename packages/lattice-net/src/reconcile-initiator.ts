/**
 * The side that starts a reconcile session and learns the difference.
 *
 * Its tip map goes with the `Hello`, and where there is none to send, the first message of the difference does: either
 * way the answer tells what to send.
 *
 * @module
 */
import { assert, equalBytes, type IdKey, idKey, idKeyBytes, type IntentionId, toIntentionId } from '@lattice/model'
import type { ReplicaDigest } from '@lattice/net-types'
import type { net } from '@lattice/proto'
import { type Closing, createClosing } from './closing.ts'
import type { Frame } from './frame.ts'
import { MAX_DIFFERENCE_IDS, WANT_IDS_MAX } from './limits.ts'
import { createRangeComparison, type RangeComparison } from './range-comparison.ts'
import {
  doneFrame,
  helloFrame,
  nothingToDo,
  readClaim,
  readHello,
  type ReconcileOutcome,
  sameSet,
} from './reconcile.ts'
import { createSendOrder } from './send-order.ts'
import type { SessionAnswer, SessionStore } from './session-call.ts'
import {
  type Effect,
  type Effects,
  finish,
  noSuchStore,
  send,
  type SessionMachine,
  unexpected,
  violation,
} from './session.ts'
import { compareTips, ownTipMap, type TipMap } from './tip-map.ts'
import { createUnasked, type Unasked } from './unasked.ts'

/** What ranges are compared with. */
interface Difference {
  readonly comparison: RangeComparison
  readonly have: Set<IdKey>
  readonly need: Set<IdKey>
}

type State =
  | {
      readonly at: 'hello'
      readonly digest: ReplicaDigest
      readonly tipMap: TipMap | undefined
      /** Begun with the `Hello`. */
      readonly begun: Difference | undefined
    }
  /** Both said the same: the peer's `Done` is due. */
  | { readonly at: 'equal'; readonly digest: ReplicaDigest }
  | (Difference & { readonly at: 'difference'; readonly peerCount: number })
  | { readonly at: 'transfer' }

/** Starts a session over `store`. `unasked` knows what earlier sessions of the connection sent. */
export function createReconcileInitiator(
  store: SessionStore,
  unasked: Unasked = createUnasked(),
): SessionMachine<ReconcileOutcome> {
  const session = new Initiator(store, unasked)
  return {
    start: () => session.start(),
    receive: (frame) => session.receive(frame),
    answered: (answer) => session.answered(answer),
  }
}

class Initiator {
  readonly #store: SessionStore
  readonly #unasked: Unasked
  readonly #closing: Closing
  #state: State | undefined

  constructor(store: SessionStore, unasked: Unasked) {
    this.#store = store
    this.#unasked = unasked
    this.#closing = createClosing(store)
  }

  start(): Effects<ReconcileOutcome> {
    assert(this.#state === undefined, 'a session starts once')
    const store = this.#store
    this.#unasked.begin()
    // In one turn, so that the digest is that of the map and of the index.
    const digest = store.digest()
    const tipMap = ownTipMap(store, digest.witnessCount)
    const begun = tipMap === undefined ? beginDifference(store) : undefined
    this.#state = { at: 'hello', digest, tipMap, begun }
    return [send(helloFrame(store.id, digest, { tipMap, message: begun?.comparison.start() }))]
  }
  receive(frame: Frame): Effects<ReconcileOutcome> {
    const state = this.#state
    assert(state !== undefined, 'a session starts before it receives')
    if (!this.#store.allowed()) return [noSuchStore()]
    if (state.at === 'hello' && frame.case === 'hello') return this.#hello(frame.value, state)
    if (state.at === 'equal' && frame.case === 'done') return this.#equal(frame.value, state.digest)
    if (state.at === 'difference' && frame.case === 'reconcile') return this.#difference(frame.value.message, state)
    if (state.at === 'transfer') return this.#closing.receive(frame)
    return [unexpected(frame)]
  }
  answered(answer: SessionAnswer): Effects<ReconcileOutcome> {
    assert(this.#state?.at === 'transfer', 'calls are made by the transfer')
    return this.#closing.answered(answer)
  }

  #hello(frame: net.Hello, at: Extract<State, { at: 'hello' }>): Effects<ReconcileOutcome> {
    const { digest, tipMap, begun } = at
    const peer = readHello(frame)
    if (peer === undefined || peer.message !== undefined) return [violation('hello_malformed')]
    if (!equalBytes(peer.storeId, this.#store.id)) return [violation('hello_for_another_store')]
    const { tips, witnessCount } = peer
    if (tips !== undefined && tipMap === undefined) return [violation('tips_not_offered')]
    if (sameSet(peer, digest)) {
      this.#state = { at: 'equal', digest }
      return [send(doneFrame(digest))]
    }
    if (begun !== undefined) {
      this.#state = { at: 'difference', ...begun, peerCount: witnessCount }
      return []
    }
    assert(tipMap !== undefined, 'a Hello brings a tip map or the first message of the difference')
    return tips === undefined ? this.#compareRanges(witnessCount) : this.#compareMaps(tipMap, { tips, witnessCount })
  }

  /** Streams by the maps. Where they do not fit, only takes what the peer sends, and compares ranges after that. */
  #compareMaps(own: TipMap, theirs: TipMap): Effects<ReconcileOutcome> {
    const store = this.#store
    const difference = compareTips(store, own, theirs)
    const needMax = difference?.need ?? theirs.witnessCount
    const spans = difference === undefined ? [] : this.#unasked.spans.fresh(difference.spans)
    this.#state = { at: 'transfer' }
    return this.#closing.beginSpans({
      spans,
      needMax,
      instead: (end) => {
        // Who has the ends has all that leads to them.
        const lacks = store.missing(theirs.tips.map(({ id }) => id)).length > 0
        const isToldAll = difference !== undefined && (!lacks || end.full)
        return isToldAll ? [] : this.#compareRanges(end.theirs.witnessCount)
      },
    })
  }

  #compareRanges(peerCount: number): Effects<ReconcileOutcome> {
    const begun = beginDifference(this.#store)
    this.#state = { at: 'difference', ...begun, peerCount }
    return [send({ case: 'reconcile', value: { message: begun.comparison.start() } })]
  }

  #difference(message: Uint8Array, at: Extract<State, { at: 'difference' }>): Effects<ReconcileOutcome> {
    const { have, need } = at
    const step = at.comparison.receive(message)
    if ('kind' in step) return [step]
    for (const id of step.have) have.add(idKey(id))
    for (const id of step.need) need.add(idKey(id))
    const full = have.size >= MAX_DIFFERENCE_IDS || need.size >= MAX_DIFFERENCE_IDS
    if (step.reply !== undefined && !full) {
      return [send({ case: 'reconcile', value: { message: step.reply } })]
    }
    this.#state = { at: 'transfer' }
    const wanted = this.#store.wanted(idsOf(need))
    const order = createSendOrder(at.comparison.index, this.#unasked.ids.fresh(idsOf(have)))
    return [...wants(wanted), ...this.#closing.beginIds(order, at.peerCount)]
  }

  #equal(frame: net.Done, digest: ReplicaDigest): Effects<ReconcileOutcome> {
    const claim = readClaim(frame)
    if (claim === undefined) return [violation('done_malformed')]
    return [finish(nothingToDo(this.#store.id, digest, claim))]
  }
}

function beginDifference(store: SessionStore): Difference {
  const comparison = createRangeComparison(store.rangeIndex(), 'initiator')
  return { comparison, have: new Set(), need: new Set() }
}

/** The ids asked for, in frames; an empty one ends them. */
function wants(ids: readonly IntentionId[]): Effect<never>[] {
  const frames: Effect<never>[] = []
  for (let begin = 0; begin < ids.length; begin += WANT_IDS_MAX) {
    frames.push(send({ case: 'want', value: { ids: ids.slice(begin, begin + WANT_IDS_MAX) } }))
  }
  return [...frames, send({ case: 'want', value: { ids: [] } })]
}

/** The first ids of a set, as many as one session transfers. */
function idsOf(keys: ReadonlySet<IdKey>): IntentionId[] {
  const ids: IntentionId[] = []
  for (const key of keys) {
    if (ids.length === MAX_DIFFERENCE_IDS) break
    ids.push(toIntentionId(idKeyBytes(key)))
  }
  return ids
}
