/**
 * How an addition changes the table: the sum under its name grows. Sums wrap at 64 bits, so that additions commute without
 * a bound: any order of them ends in the same bytes.
 *
 * @module
 */
import { type ReadTable, utf8Encode, type WriteTable } from '@lattice/model'
import type { AppliedOp, OpOutcome } from '@lattice/store-base'
import { decodePayload } from './payload.ts'

/** A counter has another value than before. */
export interface CounterEvent {
  readonly name: string
  readonly value: bigint
}

export function apply(table: WriteTable, op: AppliedOp): OpOutcome<CounterEvent> {
  const decoded = decodePayload(op.payload)
  if (!decoded.ok) return { kind: 'rejected', reason: decoded.error }
  const { name, delta } = decoded.value
  const value = BigInt.asIntN(64, readCounter(table, name) + delta)
  table.set(utf8Encode(name), encodeValue(value))
  return { kind: 'applied', events: delta === 0n ? [] : [{ name, value }] }
}

export function readCounter(read: ReadTable, name: string): bigint {
  const stored = read.get(utf8Encode(name))
  return stored === undefined ? 0n : new DataView(stored.buffer, stored.byteOffset).getBigInt64(0)
}

function encodeValue(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigInt64(0, value)
  return bytes
}
