/**
 * How a write changes the table: the part of a state machine that decides.
 *
 * An add counts when it cites every reset that stands, and a reset replaces those it cites. Both are facts of the graph
 * of writes, and sums do not care for order; so replicas that hold the same writes hold the same bytes.
 *
 * @module
 */
import { idKey, type WriteTable, utf8Encode } from '@lattice/model'
import type { AppliedOp, OpOutcome } from '@lattice/store-base'
import { decodePayload, RESET_SCHEMA } from './payload.ts'
import { type CounterRow, decodeRow, encodeRow } from './row.ts'

/** A counter reads differently than before. */
export interface CounterChanged {
  readonly name: string
  readonly value: bigint
}

export function applyPayload(table: WriteTable, op: AppliedOp): OpOutcome<CounterChanged> {
  const decoded = decodePayload(op.payload)
  if (!decoded.ok) return { kind: 'rejected', reason: decoded.error }
  const { name, change } = decoded.value
  // What wrote version 1 knew no resets, and what reads version 1 rejects them.
  if (change.kind === 'reset' && op.schema < RESET_SCHEMA) return { kind: 'rejected', reason: 'reset_before_schema_2' }

  const key = utf8Encode(name)
  const before = decodeRow(table.get(key))
  const after = change.kind === 'add' ? afterAdd(before, op, change.by) : afterReset(before, op)
  table.set(key, encodeRow(after))
  return { kind: 'applied', events: after.total === before.total ? [] : [{ name, value: after.total }] }
}

function afterAdd(row: CounterRow, op: AppliedOp, by: bigint): CounterRow {
  const cited = new Set(op.deps.map(idKey))
  const counts = row.resets.every((reset) => cited.has(idKey(reset)))
  return counts ? { ...row, total: BigInt.asIntN(64, row.total + by) } : row
}

function afterReset(row: CounterRow, op: AppliedOp): CounterRow {
  const cited = new Set(op.deps.map(idKey))
  return { total: 0n, resets: [...row.resets.filter((reset) => !cited.has(idKey(reset))), op.id] }
}
