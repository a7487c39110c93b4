/**
 * What a system operation would do: the rows it writes and the conditions under
 * which it counts. Judges the bytes alone.
 *
 * Operations come from any admitted peer. Every malformed one has a reason, and
 * a batch is judged whole before a row is touched, so it is all or nothing.
 *
 * @module
 */
import { err, type IdKey, idKey, ok, type Result } from '@lattice/model'
import type { system } from '@lattice/proto'
import { encodeSystemKey } from './keys.ts'
import { planChildOp } from './plan-child-op.ts'
import { planInviteOp } from './plan-invite-op.ts'
import { planPeerOp } from './plan-peer-op.ts'
import { planStoreOp } from './plan-store-op.ts'
import type { MalformedReason, OpOrigin, OpPlan, SystemRow } from './op-plan.ts'

/** One row, with its key as it is stored. */
export interface PlannedWrite extends SystemRow {
  readonly keyBytes: Uint8Array
}

/** What a whole intention would do. */
export interface SystemPlan {
  /** One per key: the last. */
  readonly writes: readonly PlannedWrite[]
  /** The conditions, in the order of the operations. */
  readonly steps: readonly OpPlan[]
}

/** Plans an operation or a batch. Total. */
export function planSystemOp(op: system.SystemOp, origin: OpOrigin): Result<SystemPlan, MalformedReason> {
  const batch = op.op.case === 'batch' ? op.op.value : undefined
  if (batch !== undefined && (batch.ops.length === 0 || op.$unknown !== undefined || batch.$unknown !== undefined))
    return err(batch.ops.length === 0 ? 'batch_empty' : 'op_unknown_field')
  const steps: OpPlan[] = []
  for (const single of batch?.ops ?? [op]) {
    const planned = planSingle(single, origin)
    if (!planned.ok) return planned
    steps.push(planned.value)
  }
  return ok({ writes: lastPerKey(steps.flatMap((step) => step.rows)), steps })
}

function planSingle(op: system.SystemOp, origin: OpOrigin): Result<OpPlan, MalformedReason> {
  // Before the walk for unknown fields, which is then never deeper than one operation.
  if (op.op.case === 'batch') return err('batch_nested')
  if (op.op.case === undefined) return err(op.$unknown === undefined ? 'op_unset' : 'op_unknown_field')
  // A field that this version does not know may change the meaning of those it does.
  if (hasUnknownFields(op)) return err('op_unknown_field')
  switch (op.op.case) {
    case 'peer':
      return planPeerOp(op.op.value, origin)
    case 'invite':
      return planInviteOp(op.op.value, origin)
    case 'child':
      return planChildOp(op.op.value, origin)
    case 'store':
      return planStoreOp(op.op.value, origin)
  }
}

/** One write per key, the last; keys in the order in which they first appear. */
export function lastPerKey(rows: Iterable<SystemRow>): readonly PlannedWrite[] {
  const last = new Map<IdKey, PlannedWrite>()
  for (const { key, value } of rows) {
    const keyBytes = encodeSystemKey(key)
    last.set(idKey(keyBytes), { key, keyBytes, value })
  }
  return [...last.values()]
}

/** True when any message inside holds a field this version does not know. */
function hasUnknownFields(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return false
  if ('$unknown' in value && value.$unknown !== undefined) return true
  return Object.values(value).some(hasUnknownFields)
}
