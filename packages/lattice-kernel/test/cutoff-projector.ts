/**
 * The tracking projector with admissions of the model's kind: an admission is a row, where its author may give one.
 *
 * @module
 */
import { toHex, utf8Encode } from '@lattice/model'
import type { Authority, OpOutcome, ProjectedOp, StoreTables } from '@lattice/store-base'
import { createTrackingProjector, trackingAuthority, type TrackingProjector } from './tracking-projector.ts'

export const cutoffAuthority: Authority = trackingAuthority

export function createCutoffProjector(): TrackingProjector {
  const tracking = createTrackingProjector()

  function apply(tables: StoreTables, op: ProjectedOp): OpOutcome<string> {
    const envelope = op.op?.op
    if (envelope?.case !== 'system' || envelope.value.op.case !== 'peer') return tracking.apply(tables, op)
    tracking.applied.push(toHex(op.id))
    if (op.limit === 'writer') return { kind: 'rejected', reason: 'not_admin' }
    const row = utf8Encode(`peer/${toHex(envelope.value.op.value.peer)}`)
    const before = tables.system.get(row)
    // The greatest id wins, so that the table does not depend on the order.
    if (before === undefined || toHex(before) < toHex(op.id)) tables.system.set(row, op.id)
    return { kind: 'applied', events: ['admit'] }
  }

  return {
    ...tracking,
    get version() {
      return tracking.version
    },
    apply,
  }
}
