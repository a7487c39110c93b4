/**
 * A node's own inventory: which stores it knows and in what state, how far a bootstrap got, where peers were last seen.
 *
 * It holds what must survive a restart and is nobody else's business. Each change is one durable transaction, so every
 * step of creating or joining a store is either recorded or did not happen.
 *
 * @module
 */
import {
  assert,
  concatBytes,
  fromHex,
  type Hash,
  HASH_BYTES,
  type IntentionId,
  PUBLIC_KEY_BYTES,
  type PublicKey,
  type SignedIntention,
  type StoreId,
  toHash,
  toHex,
  toIntentionId,
  toPublicKey,
  toStoreId,
} from '@lattice/model'
import { type Database, openDatabase, type StorageHooks, toPlainBytes } from '@lattice/storage'
import { META_APPLICATION_ID, META_MIGRATIONS } from './meta-schema.ts'

/** Addresses kept per peer, the latest: a host has a few, and moves. */
export const MAX_ADDRESSES_PER_PEER = 16
/** Peers whose addresses are kept, those seen last: far more than any mesh has. */
export const MAX_PEERS_WITH_ADDRESSES = 4096

/** States that are recorded; `failed` is one of the moment. */
export const META_STORE_STATES = ['creating', 'bootstrapping', 'active', 'left', 'archived', 'destroyed'] as const
export type MetaStoreState = (typeof META_STORE_STATES)[number]

export interface StoreRecord {
  readonly id: StoreId
  /** Undefined for a root. */
  readonly parentId: StoreId | undefined
  /** As claimed by whoever told of the store, until its genesis is here. May be empty. */
  readonly storeType: string
  readonly state: MetaStoreState
  readonly createdAt: number
  /** What is needed to go on creating it; only in the state `creating`. */
  readonly creation: { readonly name: string; readonly genesis: SignedIntention } | undefined
}

/** A place in a peer's witness log. */
export interface LogPosition {
  readonly seq: number
  readonly hash: Hash
}

/** What has to be here before this node writes again. */
export interface WriteHold {
  /** Why it is held: the log was repaired, or it came back from a backup. */
  readonly reason: 'repair' | 'restore'
  /** The own tips that the damaged log showed. */
  readonly tips: readonly IntentionId[]
  /** The damaged log showed where the own chain ended; never so after a restore. */
  readonly isEndKnown: boolean
  /** Peers that held nothing that is not here. */
  readonly compared: readonly PublicKey[]
}

export interface MetaDb {
  readonly name: () => string | undefined
  /** Whose inventory it is; undefined until it is told. */
  readonly identity: () => PublicKey | undefined
  readonly setIdentity: (key: PublicKey) => void
  readonly setName: (name: string) => void
  /** In order of creation. */
  readonly stores: () => readonly StoreRecord[]
  readonly store: (id: StoreId) => StoreRecord | undefined
  /** Records a store, or replaces its record; with the peers to bootstrap from, where it comes from others. */
  readonly putStore: (record: StoreRecord, bootstrapPeers?: readonly PublicKey[]) => void
  /** Moves on to `state`. A store that is active needs neither its creation nor its bootstrap any more. */
  readonly setState: (id: StoreId, state: MetaStoreState, storeType?: string) => void
  readonly removeStore: (id: StoreId) => void
  readonly bootstrapPeers: (id: StoreId) => readonly PublicKey[]
  readonly bootstrapPosition: (id: StoreId, peer: PublicKey) => LogPosition | undefined
  readonly saveBootstrapPosition: (id: StoreId, peer: PublicKey, position: LogPosition) => void
  /** The latest first. */
  readonly addresses: (peer: PublicKey) => readonly string[]
  readonly saveAddresses: (peer: PublicKey, addresses: readonly string[], seenAt: number) => void
  /** Every peer with addresses, those seen last first. */
  readonly knownPeers: (limit: number) => readonly PublicKey[]
  readonly writeHold: (id: StoreId) => WriteHold | undefined
  readonly putWriteHold: (id: StoreId, hold: WriteHold) => void
  readonly addComparedPeer: (id: StoreId, peer: PublicKey) => void
  readonly removeWriteHold: (id: StoreId) => void
  /** Copies the inventory while it is in use; see `Database.copyFiles`. */
  readonly copyFiles: Database['copyFiles']
  /** Idempotent. */
  readonly close: () => void
}

interface StoreRow {
  readonly id: Uint8Array
  readonly parent: Uint8Array | null
  readonly store_type: string
  readonly state: string
  readonly created_at: number
  readonly wanted_name: string | null
  readonly genesis: Uint8Array | null
  readonly genesis_signature: Uint8Array | null
}

/** Opens or creates `meta.db`. Throws what `openDatabase` throws. */
export function openMetaDb(path: string, hooks?: StorageHooks): MetaDb {
  const db = openDatabase({
    path,
    contents: 'other',
    durability: 'full',
    applicationId: META_APPLICATION_ID,
    migrations: META_MIGRATIONS,
    ...(hooks === undefined ? {} : { hooks }),
  })
  return {
    ...settingsOf(db),
    ...storesOf(db),
    ...bootstrapsOf(db),
    ...addressesOf(db),
    ...writeHoldsOf(db),
    copyFiles: db.copyFiles,
    close: db.close,
  }
}

/** What an inventory that nobody has open says. Only reads it, whatever its version. */
export interface MetaReader extends Pick<MetaDb, 'identity' | 'name' | 'stores' | 'close'> {
  readonly schemaVersion: number
}

/** Opens the `meta.db` at `path` for reading. Throws what `openDatabase` throws. */
export function openMetaReader(path: string): MetaReader {
  const db = openDatabase({
    path,
    contents: 'other',
    durability: 'full',
    applicationId: META_APPLICATION_ID,
    migrations: META_MIGRATIONS,
    readonly: true,
  })
  const { identity, name } = settingsOf(db)
  const { stores } = storesOf(db)
  const schemaVersion = db.prepare<{ user_version: number }>('PRAGMA user_version').get()?.user_version ?? 0
  return { identity, name, stores, schemaVersion, close: db.close }
}

type Settings = Pick<MetaDb, 'name' | 'setName' | 'identity' | 'setIdentity'>

function settingsOf(db: Database): Settings {
  const read = (key: string): string | undefined =>
    db.prepare<{ value: string }>('SELECT value FROM setting WHERE key = ?').get(key)?.value
  const write = (key: string, value: string): void => {
    db.prepare('INSERT INTO setting (key, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value').run(
      key,
      value,
    )
  }
  return {
    name: () => read('name'),
    setName: (name) => write('name', name),
    identity: () => {
      const key = fromHex(read('identity') ?? '')
      return key?.length === PUBLIC_KEY_BYTES ? toPublicKey(key) : undefined
    },
    setIdentity: (key) => write('identity', toHex(key)),
  }
}

function storesOf(db: Database): Pick<MetaDb, 'stores' | 'store' | 'putStore' | 'setState' | 'removeStore'> {
  const clearBootstrap = (id: StoreId): void => {
    db.prepare('DELETE FROM bootstrap_peer WHERE store = ?').run(id)
  }
  return {
    stores: () => db.prepare<StoreRow>('SELECT * FROM store ORDER BY created_at, id').all().map(toRecord),
    store: (id) => {
      const row = db.prepare<StoreRow>('SELECT * FROM store WHERE id = ?').get(id)
      return row === undefined ? undefined : toRecord(row)
    },
    putStore: (record, bootstrapPeers = []) =>
      db.transaction(() => {
        const { id, parentId, storeType, state, createdAt, creation } = record
        db.prepare(
          `INSERT INTO store (id, parent, store_type, state, created_at, wanted_name, genesis, genesis_signature)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?)
           ON CONFLICT DO UPDATE SET parent = excluded.parent, store_type = excluded.store_type, state = excluded.state,
             wanted_name = excluded.wanted_name, genesis = excluded.genesis,
             genesis_signature = excluded.genesis_signature`,
        ).run(
          id,
          parentId ?? null,
          storeType,
          state,
          createdAt,
          creation?.name ?? null,
          creation?.genesis.bytes ?? null,
          creation?.genesis.signature ?? null,
        )
        for (const peer of bootstrapPeers) {
          db.prepare('INSERT INTO bootstrap_peer (store, peer) VALUES (?, ?) ON CONFLICT DO NOTHING').run(id, peer)
        }
      }),
    setState: (id, state, storeType) =>
      db.transaction(() => {
        db.prepare(
          `UPDATE store SET state = ?, store_type = coalesce(?, store_type),
             wanted_name = NULL, genesis = NULL, genesis_signature = NULL WHERE id = ?`,
        ).run(state, storeType ?? null, id)
        if (state !== 'bootstrapping') clearBootstrap(id)
      }),
    removeStore: (id) =>
      db.transaction(() => {
        db.prepare('DELETE FROM store WHERE id = ?').run(id)
        clearBootstrap(id)
      }),
  }
}

function bootstrapsOf(db: Database): Pick<MetaDb, 'bootstrapPeers' | 'bootstrapPosition' | 'saveBootstrapPosition'> {
  return {
    bootstrapPeers: (id) =>
      db
        .prepare<{ peer: Uint8Array }>('SELECT peer FROM bootstrap_peer WHERE store = ? ORDER BY peer')
        .all(id)
        .map((row) => toPublicKey(toPlainBytes(row.peer))),
    bootstrapPosition: (id, peer) => {
      const row = db
        .prepare<{ seq: number | null; hash: Uint8Array | null }>(
          'SELECT seq, hash FROM bootstrap_peer WHERE store = ? AND peer = ?',
        )
        .get(id, peer)
      if (row === undefined || row.seq === null || row.hash === null) return undefined
      return { seq: row.seq, hash: toHash(toPlainBytes(row.hash)) }
    },
    saveBootstrapPosition: (id, peer, { seq, hash }) => {
      db.prepare(
        `INSERT INTO bootstrap_peer (store, peer, seq, hash) VALUES (?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET seq = excluded.seq, hash = excluded.hash`,
      ).run(id, peer, seq, hash)
    },
  }
}

function addressesOf(db: Database): Pick<MetaDb, 'addresses' | 'saveAddresses' | 'knownPeers'> {
  return {
    knownPeers: (limit) =>
      db
        .prepare<{ peer: Uint8Array }>(
          'SELECT peer FROM peer_address GROUP BY peer ORDER BY max(seen_at) DESC, peer LIMIT ?',
        )
        .all(limit)
        .map((row) => toPublicKey(toPlainBytes(row.peer))),
    addresses: (peer) =>
      db
        .prepare<{ address: string }>(
          'SELECT address FROM peer_address WHERE peer = ? ORDER BY seen_at DESC, address LIMIT ?',
        )
        .all(peer, MAX_ADDRESSES_PER_PEER)
        .map((row) => row.address),
    saveAddresses: (peer, addresses, seenAt) =>
      db.transaction(() => {
        for (const address of addresses.slice(0, MAX_ADDRESSES_PER_PEER)) {
          db.prepare(
            `INSERT INTO peer_address (peer, address, seen_at) VALUES (?, ?, ?)
             ON CONFLICT DO UPDATE SET seen_at = excluded.seen_at`,
          ).run(peer, address, seenAt)
        }
        db.prepare(
          `DELETE FROM peer_address WHERE peer = ? AND address NOT IN (
             SELECT address FROM peer_address WHERE peer = ? ORDER BY seen_at DESC, address LIMIT ${MAX_ADDRESSES_PER_PEER})`,
        ).run(peer, peer)
        db.prepare(
          `DELETE FROM peer_address WHERE peer NOT IN (
             SELECT peer FROM peer_address GROUP BY peer ORDER BY max(seen_at) DESC, peer LIMIT ${MAX_PEERS_WITH_ADDRESSES})`,
        ).run()
      }),
  }
}

type WriteHolds = Pick<MetaDb, 'writeHold' | 'putWriteHold' | 'addComparedPeer' | 'removeWriteHold'>

interface WriteHoldRow {
  readonly tips: Uint8Array
  readonly is_end_known: number
  readonly reason: string
}

function writeHoldsOf(db: Database): WriteHolds {
  const remove = (id: StoreId): void => {
    db.prepare('DELETE FROM write_hold WHERE store = ?').run(id)
    db.prepare('DELETE FROM write_hold_peer WHERE store = ?').run(id)
  }
  const addPeer = (id: StoreId, peer: PublicKey): void =>
    void db.prepare('INSERT INTO write_hold_peer (store, peer) VALUES (?, ?) ON CONFLICT DO NOTHING').run(id, peer)
  return {
    writeHold: (id) => {
      const row = db.prepare<WriteHoldRow>('SELECT * FROM write_hold WHERE store = ?').get(id)
      if (row === undefined) return undefined
      const peers = db.prepare<{ peer: Uint8Array }>('SELECT peer FROM write_hold_peer WHERE store = ?').all(id)
      const tips = toPlainBytes(row.tips)
      return {
        reason: row.reason === 'restore' ? 'restore' : 'repair',
        tips: Array.from({ length: tips.length / HASH_BYTES }, (_, index) =>
          toIntentionId(tips.slice(index * HASH_BYTES, (index + 1) * HASH_BYTES)),
        ),
        isEndKnown: row.is_end_known !== 0,
        compared: peers.map(({ peer }) => toPublicKey(toPlainBytes(peer))),
      }
    },
    putWriteHold: (id, { reason, tips, isEndKnown, compared }) =>
      db.transaction(() => {
        remove(id)
        db.prepare('INSERT INTO write_hold (store, tips, is_end_known, reason) VALUES (?, ?, ?, ?)').run(
          id,
          concatBytes(...tips),
          isEndKnown ? 1 : 0,
          reason,
        )
        for (const peer of compared) addPeer(id, peer)
      }),
    addComparedPeer: addPeer,
    removeWriteHold: (id) => db.transaction(() => remove(id)),
  }
}

function toRecord(row: StoreRow): StoreRecord {
  const state = META_STORE_STATES.find((known) => known === row.state)
  assert(state !== undefined, 'a recorded store has a known state')
  const creation =
    row.genesis === null || row.genesis_signature === null
      ? undefined
      : {
          name: row.wanted_name ?? '',
          genesis: { bytes: toPlainBytes(row.genesis), signature: toPlainBytes(row.genesis_signature) },
        }
  return {
    id: toStoreId(toPlainBytes(row.id)),
    parentId: row.parent === null ? undefined : toStoreId(toPlainBytes(row.parent)),
    storeType: row.store_type,
    state,
    createdAt: row.created_at,
    creation,
  }
}
