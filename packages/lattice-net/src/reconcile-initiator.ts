/**
 * The side that starts a reconcile session and learns the difference.
 *
 * Its tip map goes with the `Hello`, and where there is none to send, the first message of the difference does: either
 * way the answer tells what to send.
 *
 * @module
 */
import { assert, equalBytes, type IdKey, idKey, type IntentionId, toIntentionId } from '@lattice/model'
import type { ReplicaDigest } from '@lattice/net-types'
import { net } from '@lattice/proto'
import type { ReconcilePart } from '@lattice/sync'
import { chooseBase } from './bases.ts'
import { sameBase } from './claimed-digest.ts'
import { type Closing, createClosing } from './closing.ts'
import type { Frame } from './frame.ts'
import { MAX_DIFFERENCE_IDS } from './limits.ts'
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
import type { OpeningOptions } from './opening.ts'
import { type BasedStore, isStillOver, overLaterBase, overOwnBase } from './session-base.ts'
import type { SessionAnswer, SessionStore } from './session-call.ts'
import {
  baseMoved,
  type Effects,
  type Fail,
  finish,
  NEXT_TURN,
  notShared,
  refusedBy,
  send,
  type SessionMachine,
  unexpected,
  violation,
} from './session.ts'
import { compareTips, ownTipMap, type TipMap } from './tip-map.ts'
import { createUnasked, type Unasked } from './unasked.ts'
import { RECONCILE_WITH_BASES } from './versions.ts'
import { createWantList, type WantList } from './want-list.ts'

/** What ranges are compared with. */
interface Difference {
  readonly comparison: RangeComparison
  readonly have: Map<IdKey, IntentionId>
  readonly need: Map<IdKey, IntentionId>
}

/** A `Hello` is on its way. */
interface Asked {
  readonly at: 'hello'
  readonly digest: ReplicaDigest
  readonly tipMap: TipMap | undefined
  /** Begun with the `Hello`. */
  readonly begun: Difference | undefined
  /** It is over the base that the peer named. */
  readonly isRebased: boolean
}

type State =
  | Asked
  /** Both said the same: the peer's `Done` is due. */
  | { readonly at: 'equal'; readonly digest: ReplicaDigest }
  | (Difference & { readonly at: 'difference'; readonly peerCount: number })
  /** The difference is known: it is looked up what of it to ask for. */
  | { readonly at: 'asking'; readonly wants: WantList; readonly begin: () => Effects<ReconcileOutcome> }
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
    refused: (refused) => [session.refused(refused)],
  }
}

/** How a session over a store opens: in any version, unless it has to name a base. */
export function openingOver(store: Pick<SessionStore, 'base'>): ReconcileOpening {
  const max = RECONCILE_WITH_BASES
  return { versions: { min: store.base() === undefined ? 1 : max, max }, startsAlike: true }
}

export type ReconcileOpening = Required<Pick<OpeningOptions, 'versions' | 'startsAlike'>>

class Initiator {
  readonly #unasked: Unasked
  #based: BasedStore
  #closing: Closing
  #state: State | undefined

  constructor(store: SessionStore, unasked: Unasked) {
    this.#unasked = unasked
    this.#based = overOwnBase(store)
    this.#closing = createClosing(this.#based)
  }
  get #store(): SessionStore {
    return this.#based.store
  }

  start(): Effects<ReconcileOutcome> {
    assert(this.#state === undefined, 'a session starts once')
    // It was to be known before the opening.
    if (!isStillOver(this.#based)) return [baseMoved()]
    this.#unasked.begin()
    return this.#sayHello(false)
  }
  receive(frame: Frame): Effects<ReconcileOutcome> {
    const state = this.#state
    assert(state !== undefined, 'a session starts before it receives')
    if (!this.#store.allowed()) return [notShared(this.#store)]
    if (!isStillOver(this.#based)) return [baseMoved()]
    if (state.at === 'hello' && frame.case === 'hello') return this.#hello(frame.value, state)
    if (state.at === 'equal' && frame.case === 'done') return this.#equal(frame.value, state.digest)
    if (state.at === 'difference' && frame.case === 'reconcile') return this.#difference(frame.value.message, state)
    if (state.at === 'transfer') return this.#closing.receive(frame)
    return [unexpected(frame)]
  }
  answered(answer: SessionAnswer): Effects<ReconcileOutcome> {
    const state = this.#state
    if (state?.at === 'transfer') return this.#closing.answered(answer)
    assert(answer.kind === 'turned', 'other calls are made by the transfer')
    if (!this.#store.allowed()) return [notShared(this.#store)]
    if (!isStillOver(this.#based)) return [baseMoved()]
    if (state?.at === 'asking') return this.#ask(state)
    assert(state?.at === 'difference', 'turns are waited for by what takes several')
    return this.#learn(state.comparison.goOn(), state)
  }

  refused(refused: net.Refused): Fail {
    const { base } = this.#based
    const isBase = refused.code === net.RefusalCode.BASE_UNKNOWN && this.#state?.at === 'hello' && base !== undefined
    if (!isBase) return refusedBy(refused)
    // A side with a base of its own would have named it.
    const choice = chooseBase({ ours: base, theirs: undefined, isTheirsHere: false, isOursThere: false })
    assert(choice.kind === 'disagree', 'nothing is left to work over')
    return { kind: 'fail', failure: { ...choice, kind: 'bases', base: undefined, isTold: true } }
  }

  #sayHello(isRebased: boolean): Effects<ReconcileOutcome> {
    const { store, base } = this.#based
    // In one turn, so that the digest is that of the map and of the index.
    const digest = store.digest()
    const tipMap = ownTipMap(this.#based, digest.witnessCount)
    const begun = tipMap === undefined ? beginDifference(store) : undefined
    this.#state = { at: 'hello', digest, tipMap, begun, isRebased }
    const { isApart } = store
    return [send(helloFrame(store.id, digest, { base, tipMap, message: begun?.comparison.start(), isApart }))]
  }

  #hello(frame: net.Hello, at: Asked): Effects<ReconcileOutcome> {
    const { digest, tipMap, begun } = at
    const peer = readHello(frame)
    if (peer === undefined || peer.message !== undefined) return [violation('hello_malformed')]
    if (!equalBytes(peer.storeId, this.#store.id)) return [violation('hello_for_another_store')]
    if (!sameBase(peer.base?.epoch, this.#based.base?.epoch)) return this.#rebase(peer, at)
    const { tips } = peer
    const { witnessCount } = peer.claim
    if (tips !== undefined && tipMap === undefined) return [violation('tips_not_offered')]
    if (sameSet(peer.claim, digest)) {
      this.#state = { at: 'equal', digest }
      return [send(doneFrame(digest))]
    }
    if (begun !== undefined) {
      this.#state = { at: 'difference', ...begun, peerCount: witnessCount }
      return []
    }
    assert(tipMap !== undefined, 'a Hello brings a tip map or the first message of the difference')
    if (tips === undefined) return this.#compareRanges(witnessCount)
    return this.#compareMaps(tipMap, { tips, witnessCount, goneCount: tipMap.goneCount })
  }

  /** Begins anew over the base that the peer named, where that is here. */
  #rebase({ base: theirs, tips }: ReadHello, { isRebased }: Asked): Effects<ReconcileOutcome> {
    const { store, base: ours } = this.#based
    // Once it was taken, the peer is to go on with it.
    if (isRebased || tips !== undefined) return [violation('hello_another_base')]
    const later = theirs === undefined ? undefined : overLaterBase(store, theirs)
    const isOursThere = ours === undefined ? undefined : false
    const choice = chooseBase({ ours, theirs, isTheirsHere: later !== undefined, isOursThere })
    if (later === undefined || choice.kind !== 'over') {
      assert(choice.kind === 'disagree', 'what the peer has it would have taken')
      return [{ kind: 'fail', failure: { ...choice, kind: 'bases', base: theirs?.epoch, isTold: false } }]
    }
    this.#based = later
    this.#closing = createClosing(later)
    return this.#sayHello(true)
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
    return this.#learn(at.comparison.receive(message), at)
  }

  /** Takes a part of what the peer's message teaches. */
  #learn(part: ReconcilePart | Fail, at: Extract<State, { at: 'difference' }>): Effects<ReconcileOutcome> {
    if ('kind' in part) return [part]
    const { have, need } = at
    for (const id of part.have) have.set(idKey(id), toIntentionId(id))
    for (const id of part.need) need.set(idKey(id), toIntentionId(id))
    if (!part.isWhole) return [NEXT_TURN]
    const full = have.size >= MAX_DIFFERENCE_IDS || need.size >= MAX_DIFFERENCE_IDS
    if (part.reply !== undefined && !full) {
      return [send({ case: 'reconcile', value: { message: part.reply } })]
    }
    const wants = createWantList(this.#store, firstOf(need))
    const begin = (): Effects<ReconcileOutcome> => {
      const order = createSendOrder(at.comparison.index, this.#unasked.ids.fresh(firstOf(have)))
      return this.#closing.beginIds(order, at.peerCount)
    }
    return this.#ask({ at: 'asking', wants, begin })
  }

  /** Asks for what is lacking, as much as a turn takes; once that is done, the transfer begins. */
  #ask(at: Extract<State, { at: 'asking' }>): Effects<ReconcileOutcome> {
    this.#state = at
    const frames = at.wants.next()
    if (!at.wants.isAsked()) return [...frames, NEXT_TURN]
    this.#state = { at: 'transfer' }
    return [...frames, ...at.begin()]
  }

  #equal(frame: net.Done, digest: ReplicaDigest): Effects<ReconcileOutcome> {
    const claim = readClaim(frame)
    if (claim === undefined) return [violation('done_malformed')]
    return [finish(nothingToDo(this.#store.id, digest, { ...claim, base: this.#based.base?.epoch }))]
  }
}

function beginDifference(store: SessionStore): Difference {
  const comparison = createRangeComparison(store.rangeIndex(), 'initiator')
  return { comparison, have: new Map(), need: new Map() }
}

/** The first ids of a difference, as many as one session transfers. */
function firstOf(ids: ReadonlyMap<IdKey, IntentionId>): readonly IntentionId[] {
  return [...ids.values()].slice(0, MAX_DIFFERENCE_IDS)
}
