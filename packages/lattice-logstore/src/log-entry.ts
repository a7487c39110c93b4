/**
 * An entry of the log.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import type { TableRow } from '@lattice/model'
import { log } from '@lattice/proto'
import type { LoggedWrite } from '@lattice/store-base'
import { decodeEntryKey, type EntryKey } from './entry-key.ts'
import { decodePayload } from './payload.ts'

export interface Entry extends EntryKey {
  /** Never empty. */
  readonly content: Uint8Array
}

/** The entry of a row. Its bytes are the row's. */
export function entryOfRow({ key, value }: TableRow): Entry {
  return { ...decodeEntryKey(key), content: value }
}

/** The entries of an applied write, in order; none where it is no append. */
export function entriesOfWrite({ id, author, timestamp, payload }: LoggedWrite): readonly Entry[] {
  const decoded = decodePayload(payload)
  if (!decoded.ok) return []
  return decoded.value.map((content, position) => ({ id, author, timestamp, position, content }))
}

export function entryMessage({ id, author, timestamp, position, content }: Entry): log.LogEntry {
  const { wall, counter } = timestamp
  return create(log.LogEntrySchema, { id, position, author, wall: BigInt(wall), counter, content })
}
