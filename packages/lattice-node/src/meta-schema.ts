/**
 * The tables of `meta.db`. Released migrations never change; a new version adds one.
 *
 * @module
 */
import type { Migration } from '@lattice/storage'

/** `Latn`, the mark of a node's inventory. */
export const META_APPLICATION_ID = 0x4c61746e

export const META_MIGRATIONS: readonly Migration[] = [
  `CREATE TABLE setting (
     key TEXT PRIMARY KEY,
     value TEXT NOT NULL
   ) STRICT, WITHOUT ROWID;

   CREATE TABLE store (
     id BLOB PRIMARY KEY,
     parent BLOB,
     store_type TEXT NOT NULL,
     state TEXT NOT NULL,
     created_at INTEGER NOT NULL,
     -- While it is being created: what has to be done again after a crash.
     wanted_name TEXT,
     genesis BLOB,
     genesis_signature BLOB
   ) STRICT, WITHOUT ROWID;

   CREATE TABLE bootstrap_peer (
     store BLOB NOT NULL,
     peer BLOB NOT NULL,
     -- How far this peer's witness log was taken in.
     seq INTEGER,
     hash BLOB,
     PRIMARY KEY (store, peer)
   ) STRICT, WITHOUT ROWID;

   CREATE TABLE peer_address (
     peer BLOB NOT NULL,
     address TEXT NOT NULL,
     seen_at INTEGER NOT NULL,
     PRIMARY KEY (peer, address)
   ) STRICT, WITHOUT ROWID;`,

  `CREATE TABLE write_hold (
     store BLOB PRIMARY KEY,
     -- Ids, one after another.
     tips BLOB NOT NULL,
     is_end_known INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;

   CREATE TABLE write_hold_peer (
     store BLOB NOT NULL,
     peer BLOB NOT NULL,
     PRIMARY KEY (store, peer)
   ) STRICT, WITHOUT ROWID;`,

  `-- What ends it: 'repair' and 'deletion' until every peer was compared, 'restore' until one was.
   ALTER TABLE write_hold ADD COLUMN reason TEXT NOT NULL DEFAULT 'repair';`,

  `-- What it was called last: a store that is closed cannot be asked.
   ALTER TABLE store ADD COLUMN name TEXT NOT NULL DEFAULT '';
   -- All of it was here once, and is.
   ALTER TABLE store ADD COLUMN is_complete INTEGER NOT NULL DEFAULT 0;
   -- Its data is to go: whatever ended that act, it is finished.
   ALTER TABLE store ADD COLUMN is_deleting INTEGER NOT NULL DEFAULT 0;
   -- Another peer was found to hold the first so many witnessed intentions, by equal digests.
   ALTER TABLE store ADD COLUMN replicated_count INTEGER;
   -- While it is being created: whose peers it is to have.
   ALTER TABLE store ADD COLUMN wanted_strategy TEXT;
   UPDATE store SET is_complete = 1 WHERE state IN ('active', 'archived');`,
]
