/**
 * The side that answers a reconcile session.
 *
 * With a tip map that fits its own it begins to send at once: what the peer said it holds is what this side goes by.
 *
 * @module
 */
import { assert, equalBytes, type IntentionId, type NumberedEpoch, readIntentionId, type StoreId } from '@lattice/model'
import type { ReplicaDigest } from '@lattice/net-types'
import { net } from '@lattice/proto'
import type { ReconcilePart } from '@lattice/sync'
import { chooseBase } from './bases.ts'
import { sameBase } from './claimed-digest.ts'
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
import { type BasedStore, isStillOver, overLaterBase, overOwnBase } from './session-base.ts'
import type { SessionAnswer, SessionStore } from './session-call.ts'
import {
  baseMoved,
  type Effects,
  type Fail,
  finish,
  NEXT_TURN,
  notShared,
  refuse,
  refusedBy,
  send,
  type SessionMachine,
  unexpected,
  violation,
} from './session.ts'
import { compareTips, ownTipMap } from './tip-map.ts'
import { createUnasked, type Unasked } from './unasked.ts'
import { RECONCILE_WITH_BASES } from './versions.ts'

export interface ReconcileResponderOptions {
  /** The store as the peer may use it; a failure (no such store, busy) is passed on. Asked once, with the `Hello`. */
  readonly resolve: (storeId: StoreId, isApart: boolean) => SessionStore | Fail
  /** What sessions of the connection over a store sent. Asked once, after `resolve`. */
  readonly unaskedOf?: (storeId: StoreId) => Unasked
  /** Of the protocol, as the two sides agreed on it; the highest unless another is given. */
  readonly version?: number
}

/** What an id takes in memory: its bytes, and an array of its own. */
const HELD_ID_BYTES = 96

interface Difference {
  readonly at: 'difference'
  readonly based: BasedStore
  readonly closing: Closing
  readonly peerCount: number
  readonly comparison: RangeComparison
  readonly wanted: IntentionId[]
  /** A `Want` has come: no more of the difference may. */
  readonly wanting: boolean
}

/** This side's base was named, in place of the peer's. */
interface Renamed {
  readonly store: SessionStore
  /** What the peer began with. */
  readonly theirs: NumberedEpoch | undefined
}

type State =
  | { readonly at: 'hello'; readonly renamed: Renamed | undefined }
  | { readonly at: 'equal'; readonly based: BasedStore; readonly digest: ReplicaDigest }
  | Difference
  | {
      readonly at: 'transfer'
      readonly based: BasedStore
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
    refused: (refused) => [session.refused(refused)],
    held: () => session.held(),
  }
}

class Responder {
  readonly #options: ReconcileResponderOptions
  #state: State = { at: 'hello', renamed: undefined }

  constructor(options: ReconcileResponderOptions) {
    this.#options = options
  }

  receive(frame: Frame): Effects<ReconcileOutcome> {
    const state = this.#state
    if (state.at === 'hello') return frame.case === 'hello' ? this.#hello(frame.value, state) : [unexpected(frame)]
    if (!state.based.store.allowed()) return [notShared(state.based.store)]
    if (!isStillOver(state.based)) return [baseMoved()]
    if (state.at === 'difference') return this.#difference(frame, state)
    if (state.at === 'transfer') return this.#transfer(frame, state)
    if (frame.case !== 'done') return [unexpected(frame)]
    const claim = readClaim(frame.value)
    if (claim === undefined) return [violation('done_malformed')]
    const { store, base } = state.based
    return [finish(nothingToDo(store.id, state.digest, { ...claim, base: base?.epoch }))]
  }
  answered(answer: SessionAnswer): Effects<ReconcileOutcome> {
    const state = this.#state
    if (state.at === 'transfer') return state.closing.answered(answer)
    assert(state.at === 'difference' && answer.kind === 'turned', 'other calls are made by the transfer')
    if (!state.based.store.allowed()) return [notShared(state.based.store)]
    if (!isStillOver(state.based)) return [baseMoved()]
    return answerWith(state.comparison.goOn())
  }
  refused(refused: net.Refused): Fail {
    const renamed = this.#state.at === 'hello' ? this.#state.renamed : undefined
    const isBase = refused.code === net.RefusalCode.BASE_UNKNOWN && renamed !== undefined
    const { base: ours } = isBase ? overOwnBase(renamed.store) : { base: undefined }
    if (!isBase || ours === undefined) return refusedBy(refused)
    const { theirs } = renamed
    const choice = chooseBase({ ours, theirs, isTheirsHere: false, isOursThere: false })
    // The base came here meanwhile: the next session is over it.
    if (choice.kind !== 'disagree') return baseMoved()
    return { kind: 'fail', failure: { ...choice, kind: 'bases', base: theirs?.epoch, isTold: true } }
  }

  /** The ids that the peer wants, until it has named all of them. */
  held(): number {
    return this.#state.at === 'difference' ? this.#state.wanted.length * HELD_ID_BYTES : 0
  }

  #hello(frame: net.Hello, { renamed }: Extract<State, { at: 'hello' }>): Effects<ReconcileOutcome> {
    const peer = readHello(frame)
    if (peer === undefined) return [violation('hello_malformed')]
    if (renamed !== undefined && !equalBytes(peer.storeId, renamed.store.id)) {
      return [violation('hello_for_another_store')]
    }
    const store = renamed?.store ?? this.#options.resolve(peer.storeId, peer.isApart)
    if ('kind' in store) return [store]
    if (!store.allowed()) return [notShared(store)]
    const based = this.#agree(peer, store, renamed)
    return 'store' in based ? this.#compare(peer, based) : based
  }

  /** The store over the base of the session; or what is said where there is none yet. */
  #agree(
    { base: theirs }: ReadHello,
    store: SessionStore,
    renamed: Renamed | undefined,
  ): BasedStore | Effects<ReconcileOutcome> {
    const own = overOwnBase(store)
    const { base: ours } = own
    const { version = RECONCILE_WITH_BASES } = this.#options
    if (version < RECONCILE_WITH_BASES && (ours !== undefined || theirs !== undefined)) {
      return [
        refuse(net.RefusalCode.VERSION_UNSUPPORTED, 'the history of the store was cut: a later version can take it'),
      ]
    }
    const later = theirs === undefined ? undefined : overLaterBase(store, theirs)
    const isOursThere = renamed === undefined ? undefined : false
    const choice = chooseBase({ ours, theirs, isTheirsHere: later !== undefined, isOursThere })
    switch (choice.kind) {
      case 'over':
        return sameBase(ours?.epoch, choice.base) ? own : (later ?? own)
      case 'ask':
        this.#state = { at: 'hello', renamed: { store, theirs } }
        return [send(helloFrame(store.id, store.digest(), { base: ours }))]
      case 'disagree':
        return [{ kind: 'fail', failure: { ...choice, kind: 'bases', base: theirs?.epoch, isTold: false } }]
    }
  }

  #compare(peer: ReadHello, based: BasedStore): Effects<ReconcileOutcome> {
    const { store, base } = based
    // In one turn, so that the digest is that of the map and of the index.
    const digest = store.digest()
    if (sameSet(peer.claim, digest)) {
      this.#state = { at: 'equal', based, digest }
      return [send(helloFrame(store.id, digest, { base })), send(doneFrame(digest))]
    }
    const unasked = this.#options.unaskedOf?.(store.id) ?? createUnasked()
    unasked.begin()
    const compared = { based, digest, closing: createClosing(based), unasked }
    return this.#streamByMaps(peer, compared) ?? this.#compareRanges(peer, compared)
  }

  /** Undefined where maps do not tell the difference. */
  #streamByMaps({ tips, claim }: ReadHello, compared: Compared): Effects<ReconcileOutcome> | undefined {
    const { based, digest, closing, unasked } = compared
    const { store, base, goneCount } = based
    const { witnessCount: peerCount } = claim
    const own = tips === undefined ? undefined : ownTipMap(based, digest.witnessCount)
    if (tips === undefined || own === undefined) return undefined
    const difference = compareTips(store, own, { tips, witnessCount: peerCount, goneCount })
    if (difference === undefined) return undefined
    this.#state = { at: 'transfer', based, closing, peerCount, byMaps: true }
    const begun = closing.beginSpans({ spans: unasked.spans.fresh(difference.spans), needMax: difference.need })
    return [send(helloFrame(store.id, digest, { base, tipMap: own })), ...begun]
  }

  #compareRanges({ message, claim }: ReadHello, compared: Compared): Effects<ReconcileOutcome> {
    const { based, digest, closing } = compared
    const { store, base } = based
    const begun = beginDifference(based, closing, claim.witnessCount)
    this.#state = begun
    const answer = send(helloFrame(store.id, digest, { base }))
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
    const { based, closing, peerCount } = at
    this.#state = { at: 'transfer', based, closing, peerCount, byMaps: false }
    return closing.beginIds(createSendOrder(at.comparison.index, at.wanted), peerCount)
  }

  #transfer(frame: Frame, at: Extract<State, { at: 'transfer' }>): Effects<ReconcileOutcome> {
    const { based, closing, peerCount } = at
    if (frame.case !== 'reconcile' || !at.byMaps || !closing.said()) return closing.receive(frame)
    const begun = beginDifference(based, closing, peerCount)
    this.#state = begun
    return answerWith(begun.comparison.receive(frame.value.message))
  }
}

interface Compared {
  readonly based: BasedStore
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

function beginDifference(based: BasedStore, closing: Closing, peerCount: number): Difference {
  const comparison = createRangeComparison(based.store.rangeIndex(), 'responder')
  return { at: 'difference', based, closing, peerCount, comparison, wanted: [], wanting: false }
}
