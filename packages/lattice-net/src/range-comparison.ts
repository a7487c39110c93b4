/**
 * Negentropy within the budget of a session and of a turn of the event loop.
 *
 * A message costs by the ranges in it, each some questions to the index. So messages are far shorter here than frames, and
 * their number and bytes in one session are bounded: what a peer can have computed for it follows from that, whatever it
 * says. An answer is made in parts of bounded work; its machine waits for another turn in between.
 *
 * @module
 */
import { assert } from '@lattice/model'
import {
  createReconciler,
  type RangeIndex,
  type ReconcileAnswer,
  type ReconcilePart,
  type Reconciler,
  type Role,
} from '@lattice/sync'
import {
  MAX_RECONCILE_BYTES,
  MAX_RECONCILE_FOUND,
  MAX_RECONCILE_ROUNDS,
  RECONCILE_MESSAGE_BYTES,
  RECONCILE_TURN_WORK,
} from './limits.ts'
import { type Fail, violation } from './session.ts'

export interface RangeComparison {
  readonly index: RangeIndex
  /** The first message. Initiator only, once. */
  readonly start: Reconciler['start']
  /** The peer's next message: what the first part of its answer teaches, or how it ends the session. */
  readonly receive: (message: Uint8Array) => ReconcilePart | Fail
  /** The next part, in another turn; only while {@link isAnswering}. */
  readonly goOn: () => ReconcilePart | Fail
  /** An answer is not whole yet. Nothing is due from the peer before it is. */
  readonly isAnswering: () => boolean
}

/** Starts one side of a comparison over `index`. */
export function createRangeComparison(index: RangeIndex, role: Role): RangeComparison {
  const reconciler = createReconciler({
    index,
    role,
    frameBytesMax: RECONCILE_MESSAGE_BYTES,
    roundsMax: MAX_RECONCILE_ROUNDS,
    split: 'recent',
  })
  let bytes = 0
  let found = 0
  let answer: ReconcileAnswer | undefined

  function advance(making: ReconcileAnswer): ReconcilePart | Fail {
    answer = undefined
    const part = making.advance(RECONCILE_TURN_WORK)
    if (!part.ok) return violation(`reconcile_${part.error.code}`)
    found += part.value.have.length
    if (found > MAX_RECONCILE_FOUND) return violation('reconcile_more_than_a_session_takes')
    if (!part.value.isWhole) answer = making
    return part.value
  }

  return {
    index,
    start: reconciler.start,
    receive: (message) => {
      if (answer !== undefined) return violation('reconcile_before_the_answer')
      bytes += message.length
      if (message.length > RECONCILE_MESSAGE_BYTES) return violation('reconcile_message_too_large')
      if (bytes > MAX_RECONCILE_BYTES) return violation('reconcile_more_than_a_session_takes')
      return advance(reconciler.begin(message))
    },
    goOn: () => {
      assert(answer !== undefined, 'an answer is in the making')
      return advance(answer)
    },
    isAnswering: () => answer !== undefined,
  }
}
