/**
 * The schema of a state database, and what marks a file as one.
 *
 * A snapshot that is being loaded has the same tables under another mark: until it is whole, whoever opens state refuses
 * it as a database of another kind, and the last transaction of the load changes the mark.
 *
 * @module
 */
import { isLatticeError } from '@lattice/model'
import { type Database, openDatabase } from './database.ts'
import { StateDamaged } from './errors.ts'
import type { FileWork } from './file-work.ts'
import type { StorageHooks } from './storage-hooks.ts'

/** "LTTS". */
export const STATE_APPLICATION_ID = 0x4c545453
/** "LTTP": part of a state. */
export const LOADING_APPLICATION_ID = 0x4c545450

export const STATE_MIGRATIONS: readonly string[] = [
  `CREATE TABLE state_meta (
     one INTEGER PRIMARY KEY CHECK (one = 1),
     store_id BLOB NOT NULL,
     projector_version TEXT NOT NULL,
     cursor_seq INTEGER NOT NULL,
     cursor_hash BLOB NOT NULL
   );
   CREATE TABLE system (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
   CREATE TABLE app (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
   CREATE TABLE rejections (seq INTEGER PRIMARY KEY, id BLOB NOT NULL, reason TEXT NOT NULL);`,
  `ALTER TABLE state_meta ADD COLUMN made_with BLOB NOT NULL DEFAULT x'';`,
  // One row where the root is kept; `expected` is the root of the snapshot that is being loaded.
  `CREATE TABLE state_root (
     one INTEGER PRIMARY KEY CHECK (one = 1),
     lanes BLOB NOT NULL,
     system_rows INTEGER NOT NULL,
     app_rows INTEGER NOT NULL,
     expected BLOB
   );`,
]

export interface StateFile {
  readonly path: string
  readonly applicationId: number
  readonly hooks?: StorageHooks
  readonly fileWork?: FileWork
}

/** Opens or creates a file with these tables. Throws `StateDamaged` for one that has to be built anew. */
export function openStateFile({ path, applicationId, hooks, fileWork }: StateFile): Database {
  try {
    return openDatabase({
      path,
      contents: 'state',
      durability: 'normal',
      applicationId,
      migrations: STATE_MIGRATIONS,
      ownCheckpoints: true,
      shrinks: true,
      ...(hooks && { hooks }),
      ...(fileWork && { fileWork }),
    })
  } catch (error) {
    if (isLatticeError(error) && error.code === 'SCHEMA_TOO_NEW') {
      throw new StateDamaged(path, 'a later version wrote it', { cause: error })
    }
    throw error
  }
}
