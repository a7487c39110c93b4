/**
 * From ids to places in the log.
 *
 * New ids gather in memory and enter the table in bulk, sorted, so that a random id does not dirty a page of its own. The
 * generation that was written last stays in memory as a cache: most causes are recent. Memory is bounded by two
 * generations, whatever the length of the log.
 *
 * @module
 */
import { compareBytes, equalBytes, type IdKey, idKey, idKeyBytes, type IntentionId } from '@lattice/model'
import { type Database, toPlainBytes } from '@lattice/storage'
import { type IntentionMeta, META_COLUMNS, metaOfRow, type MetaColumns } from './log-entry.ts'
import { ID_PREFIX_BYTES } from './log-schema.ts'

/** Older ids that were asked for and are remembered: what many cite, such as the genesis. */
const REMEMBERED_MAX = 1024
/** Ids that gather before they are indexed: a bulk insert of some milliseconds, read again at open in as many. */
export const UNINDEXED_IDS_MAX = 1024

export interface IdIndex {
  readonly find: (id: IntentionId) => IntentionMeta | undefined
  readonly add: (id: IntentionId, meta: IntentionMeta) => void
  /** Takes back what was added and not flushed. */
  readonly remove: (id: IntentionId) => void
  /** Seqs of ids from `low` to `high`, both inclusive, at most `limit`. */
  readonly between: (low: Uint8Array, high: Uint8Array, limit: number) => readonly number[]
  /** Inside a transaction: writes what gathered once it is enough. Answers up to which seq all are indexed. */
  readonly flush: () => number
  /** Forgets what is in memory and reads the tail after `indexedSeq` again. */
  readonly load: (indexedSeq: number) => void
}

export function createIdIndex(database: Database): IdIndex {
  let young = new Map<IdKey, IntentionMeta>()
  let old = new Map<IdKey, IntentionMeta>()
  const remembered = new Map<IdKey, IntentionMeta>()
  let indexedSeq = 0
  const insert = database.prepare('INSERT OR IGNORE INTO ids VALUES (?, ?)')
  const probe = database.prepare<{ readonly seq: number }>('SELECT seq FROM ids WHERE prefix = ? LIMIT 1')
  const lookup = database.prepare<MetaColumns>(
    `SELECT ${META_COLUMNS.replace('seq', 'i.seq')} FROM ids JOIN intentions i ON i.seq = ids.seq WHERE ids.prefix = ?`,
  )
  const tail = database.prepare<MetaColumns>(`SELECT ${META_COLUMNS} FROM intentions WHERE seq > ? ORDER BY seq`)
  const range = database.prepare<{ readonly seq: number; readonly id: Buffer }>(
    'SELECT i.seq, i.id FROM ids JOIN intentions i ON i.seq = ids.seq WHERE ids.prefix >= ? AND ids.prefix <= ? LIMIT ?',
  )

  function flush(): number {
    if (young.size < UNINDEXED_IDS_MAX) return indexedSeq
    const ids = [...young].map(([key, { seq }]) => [idKeyBytes(key), seq] as const)
    ids.sort(([a], [b]) => compareBytes(a, b))
    let last = indexedSeq
    for (const [id, seq] of ids) {
      insert.run(id.subarray(0, ID_PREFIX_BYTES), seq)
      last = Math.max(last, seq)
    }
    old = young
    young = new Map()
    indexedSeq = last
    return last
  }

  function findIndexed(id: IntentionId, key: IdKey): IntentionMeta | undefined {
    const prefix = id.subarray(0, ID_PREFIX_BYTES)
    // Most that is asked for and not in memory is not there at all.
    if (indexedSeq === 0 || probe.get(prefix) === undefined) return undefined
    const row = lookup.all(prefix).find((candidate) => equalBytes(candidate.id, id))
    if (row === undefined) return undefined
    if (remembered.size >= REMEMBERED_MAX) remembered.clear()
    const meta = metaOfRow(row)
    remembered.set(key, meta)
    return meta
  }

  return {
    find: (id) => {
      const key = idKey(id)
      return young.get(key) ?? old.get(key) ?? remembered.get(key) ?? findIndexed(id, key)
    },
    add: (id, meta) => {
      young.set(idKey(id), meta)
    },
    remove: (id) => void young.delete(idKey(id)),
    between: (low, high, limit) => {
      const found = new Set<number>()
      const isWithin = (id: Uint8Array): boolean => compareBytes(low, id) <= 0 && compareBytes(id, high) <= 0
      for (const { seq, id } of range.all(low.subarray(0, ID_PREFIX_BYTES), high.subarray(0, ID_PREFIX_BYTES), limit)) {
        if (isWithin(id)) found.add(seq)
      }
      for (const [key, { seq }] of young) {
        if (found.size >= limit) break
        if (isWithin(idKeyBytes(key))) found.add(seq)
      }
      return [...found]
    },
    flush,
    load: (from) => {
      indexedSeq = from
      young = new Map()
      old = new Map()
      remembered.clear()
      for (const row of tail.all(from)) young.set(idKey(toPlainBytes(row.id)), metaOfRow(row))
    },
  }
}
