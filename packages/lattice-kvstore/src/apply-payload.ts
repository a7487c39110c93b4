/**
 * How a payload changes the table, and what its readers see of it.
 *
 * Total: any payload is either applied whole or rejected with a reason before
 * the first row is written.
 *
 * @module
 */
import { applyPurge, applyWrite, type KvChange } from '@lattice/kvtable'
import type { WriteTable } from '@lattice/model'
import type { AppliedOp, OpOutcome } from '@lattice/store-base'
import { decodePayload } from './payload.ts'
import { decodePurges, isPurgePayload } from './purge.ts'

/** A key reads differently than before. */
export type KvEvent =
  | { readonly kind: 'put'; readonly key: Uint8Array; readonly value: Uint8Array; readonly conflicted: boolean }
  | { readonly kind: 'deleted'; readonly key: Uint8Array }

export function applyPayload(table: WriteTable, op: AppliedOp): OpOutcome<KvEvent> {
  if (isPurgePayload(op.payload)) return applyPurges(table, op)
  const decoded = decodePayload(op.payload)
  if (!decoded.ok) return { kind: 'rejected', reason: decoded.error }
  const { id, timestamp, author, deps, follows, covers } = op
  const events: KvEvent[] = []
  for (const { key, state } of decoded.value) {
    const change = applyWrite(table, { id, timestamp, author, deps, follows, covers, key, state })
    if (change.changed) events.push(eventOf(change))
  }
  return { kind: 'applied', events }
}

function applyPurges(table: WriteTable, { covers, schema, payload }: AppliedOp): OpOutcome<KvEvent> {
  const decoded = decodePurges(payload, schema)
  if (!decoded.ok) return { kind: 'rejected', reason: decoded.error }
  const purged = decoded.value.flatMap((purge) => applyPurge(table, { ...purge, covers }) ?? [])
  return { kind: 'applied', events: purged.map(eventOf) }
}

function eventOf({ key, after }: Pick<KvChange, 'key' | 'after'>): KvEvent {
  return after.value === undefined
    ? { kind: 'deleted', key }
    : { kind: 'put', key, value: after.value, conflicted: after.conflicted }
}
