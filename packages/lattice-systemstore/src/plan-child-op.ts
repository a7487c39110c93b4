/**
 * Plans of operations on child stores.
 *
 * @module
 */
import { err, ok, parseStoreType, readStoreId, type Result, type StoreId } from '@lattice/model'
import type { system } from '@lattice/proto'
import { checkText } from './check-text.ts'
import type { ChildField } from './keys.ts'
import { MAX_NAME_BYTES } from './limits.ts'
import type { Condition, MalformedReason, OpOrigin, OpPlan, SystemRow } from './op-plan.ts'
import { childStatusOf, encodeChildStatus, encodeText, MARK } from './values.ts'

const ALIAS = { maxBytes: MAX_NAME_BYTES, segment: true }

export function planChildOp(op: system.ChildOp, { author }: OpOrigin): Result<OpPlan, MalformedReason> {
  const child = readStoreId(op.child)
  if (child === undefined) return err('child_malformed')
  switch (op.op.case) {
    case 'add':
      return planAdd(child, op.op.value)
    case 'setStatus': {
      const word = childStatusOf(op.op.value)
      if (word === undefined) return err('status_invalid')
      return ok({
        rows: [row(child, 'status', encodeChildStatus(word))],
        privileged: true,
        needs: [added(child)],
        // A second destruction, too: the first one stands for ever, so that all agree what was after it.
        bars: [destroyed(child, 'child_destroyed')],
        ...(word === 'destroyed' && { makes: [{ kind: 'child_destroyed', child }] }),
      })
    }
    case 'setAlias': {
      const problem = checkText(op.op.value, ALIAS)
      if (problem !== undefined) return err(problem)
      return ok({ rows: [row(child, 'alias', encodeText(op.op.value))], privileged: true, needs: [added(child)] })
    }
    case 'destroyAck':
      // Each peer speaks for itself, and only of what has happened.
      return ok({
        rows: [{ key: { kind: 'destroy_ack', child, peer: author }, value: MARK }],
        privileged: false,
        needs: [added(child), destroyed(child, 'child_not_destroyed')],
      })
    case undefined:
      return err('op_unset')
  }
}

function planAdd(child: StoreId, { alias, storeType, independent }: system.ChildAdd): Result<OpPlan, MalformedReason> {
  const problem = checkText(alias, ALIAS)
  if (problem !== undefined) return err(problem)
  const type = parseStoreType(storeType)
  if (!type.ok) return err('store_type_malformed')
  return ok({
    rows: [
      row(child, 'alias', encodeText(alias)),
      row(child, 'type', encodeText(type.value)),
      row(child, 'status', encodeChildStatus('active')),
      ...(independent ? [row(child, 'independent', MARK)] : []),
    ],
    privileged: true,
    bars: [{ fact: { kind: 'child_added', child }, reason: 'child_exists' }],
    makes: [{ kind: 'child_added', child }],
  })
}

function added(child: StoreId): Condition {
  return { fact: { kind: 'child_added', child }, reason: 'child_unknown' }
}

function destroyed(child: StoreId, reason: Condition['reason']): Condition {
  return { fact: { kind: 'child_destroyed', child }, reason }
}

function row(child: StoreId, field: ChildField, value: Uint8Array): SystemRow {
  return { key: { kind: 'child', child, field }, value }
}
