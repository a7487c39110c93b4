/**
 * The rows of what floats, kept in step with the pool by commits of the log.
 *
 * @module
 */
import { decodeIntention, decodeUniversalOp, type ParsedIntention, toIntentionId } from '@lattice/model'
import { type Database, LogDamaged, toPlainBytes } from '@lattice/storage'
import type { FloatingEntry } from './floating-entry.ts'
import type { FloatingRow } from './log-schema.ts'

export interface FloatingTable {
  readonly added: (entry: FloatingEntry) => void
  readonly removed: (entry: FloatingEntry) => void
  /** True when `flush` has something to write. */
  readonly isChanged: () => boolean
  /** Inside a transaction: writes what changed. */
  readonly flush: () => void
  /** Forgets what changed and reads every row, by arrival. */
  readonly load: () => readonly { readonly parsed: ParsedIntention; readonly arrival: number }[]
}

export function createFloatingTable(database: Database): FloatingTable {
  let unstored = new Set<FloatingEntry>()
  let dropped: number[] = []
  const insert = database.prepare('INSERT INTO floating VALUES (?, ?, ?, ?)')
  const erase = database.prepare('DELETE FROM floating WHERE arrival = ?')
  const all = database.prepare<FloatingRow>('SELECT * FROM floating ORDER BY arrival')

  return {
    added: (entry) => {
      unstored.add(entry)
    },
    removed: (entry) => {
      unstored.delete(entry)
      if (entry.stored) dropped.push(entry.arrival)
    },
    isChanged: () => unstored.size > 0 || dropped.length > 0,
    flush: () => {
      for (const arrival of dropped) erase.run(arrival)
      for (const entry of unstored) {
        const { id, bytes, signature } = entry.parsed
        insert.run(entry.arrival, id, bytes, signature.length > 0 ? signature : null)
        entry.stored = true
      }
      dropped = []
      unstored = new Set()
    },
    load: () => {
      unstored = new Set()
      dropped = []
      return all.all().map((row) => ({ parsed: parsedOfRow(database.path, row), arrival: row.arrival }))
    },
  }
}

function parsedOfRow(path: string, row: FloatingRow): ParsedIntention {
  const bytes = toPlainBytes(row.bytes)
  const decoded = decodeIntention(bytes)
  if (!decoded.ok) throw new LogDamaged(path, { record: `floating ${row.arrival}`, problem: decoded.error.code })
  return {
    id: toIntentionId(toPlainBytes(row.id)),
    intention: decoded.value,
    op: decodeUniversalOp(decoded.value.ops),
    bytes,
    signature: row.signature === null ? new Uint8Array(0) : toPlainBytes(row.signature),
  }
}
