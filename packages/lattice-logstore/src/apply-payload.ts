/**
 * How a payload changes the table: each of its entries becomes a row, and none ever goes.
 *
 * Total: any payload is either applied whole or rejected with a reason before the first row is written.
 *
 * @module
 */
import type { WriteTable } from '@lattice/model'
import type { AppliedOp, OpOutcome } from '@lattice/store-base'
import { encodeEntryKey } from './entry-key.ts'
import type { Entry } from './log-entry.ts'
import { decodePayload } from './payload.ts'

/** An entry is there that was not there before. */
export type LogEvent = Entry

export function applyPayload(table: WriteTable, { id, author, timestamp, payload }: AppliedOp): OpOutcome<LogEvent> {
  const decoded = decodePayload(payload)
  if (!decoded.ok) return { kind: 'rejected', reason: decoded.error }
  const events = decoded.value.map((content, position): LogEvent => ({ id, author, timestamp, position, content }))
  for (const event of events) table.set(encodeEntryKey(event), event.content)
  return { kind: 'applied', events }
}
