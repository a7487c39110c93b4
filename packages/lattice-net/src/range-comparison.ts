/**
 * Negentropy within the budget of a session.
 *
 * A message costs by the ranges in it, each some descents of the index, all in one turn of the event loop. So messages are
 * far shorter here than frames, and their number and bytes in one session are bounded: what a peer can have computed for
 * it follows from that, whatever it says.
 *
 * @module
 */
import { createReconciler, type RangeIndex, type Reconciler, type ReconcileStep, type Role } from '@lattice/sync'
import { MAX_RECONCILE_BYTES, MAX_RECONCILE_ROUNDS, RECONCILE_MESSAGE_BYTES } from './limits.ts'
import { type Fail, violation } from './session.ts'

export interface RangeComparison {
  readonly index: RangeIndex
  /** The first message. Initiator only, once. */
  readonly start: Reconciler['start']
  /** The peer's next message: what it teaches, or how it ends the session. */
  readonly receive: (message: Uint8Array) => ReconcileStep | Fail
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
  return {
    index,
    start: reconciler.start,
    receive: (message) => {
      bytes += message.length
      if (message.length > RECONCILE_MESSAGE_BYTES) return violation('reconcile_message_too_large')
      if (bytes > MAX_RECONCILE_BYTES) return violation('reconcile_more_than_a_session_takes')
      const step = reconciler.receive(message)
      return step.ok ? step.value : violation(`reconcile_${step.error.code}`)
    },
  }
}
