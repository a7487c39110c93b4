/**
 * The format of `log.db`: what replicates, and the only truth.
 *
 * An intention is stored once, appended in witness order, so that writing never moves old pages. All other tables are
 * indexes over it, written at checkpoints (see log-index.ts); `log_meta` says where the log stood at the last one. What
 * floats is kept beside, and what proves a fork.
 *
 * @module
 */

import { EPOCH_TABLES } from './epoch-rows.ts'
import { EXCLUDED_TABLE } from './excluded-rows.ts'
import { PRUNE_TABLES } from './prune-schema.ts'
import { QUIET_TABLE } from './quiet-spans.ts'

/** "LTTL". */
export const LOG_APPLICATION_ID = 0x4c54544c

export const LOG_FILE = 'log.db'
export const STATE_FILE = 'state.db'
/** Where a projection is built beside the one in use. */
export const REBUILD_FILE = 'state.rebuild.db'

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
     settled_seq INTEGER NOT NULL
   );
   CREATE TABLE intentions (seq INTEGER PRIMARY KEY, record BLOB NOT NULL);
   CREATE TABLE ids (prefix INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (prefix, seq)) WITHOUT ROWID;
   CREATE TABLE authors (author INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE);
   CREATE TABLE lanes (
     lane INTEGER PRIMARY KEY,
     author INTEGER NOT NULL,
     parent_lane INTEGER,
     parent_position INTEGER,
     head_seq INTEGER NOT NULL,
     head_position INTEGER NOT NULL,
     head_id BLOB NOT NULL
   );
   ${QUIET_TABLE}
   CREATE TABLE frontier (seq INTEGER PRIMARY KEY, id BLOB NOT NULL);
   CREATE TABLE range_nodes (node INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
   CREATE TABLE reach_blocks (block INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
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
  // What is settled follows from the records.
  `ALTER TABLE log_meta DROP COLUMN settled_seq;
   ${EPOCH_TABLES}`,
  EXCLUDED_TABLE,
  PRUNE_TABLES,
]

/** The version of the form with which the book of epochs came. */
export const EPOCHS_SINCE = 2
/** The version of the form with which records could be excluded. */
export const EXCLUDED_SINCE = 3
/** The version of the form with which a log could be pruned. */
export const PRUNED_SINCE = 4

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
}

export interface RecordRow {
  readonly seq: number
  readonly record: Buffer
}

export interface AuthorRow {
  readonly author: number
  readonly key: Buffer
}

export interface LaneRow {
  readonly lane: number
  readonly author: number
  readonly parent_lane: number | null
  readonly parent_position: number | null
  readonly head_seq: number
  readonly head_position: number
  readonly head_id: Buffer
}

export interface FrontierRow {
  readonly seq: number
  readonly id: Buffer
}

export interface ForkRow {
  readonly author: number
  readonly first_seq: number
  readonly second_seq: number
}

export interface FloatingRow {
  readonly arrival: number
  readonly id: Buffer
  readonly bytes: Buffer
  readonly signature: Buffer | null
}
