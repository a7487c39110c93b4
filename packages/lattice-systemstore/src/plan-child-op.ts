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
import type { MalformedReason, OpOrigin, OpPlan, SystemRow } from './op-plan.ts'
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
      return ok({ rows: [row(child, 'status', encodeChildStatus(word))], privileged: true, revives: child })
    }
    case 'setAlias': {
      const problem = checkText(op.op.value, ALIAS)
      if (problem !== undefined) return err(problem)
      return ok({ rows: [row(child, 'alias', encodeText(op.op.value))], privileged: true })
    }
    case 'destroyAck':
      // Each peer speaks for itself.
      return ok({ rows: [{ key: { kind: 'destroy_ack', child, peer: author }, value: MARK }], privileged: false })
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
    revives: child,
  })
}

function row(child: StoreId, field: ChildField, value: Uint8Array): SystemRow {
  return { key: { kind: 'child', child, field }, value }
}
