/**
 * From ids to places in the log.
 *
 * Ids are random, so each would dirty a page of its own: those since the last checkpoint are in memory, and enter the
 * table sorted and in bulk. The generation that was written last stays in memory as a cache, since most causes are
 * recent. The table holds a prefix; the id itself is the hash of the record it leads to. Memory is bounded by two
 * generations, whatever the length of the log.
 *
 * @module
 */
import {
  compareBytes,
  equalBytes,
  type IdKey,
  idKey,
  idKeyBytes,
  intentionId,
  type IntentionId,
  MAX_KERNEL_CAUSAL_DEPS,
} from '@lattice/model'
import { type Database, LogDamaged } from '@lattice/storage'
import type { IntentionMeta } from './log-entry.ts'
import type { LogIndex } from './log-index.ts'
import { intentionBytesOf, metaOfRecord, recordBytes, type RecordSource } from './log-record.ts'
import type { RecordRow } from './log-schema.ts'

/** Older ids that were asked for and are remembered: what many cite, such as the genesis or the causes of acks. */
const REMEMBERED_MAX: number = 2 * MAX_KERNEL_CAUSAL_DEPS
/** Indexed bytes of an id, as a big-endian number: as many as a JavaScript number holds exactly. */
const PREFIX_BYTES = 6

export interface IdIndex extends LogIndex {
  readonly find: (id: IntentionId) => IntentionMeta | undefined
  /** Seqs of ids from `low` to `high`, both inclusive, at most `limit`. */
  readonly between: (low: Uint8Array, high: Uint8Array, limit: number) => readonly number[]
}

export function createIdIndex(database: Database, source: RecordSource): IdIndex {
  let young = new Map<IdKey, IntentionMeta>()
  let old = new Map<IdKey, IntentionMeta>()
  const stored = createStoredIds(database, source)
  return {
    find: (id) => {
      const key = idKey(id)
      return young.get(key) ?? old.get(key) ?? stored.find(id, key)
    },
    between: (low, high, limit) => {
      const found = new Set(stored.between(low, high, limit))
      for (const [key, { seq }] of young) {
        if (found.size >= limit) break
        if (isWithin(idKeyBytes(key), low, high)) found.add(seq)
      }
      return [...found]
    },
    advance: ({ parsed, meta }) => {
      young.set(idKey(parsed.id), meta)
    },
    retreat: ({ parsed }) => void young.delete(idKey(parsed.id)),
    checkpoint: () => {
      stored.insert(young)
      old = young
      young = new Map()
    },
    load: () => {
      young = new Map()
      old = new Map()
      stored.forget()
    },
  }
}

interface StoredIds extends Pick<IdIndex, 'between'> {
  readonly find: (id: IntentionId, key: IdKey) => IntentionMeta | undefined
  readonly insert: (ids: ReadonlyMap<IdKey, IntentionMeta>) => void
  readonly forget: () => void
}

/** The ids up to the last checkpoint. */
function createStoredIds(database: Database, source: RecordSource): StoredIds {
  const remembered = new Map<IdKey, IntentionMeta>()
  const insert = database.prepare('INSERT OR IGNORE INTO ids VALUES (?, ?)')
  const probe = database.prepare<{ readonly seq: number }>('SELECT seq FROM ids WHERE prefix = ? LIMIT 1')
  const sharing = database.prepare<{ readonly seq: number }>('SELECT seq FROM ids WHERE prefix = ? AND seq > ?')
  const recordAt = database.prepare<RecordRow>('SELECT seq, record FROM intentions WHERE seq = ?')
  const range = database.prepare<RecordRow>(
    'SELECT i.seq, i.record FROM ids JOIN intentions i ON i.seq = ids.seq WHERE prefix >= ? AND prefix <= ? LIMIT ?',
  )

  /** The record at a seq, if it has that id. */
  function readOwn(seq: number, id: IntentionId, prefix: number): IntentionMeta | undefined {
    const row = recordAt.get(seq)
    if (row === undefined) {
      throw new LogDamaged(source.path, { record: `witness ${seq}`, problem: 'it is missing' })
    }
    const { record, bytes, id: own } = readRow(source, row, (found) => found === prefix)
    return equalBytes(own, id) ? metaOfRecord(seq, record, bytes) : undefined
  }

  /** The first bytes of ids are hardly ever the same. */
  function readOther(after: number, id: IntentionId, prefix: number): IntentionMeta | undefined {
    for (const { seq } of sharing.all(prefix, after)) {
      const found = readOwn(seq, id, prefix)
      if (found !== undefined) return found
    }
    return undefined
  }

  return {
    find: (id, key) => {
      const known = remembered.get(key)
      const prefix = prefixOf(id)
      const first = known === undefined ? probe.get(prefix) : undefined
      // Most that is asked for and not in memory is not there at all.
      if (first === undefined) return known
      const found = readOwn(first.seq, id, prefix) ?? readOther(first.seq, id, prefix)
      if (found === undefined) return undefined
      if (remembered.size >= REMEMBERED_MAX) remembered.clear()
      remembered.set(key, found)
      return found
    },
    between: (low, high, limit) => {
      const [first, last] = [prefixOf(low), prefixOf(high)]
      const rows = range.all(first, last, limit)
      const isExpected = (prefix: number): boolean => prefix >= first && prefix <= last
      return rows.filter((row) => isWithin(readRow(source, row, isExpected).id, low, high)).map(({ seq }) => seq)
    },
    insert: (ids) => {
      const rows = [...ids].map(([key, { seq }]) => ({ prefix: prefixOf(idKeyBytes(key)), seq }))
      rows.sort((a, b) => a.prefix - b.prefix || a.seq - b.seq)
      for (const { prefix, seq } of rows) insert.run(prefix, seq)
    },
    forget: () => remembered.clear(),
  }
}

interface ReadRow {
  readonly record: Uint8Array
  /** The intention's. */
  readonly bytes: Uint8Array
  readonly id: IntentionId
}

/** What the index leads to: a record whose id begins as expected. Throws `LogDamaged` for any other. */
function readRow(source: RecordSource, row: RecordRow, isExpected: (prefix: number) => boolean): ReadRow {
  const record = recordBytes(source, row.seq, row.record)
  const bytes = intentionBytesOf(record)
  const id = bytes && intentionId(source.crypto, bytes)
  if (bytes === undefined || id === undefined || !isExpected(prefixOf(id))) {
    throw new LogDamaged(source.path, { record: `witness ${row.seq}`, problem: 'its intention does not have its id' })
  }
  return { record, bytes, id }
}

function isWithin(id: Uint8Array, low: Uint8Array, high: Uint8Array): boolean {
  return compareBytes(low, id) <= 0 && compareBytes(id, high) <= 0
}

/** The first bytes of an id as a number. */
export function prefixOf(id: Uint8Array): number {
  let prefix = 0
  for (let index = 0; index < PREFIX_BYTES; index += 1) prefix = prefix * 256 + (id[index] ?? 0)
  return prefix
}
