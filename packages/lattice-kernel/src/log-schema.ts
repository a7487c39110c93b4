/**
 * The format of `log.db`: what replicates, and the only truth.
 *
 * An intention is stored once, appended in witness order, so that writing never moves old pages. Ids are random, so they
 * are indexed apart: new ones gather in memory and enter `ids` sorted and in bulk; `indexed_seq` says how far that
 * reaches, and the tail is read again at open. A prefix of eight bytes is indexed, the whole id stands in the row.
 *
 * @module
 */

/** "LTTL". */
export const LOG_APPLICATION_ID = 0x4c54544c

export const LOG_FILE = 'log.db'
export const STATE_FILE = 'state.db'
/** Where a projection is built beside the one in use. */
export const REBUILD_FILE = 'state.rebuild.db'

export const ID_PREFIX_BYTES = 8

export const LOG_MIGRATIONS: readonly string[] = [
  `CREATE TABLE log_meta (
     one INTEGER PRIMARY KEY CHECK (one = 1),
     store_id BLOB NOT NULL,
     witness_key BLOB NOT NULL,
     store_type TEXT,
     head_seq INTEGER NOT NULL,
     head_hash BLOB NOT NULL,
     fingerprint BLOB NOT NULL,
     hlc_wall INTEGER NOT NULL,
     hlc_counter INTEGER NOT NULL,
     highest_wall INTEGER NOT NULL,
     indexed_seq INTEGER NOT NULL,
     settled_seq INTEGER NOT NULL
   );
   CREATE TABLE authors (author INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE);
   CREATE TABLE intentions (
     seq INTEGER PRIMARY KEY,
     id BLOB NOT NULL,
     bytes BLOB NOT NULL,
     signature BLOB,
     author INTEGER NOT NULL,
     position INTEGER NOT NULL,
     generation INTEGER NOT NULL,
     wall INTEGER NOT NULL,
     counter INTEGER NOT NULL,
     witnessed_ms INTEGER NOT NULL,
     chain_hash BLOB NOT NULL,
     witness_signature BLOB
   );
   CREATE INDEX intentions_by_author ON intentions (author, position);
   CREATE TABLE ids (prefix BLOB NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (prefix, seq)) WITHOUT ROWID;
   CREATE TABLE tips (author INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (author, seq)) WITHOUT ROWID;
   CREATE TABLE frontier (seq INTEGER PRIMARY KEY);
   CREATE TABLE forks (
     author INTEGER NOT NULL,
     first_seq INTEGER NOT NULL,
     second_seq INTEGER NOT NULL,
     PRIMARY KEY (author, first_seq, second_seq)
   ) WITHOUT ROWID;
   CREATE TABLE floating (
     arrival INTEGER PRIMARY KEY,
     id BLOB NOT NULL UNIQUE,
     bytes BLOB NOT NULL,
     signature BLOB
   );`,
]

export interface MetaRow {
  readonly store_id: Buffer
  readonly witness_key: Buffer
  readonly store_type: string | null
  readonly head_seq: number
  readonly head_hash: Buffer
  readonly fingerprint: Buffer
  readonly hlc_wall: number
  readonly hlc_counter: number
  readonly highest_wall: number
  readonly indexed_seq: number
  readonly settled_seq: number
}

export interface IntentionRow {
  readonly seq: number
  readonly id: Buffer
  readonly bytes: Buffer
  readonly signature: Buffer | null
  readonly author: number
  readonly position: number
  readonly generation: number
  readonly wall: number
  readonly counter: number
  readonly witnessed_ms: number
  readonly chain_hash: Buffer
  readonly witness_signature: Buffer | null
}

export interface FloatingRow {
  readonly arrival: number
  readonly id: Buffer
  readonly bytes: Buffer
  readonly signature: Buffer | null
}
