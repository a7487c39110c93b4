/**
 * The floor of writing: better-sqlite3 with the rows of an intention, and nothing that makes them.
 *
 * Two files, as a store has: the log commits with an fsync, the state without. Bodies are appended, the prefixes of ids
 * gather and go in sorted, one row of meta per commit: the least that a durable, indexed, projected log can write.
 *
 * @module
 */
import { join } from 'node:path'
import { encodeHeads } from '@lattice/kvtable'
import { compareBytes, isSigned, type ParsedIntention } from '@lattice/model'
import Sqlite from 'better-sqlite3'
import { keyOf, valueOf } from './entries.ts'

/** What is written for one intention. */
export interface BareRow {
  readonly id: Uint8Array
  readonly bytes: Uint8Array
  readonly signature: Uint8Array | null
  readonly wall: number
  readonly key: Uint8Array
  /** The projected value. */
  readonly value: Uint8Array
}

export interface BareStore {
  /** One commit of both files. The last record of a group carries a witness signature. */
  readonly append: (group: readonly BareRow[]) => void
  readonly close: () => void
}

const IDS_GATHERED = 2048
const PREFIX_BYTES = 8
const SIGNATURE = new Uint8Array(64).fill(0xa5)
/** The size of a row with the store's id, head, fingerprint and clock. */
const META = new Uint8Array(180).fill(0x5a)

/** The rows of intentions of a {@link createHistory} with one author, `first` being the entry of the first. */
export function bareRowsOf(intentions: readonly ParsedIntention[], first: number): readonly BareRow[] {
  return intentions.map((parsed, index) => {
    const { author, timestamp } = parsed.intention
    const state = { kind: 'value', value: valueOf(first + index) } as const
    return {
      id: parsed.id,
      bytes: parsed.bytes,
      signature: isSigned(parsed) ? parsed.signature : null,
      wall: timestamp.wall,
      key: keyOf(first + index),
      value: encodeHeads([{ id: parsed.id, timestamp, author, state }]),
    }
  })
}

/** Opens SQLite as a store's files are opened. */
export function openBare(path: string, durability: 'FULL' | 'NORMAL'): Sqlite.Database {
  const database = new Sqlite(path)
  database.pragma('locking_mode = EXCLUSIVE')
  database.pragma('journal_mode = WAL')
  database.pragma(`synchronous = ${durability}`)
  database.pragma('cache_size = -8192')
  return database
}

export function createBareStore(directory: string, durability: 'FULL' | 'NORMAL' = 'FULL'): BareStore {
  const log = openBare(join(directory, 'bare-log.db'), durability)
  const state = openBare(join(directory, 'bare-state.db'), 'NORMAL')
  log.exec(LOG_SCHEMA)
  state.exec(STATE_SCHEMA)
  const insert = log.prepare('INSERT INTO intentions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
  const index = log.prepare('INSERT INTO ids VALUES (?, ?)')
  const meta = log.prepare('INSERT OR REPLACE INTO meta VALUES (1, ?, ?)')
  const set = state.prepare('INSERT INTO app VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value')
  const cursor = state.prepare('INSERT OR REPLACE INTO cursor VALUES (1, ?, ?)')
  let seq = 0
  let gathered: (readonly [Uint8Array, number])[] = []

  const appendLog = log.transaction((group: readonly BareRow[]) => {
    for (const row of group) {
      seq += 1
      const witness = row === group.at(-1) ? SIGNATURE : null
      insert.run(seq, row.id, row.bytes, row.signature, 1, seq, seq, row.wall, 0, row.wall, row.id, witness)
      gathered.push([row.id.subarray(0, PREFIX_BYTES), seq])
    }
    if (gathered.length >= IDS_GATHERED) {
      gathered.sort(([a], [b]) => compareBytes(a, b))
      for (const [prefix, at] of gathered) index.run(prefix, at)
      gathered = []
    }
    meta.run(seq, META)
  })
  const project = state.transaction((group: readonly BareRow[]) => {
    for (const { key, value } of group) set.run(key, value)
    cursor.run(seq, META.subarray(0, 32))
  })

  return {
    append: (group) => {
      appendLog(group)
      project(group)
    },
    close: () => {
      log.close()
      state.close()
    },
  }
}

/** Groups of `length` rows, in order. */
export function* groupsOf<Item>(items: readonly Item[], length: number): Generator<readonly Item[], void, undefined> {
  for (let from = 0; from < items.length; from += length) yield items.slice(from, from + length)
}

const LOG_SCHEMA = `
  CREATE TABLE meta (one INTEGER PRIMARY KEY, head INTEGER NOT NULL, rest BLOB NOT NULL);
  CREATE TABLE intentions (
    seq INTEGER PRIMARY KEY, id BLOB NOT NULL, bytes BLOB NOT NULL, signature BLOB, author INTEGER NOT NULL,
    position INTEGER NOT NULL, generation INTEGER NOT NULL, wall INTEGER NOT NULL, counter INTEGER NOT NULL,
    witnessed_ms INTEGER NOT NULL, chain_hash BLOB NOT NULL, witness_signature BLOB
  );
  CREATE INDEX by_author ON intentions (author, position);
  CREATE TABLE ids (prefix BLOB NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (prefix, seq)) WITHOUT ROWID;`

const STATE_SCHEMA = `
  CREATE TABLE cursor (one INTEGER PRIMARY KEY, seq INTEGER NOT NULL, hash BLOB NOT NULL);
  CREATE TABLE app (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;`
