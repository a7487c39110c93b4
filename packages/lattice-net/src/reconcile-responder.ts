/**
 * The side that answers a reconcile session.
 *
 * @module
 */
import { assert, type IntentionId, readIntentionId, type StoreId } from '@lattice/model'
import type { net } from '@lattice/proto'
import { createReconciler, MAX_MESSAGE_BYTES, type RangeIndex, type Reconciler, roundLimit } from '@lattice/sync'
import type { Frame } from './frame.ts'
import { MAX_DIFFERENCE_IDS, WANT_IDS_MAX } from './limits.ts'
import {
  type Closing,
  createClosing,
  doneFrame,
  helloFrame,
  nothingToDo,
  readClaim,
  readHello,
  type ReconcileOutcome,
  sameSet,
} from './reconcile.ts'
import { createSendOrder } from './send-order.ts'
import type { ClaimedDigest, SessionStore } from './session-call.ts'
import {
  type Effects,
  type Fail,
  finish,
  noSuchStore,
  send,
  type SessionMachine,
  unexpected,
  violation,
} from './session.ts'

export interface ReconcileResponderOptions {
  /** The store as the peer may use it; a failure (no such store, busy) is passed on. Asked once, with the `Hello`. */
  readonly resolve: (storeId: StoreId) => SessionStore | Fail
}

type State =
  | { readonly at: 'hello' }
  | { readonly at: 'equal'; readonly store: SessionStore; readonly digest: ClaimedDigest }
  | {
      readonly at: 'difference'
      readonly store: SessionStore
      readonly index: RangeIndex
      readonly reconciler: Reconciler
      readonly closing: Closing
      readonly wanted: IntentionId[]
      /** A `Want` has come: no more of the difference may. */
      readonly wanting: boolean
    }
  | { readonly at: 'transfer'; readonly store: SessionStore; readonly closing: Closing }

/** Waits for a `Hello`. */
export function createReconcileResponder({ resolve }: ReconcileResponderOptions): SessionMachine<ReconcileOutcome> {
  let state: State = { at: 'hello' }

  function hello(frame: net.Hello): Effects<ReconcileOutcome> {
    const peer = readHello(frame)
    if (peer === undefined) return [violation('hello_malformed')]
    const store = resolve(peer.storeId)
    if ('kind' in store) return [store]
    // In one turn, so that the digest is that of the index.
    const digest = store.digest()
    const index = store.rangeIndex()
    const answer = send(helloFrame(store.id, digest))
    if (sameSet(peer, digest)) {
      state = { at: 'equal', store, digest }
      return [answer, send(doneFrame(digest))]
    }
    const roundsMax = roundLimit({
      localCount: index.size(),
      remoteCount: peer.witnessCount,
      frameBytesMax: MAX_MESSAGE_BYTES,
    })
    const reconciler = createReconciler({ index, role: 'responder', roundsMax })
    const closing = createClosing(store, peer.witnessCount)
    state = { at: 'difference', store, index, reconciler, closing, wanted: [], wanting: false }
    return [answer]
  }

  function difference(frame: Frame, at: Extract<State, { at: 'difference' }>): Effects<ReconcileOutcome> {
    if (frame.case === 'reconcile' && !at.wanting) {
      const step = at.reconciler.receive(frame.value.message)
      if (!step.ok) return [violation(`reconcile_${step.error.code}`)]
      const { reply } = step.value
      assert(reply !== undefined, 'a responder always answers')
      return [send({ case: 'reconcile', value: { message: reply } })]
    }
    return frame.case === 'want' ? want(frame.value, at) : [unexpected(frame)]
  }

  function want({ ids }: net.Want, at: Extract<State, { at: 'difference' }>): Effects<ReconcileOutcome> {
    if (ids.length > WANT_IDS_MAX || at.wanted.length + ids.length > MAX_DIFFERENCE_IDS) {
      return [violation('want_too_many')]
    }
    for (const bytes of ids) {
      const id = readIntentionId(bytes)
      if (id === undefined) return [violation('want_malformed')]
      at.wanted.push(id)
    }
    if (ids.length > 0) {
      state = { ...at, wanting: true }
      return []
    }
    const { store, closing } = at
    state = { at: 'transfer', store, closing }
    return closing.begin(createSendOrder(at.index, at.wanted))
  }

  return {
    start: () => [],
    receive: (frame) => {
      if (state.at === 'hello') return frame.case === 'hello' ? hello(frame.value) : [unexpected(frame)]
      if (!state.store.allowed()) return [noSuchStore()]
      if (state.at === 'difference') return difference(frame, state)
      if (state.at === 'transfer') return state.closing.receive(frame)
      if (frame.case !== 'done') return [unexpected(frame)]
      const claim = readClaim(frame.value)
      if (claim === undefined) return [violation('done_malformed')]
      return [finish(nothingToDo(state.store.id, state.digest, claim))]
    },
    answered: (answer) => {
      assert(state.at === 'transfer', 'calls are made by the transfer')
      return state.closing.answered(answer)
    },
  }
}
