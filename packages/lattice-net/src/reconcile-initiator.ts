/**
 * The side that starts a reconcile session and learns the difference.
 *
 * @module
 */
import { assert, equalBytes, type IdKey, idKey, idKeyBytes, type IntentionId, toIntentionId } from '@lattice/model'
import type { ReplicaDigest } from '@lattice/net-types'
import type { net } from '@lattice/proto'
import { createReconciler, MAX_MESSAGE_BYTES, type RangeIndex, type Reconciler, roundLimit } from '@lattice/sync'
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
import type { SessionStore } from './session-call.ts'
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
import { createUnaskedIds, type UnaskedIds } from './unasked-ids.ts'

type State =
  | { readonly at: 'hello'; readonly index: RangeIndex; readonly digest: ReplicaDigest }
  /** Both said the same: the peer's `Done` is due. */
  | { readonly at: 'equal'; readonly digest: ReplicaDigest }
  | {
      readonly at: 'difference'
      readonly index: RangeIndex
      readonly reconciler: Reconciler
      readonly peerCount: number
    }
  | { readonly at: 'transfer'; readonly closing: Closing }

/** Starts a session over `store`. `unasked` knows what earlier sessions of the connection sent. */
export function createReconcileInitiator(
  store: SessionStore,
  unasked: UnaskedIds = createUnaskedIds(),
): SessionMachine<ReconcileOutcome> {
  const have = new Set<IdKey>()
  const need = new Set<IdKey>()
  let state: State | undefined

  function hello(frame: net.Hello, at: Extract<State, { at: 'hello' }>): Effects<ReconcileOutcome> {
    const { index, digest } = at
    const peer = readHello(frame)
    if (peer === undefined) return [violation('hello_malformed')]
    if (!equalBytes(peer.storeId, store.id)) return [violation('hello_for_another_store')]
    if (sameSet(peer, digest)) {
      state = { at: 'equal', digest }
      return [send(doneFrame(digest))]
    }
    const roundsMax = roundLimit({
      localCount: index.size(),
      remoteCount: peer.witnessCount,
      frameBytesMax: MAX_MESSAGE_BYTES,
    })
    const reconciler = createReconciler({ index, role: 'initiator', roundsMax, split: 'recent' })
    state = { at: 'difference', index, reconciler, peerCount: peer.witnessCount }
    return [send({ case: 'reconcile', value: { message: reconciler.start() } })]
  }

  function difference(message: Uint8Array, at: Extract<State, { at: 'difference' }>): Effects<ReconcileOutcome> {
    const step = at.reconciler.receive(message)
    if (!step.ok) return [violation(`reconcile_${step.error.code}`)]
    for (const id of step.value.have) have.add(idKey(id))
    for (const id of step.value.need) need.add(idKey(id))
    const full = have.size >= MAX_DIFFERENCE_IDS || need.size >= MAX_DIFFERENCE_IDS
    if (step.value.reply !== undefined && !full) {
      return [send({ case: 'reconcile', value: { message: step.value.reply } })]
    }
    const closing = createClosing(store, at.peerCount)
    state = { at: 'transfer', closing }
    const wanted = store.wanted(idsOf(need))
    const order = createSendOrder(at.index, unasked.fresh(idsOf(have)))
    return [...wants(wanted), ...closing.begin(order)]
  }

  function equal(frame: net.Done, digest: ReplicaDigest): Effects<ReconcileOutcome> {
    const claim = readClaim(frame)
    if (claim === undefined) return [violation('done_malformed')]
    return [finish(nothingToDo(store.id, digest, claim))]
  }

  return {
    start: () => {
      assert(state === undefined, 'a session starts once')
      // In one turn, so that the digest is that of the index.
      const digest = store.digest()
      state = { at: 'hello', index: store.rangeIndex(), digest }
      return [send(helloFrame(store.id, digest))]
    },
    receive: (frame) => {
      assert(state !== undefined, 'a session starts before it receives')
      if (!store.allowed()) return [noSuchStore()]
      if (state.at === 'hello' && frame.case === 'hello') return hello(frame.value, state)
      if (state.at === 'equal' && frame.case === 'done') return equal(frame.value, state.digest)
      if (state.at === 'difference' && frame.case === 'reconcile') return difference(frame.value.message, state)
      if (state.at === 'transfer') return state.closing.receive(frame)
      return [unexpected(frame)]
    },
    answered: (answer) => {
      assert(state?.at === 'transfer', 'calls are made by the transfer')
      return state.closing.answered(answer)
    },
  }
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
