/**
 * The side that answers a reconcile session.
 *
 * With a tip map that fits its own it begins to send at once: what the peer said it holds is what this side goes by.
 *
 * @module
 */
import { assert, type IntentionId, readIntentionId, type StoreId } from '@lattice/model'
import type { ReplicaDigest } from '@lattice/net-types'
import type { net } from '@lattice/proto'
import type { ReconcilePart } from '@lattice/sync'
import { type Closing, createClosing } from './closing.ts'
import type { Frame } from './frame.ts'
import { MAX_DIFFERENCE_IDS, WANT_IDS_MAX } from './limits.ts'
import { createRangeComparison, type RangeComparison } from './range-comparison.ts'
import {
  doneFrame,
  helloFrame,
  nothingToDo,
  readClaim,
  type ReadHello,
  readHello,
  type ReconcileOutcome,
  sameSet,
} from './reconcile.ts'
import { createSendOrder } from './send-order.ts'
import type { SessionAnswer, SessionStore } from './session-call.ts'
import {
  type Effects,
  type Fail,
  finish,
  NEXT_TURN,
  notShared,
  send,
  type SessionMachine,
  unexpected,
  violation,
} from './session.ts'
import { compareTips, ownTipMap } from './tip-map.ts'
import { createUnasked, type Unasked } from './unasked.ts'

export interface ReconcileResponderOptions {
  /** The store as the peer may use it; a failure (no such store, busy) is passed on. Asked once, with the `Hello`. */
  readonly resolve: (storeId: StoreId) => SessionStore | Fail
  /** What sessions of the connection over a store sent. Asked once, after `resolve`. */
  readonly unaskedOf?: (storeId: StoreId) => Unasked
}

/** What an id takes in memory: its bytes, and an array of its own. */
const HELD_ID_BYTES = 96

interface Difference {
  readonly at: 'difference'
  readonly store: SessionStore
  readonly closing: Closing
  readonly peerCount: number
  readonly comparison: RangeComparison
  readonly wanted: IntentionId[]
  /** A `Want` has come: no more of the difference may. */
  readonly wanting: boolean
}

type State =
  | { readonly at: 'hello' }
  | { readonly at: 'equal'; readonly store: SessionStore; readonly digest: ReplicaDigest }
  | Difference
  | {
      readonly at: 'transfer'
      readonly store: SessionStore
      readonly closing: Closing
      readonly peerCount: number
      /** By tip maps: the peer may go on by ranges once this side is done. */
      readonly byMaps: boolean
    }

/** Waits for a `Hello`. */
export function createReconcileResponder(options: ReconcileResponderOptions): SessionMachine<ReconcileOutcome> {
  const session = new Responder(options)
  return {
    start: () => [],
    receive: (frame) => session.receive(frame),
    answered: (answer) => session.answered(answer),
    held: () => session.held(),
  }
}

class Responder {
  readonly #options: ReconcileResponderOptions
  #state: State = { at: 'hello' }

  constructor(options: ReconcileResponderOptions) {
    this.#options = options
  }

  receive(frame: Frame): Effects<ReconcileOutcome> {
    const state = this.#state
    if (state.at === 'hello') return frame.case === 'hello' ? this.#hello(frame.value) : [unexpected(frame)]
    if (!state.store.allowed()) return [notShared(state.store)]
    if (state.at === 'difference') return this.#difference(frame, state)
    if (state.at === 'transfer') return this.#transfer(frame, state)
    if (frame.case !== 'done') return [unexpected(frame)]
    const claim = readClaim(frame.value)
    if (claim === undefined) return [violation('done_malformed')]
    return [finish(nothingToDo(state.store.id, state.digest, claim))]
  }
  answered(answer: SessionAnswer): Effects<ReconcileOutcome> {
    const state = this.#state
    if (state.at === 'transfer') return state.closing.answered(answer)
    assert(state.at === 'difference' && answer.kind === 'turned', 'other calls are made by the transfer')
    if (!state.store.allowed()) return [notShared(state.store)]
    return answerWith(state.comparison.goOn())
  }

  /** The ids that the peer wants, until it has named all of them. */
  held(): number {
    return this.#state.at === 'difference' ? this.#state.wanted.length * HELD_ID_BYTES : 0
  }

  #hello(frame: net.Hello): Effects<ReconcileOutcome> {
    const peer = readHello(frame)
    if (peer === undefined) return [violation('hello_malformed')]
    const store = this.#options.resolve(peer.storeId)
    if ('kind' in store) return [store]
    // In one turn, so that the digest is that of the map and of the index.
    const digest = store.digest()
    if (sameSet(peer, digest)) {
      this.#state = { at: 'equal', store, digest }
      return [send(helloFrame(store.id, digest)), send(doneFrame(digest))]
    }
    const unasked = this.#options.unaskedOf?.(store.id) ?? createUnasked()
    unasked.begin()
    const compared = { store, digest, closing: createClosing(store), unasked }
    return this.#streamByMaps(peer, compared) ?? this.#compareRanges(peer, compared)
  }

  /** Undefined where maps do not tell the difference. */
  #streamByMaps(
    { tips, witnessCount: peerCount }: ReadHello,
    compared: Compared,
  ): Effects<ReconcileOutcome> | undefined {
    const { store, digest, closing, unasked } = compared
    const own = tips === undefined ? undefined : ownTipMap(store, digest.witnessCount)
    if (tips === undefined || own === undefined) return undefined
    const difference = compareTips(store, own, { tips, witnessCount: peerCount })
    if (difference === undefined) return undefined
    this.#state = { at: 'transfer', store, closing, peerCount, byMaps: true }
    const begun = closing.beginSpans({ spans: unasked.spans.fresh(difference.spans), needMax: difference.need })
    return [send(helloFrame(store.id, digest, { tipMap: own })), ...begun]
  }

  #compareRanges({ message, witnessCount }: ReadHello, compared: Compared): Effects<ReconcileOutcome> {
    const { store, digest, closing } = compared
    const begun = beginDifference(store, closing, witnessCount)
    this.#state = begun
    const answer = send(helloFrame(store.id, digest))
    return message === undefined ? [answer] : [answer, ...answerWith(begun.comparison.receive(message))]
  }

  #difference(frame: Frame, at: Difference): Effects<ReconcileOutcome> {
    if (frame.case === 'reconcile' && !at.wanting) return answerWith(at.comparison.receive(frame.value.message))
    if (at.comparison.isAnswering()) return [unexpected(frame)]
    return frame.case === 'want' ? this.#want(frame.value, at) : [unexpected(frame)]
  }

  #want({ ids }: net.Want, at: Difference): Effects<ReconcileOutcome> {
    if (ids.length > WANT_IDS_MAX || at.wanted.length + ids.length > MAX_DIFFERENCE_IDS) {
      return [violation('want_too_many')]
    }
    for (const bytes of ids) {
      const id = readIntentionId(bytes)
      if (id === undefined) return [violation('want_malformed')]
      at.wanted.push(id)
    }
    if (ids.length > 0) {
      this.#state = { ...at, wanting: true }
      return []
    }
    const { store, closing, peerCount } = at
    this.#state = { at: 'transfer', store, closing, peerCount, byMaps: false }
    return closing.beginIds(createSendOrder(at.comparison.index, at.wanted), peerCount)
  }

  #transfer(frame: Frame, at: Extract<State, { at: 'transfer' }>): Effects<ReconcileOutcome> {
    const { store, closing, peerCount } = at
    if (frame.case !== 'reconcile' || !at.byMaps || !closing.said()) return closing.receive(frame)
    const begun = beginDifference(store, closing, peerCount)
    this.#state = begun
    return answerWith(begun.comparison.receive(frame.value.message))
  }
}

interface Compared {
  readonly store: SessionStore
  readonly digest: ReplicaDigest
  readonly closing: Closing
  readonly unasked: Unasked
}

/** What the next part of an answer comes to. */
function answerWith(part: ReconcilePart | Fail): Effects<never> {
  if ('kind' in part) return [part]
  if (!part.isWhole) return [NEXT_TURN]
  assert(part.reply !== undefined, 'a responder always answers')
  return [send({ case: 'reconcile', value: { message: part.reply } })]
}

function beginDifference(store: SessionStore, closing: Closing, peerCount: number): Difference {
  const comparison = createRangeComparison(store.rangeIndex(), 'responder')
  return { at: 'difference', store, closing, peerCount, comparison, wanted: [], wanting: false }
}
