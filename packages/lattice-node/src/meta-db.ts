/**
 * A node's own inventory: which stores it knows and in what state, how far a bootstrap got, where peers were last seen.
 *
 * It holds what must survive a restart and is nobody else's business. Each change is one durable transaction, so every
 * step of creating or joining a store is either recorded or did not happen.
 *
 * @module
 */
import {
  concatBytes,
  fromHex,
  type Hash,
  HASH_BYTES,
  type IdKey,
  idKey,
  type IntentionId,
  PUBLIC_KEY_BYTES,
  type PublicKey,
  type StoreId,
  toHash,
  toHex,
  toIntentionId,
  toPublicKey,
} from '@lattice/model'
import { type Database, openDatabase, type StorageHooks, toPlainBytes } from '@lattice/storage'
import { META_APPLICATION_ID, META_MIGRATIONS } from './meta-schema.ts'
import {
  clearBootstrap,
  type MetaStoreState,
  removeStore,
  storesOf,
  type StoreRows,
  toldKey,
  type ToldOfSelf,
} from './meta-stores.ts'

export { META_STORE_STATES } from './meta-stores.ts'
export type { ChildStrategy, MetaStoreState, NewStore, StoreRecord } from './meta-stores.ts'

/** Addresses kept per peer, the latest: a host has a few, and moves. */
export const MAX_ADDRESSES_PER_PEER = 16
/** Peers whose addresses are kept, those seen last: far more than any mesh has. */
export const MAX_PEERS_WITH_ADDRESSES = 4096
/** Addresses that are told again within this time are not written again: each write waits for the disk. */
const ADDRESS_FRESH_MS = 3_600_000

/** A store whose data is to go, and what this node has to wait for should it ever write to it again. */
export interface Deletion {
  readonly id: StoreId
  readonly hold: WriteHold | undefined
}

/** What becomes of the records of stores whose data is gone. */
export interface Deleted {
  readonly kept: readonly { readonly id: StoreId; readonly state: MetaStoreState }[]
  readonly removed: readonly StoreId[]
}

/** A place in a peer's witness log. */
export interface LogPosition {
  readonly seq: number
  readonly hash: Hash
}

/** Why a log may not be the one this node wrote last. */
const WRITE_HOLD_REASONS = ['repair', 'restore', 'deletion', 'return'] as const

/** What has to be here before this node writes again. */
export interface WriteHold {
  /** Why it is held: the log was repaired, or it came back from a backup. */
  readonly reason: (typeof WRITE_HOLD_REASONS)[number]
  /** The own tips that the damaged log showed. */
  readonly tips: readonly IntentionId[]
  /** The damaged log showed where the own chain ended; never so after a restore. */
  readonly isEndKnown: boolean
  /** Peers that held nothing that is not here. */
  readonly compared: readonly PublicKey[]
}

export interface MetaDb extends StoreRows {
  readonly name: () => string | undefined
  /** Whose inventory it is; undefined until it is told. */
  readonly identity: () => PublicKey | undefined
  readonly setIdentity: (key: PublicKey) => void
  readonly setName: (name: string) => void
  /** What this node last told a store's peers of itself; undefined before it has. */
  readonly told: (id: StoreId, what: ToldOfSelf) => string | undefined
  readonly setTold: (id: StoreId, told: Readonly<Record<ToldOfSelf, string>>) => void
  /** All at once: from now on the data of these goes, whatever happens. */
  readonly beginDeletion: (deletions: readonly Deletion[]) => void
  /** All at once: the data is gone. Write holds stay. */
  readonly finishDeletion: (deleted: Deleted) => void
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
  /** Of the library that all databases of the node are opened with. */
  readonly sqliteVersion: () => string
  /** Copies the inventory while it is in use; see `Database.copyFiles`. */
  readonly copyFiles: Database['copyFiles']
  /** Idempotent. */
  readonly close: () => void
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
    ...deletionsOf(db),
    ...bootstrapsOf(db),
    ...addressesOf(db),
    ...writeHoldsOf(db),
    sqliteVersion: () =>
      db.prepare<{ version: string }>('SELECT sqlite_version() AS version').get()?.version ?? 'unknown',
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

type Settings = Pick<MetaDb, 'name' | 'setName' | 'identity' | 'setIdentity' | 'told' | 'setTold'>

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
    told: (id, what) => read(toldKey(id, what)),
    setTold: (id, { name, device }) =>
      db.transaction(() => {
        write(toldKey(id, 'name'), name)
        write(toldKey(id, 'device'), device)
      }),
  }
}

function deletionsOf(db: Database): Pick<MetaDb, 'beginDeletion' | 'finishDeletion'> {
  return {
    beginDeletion: (deletions) =>
      db.transaction(() => {
        for (const { id, hold } of deletions) {
          db.prepare('UPDATE store SET is_deleting = 1 WHERE id = ?').run(id)
          if (hold !== undefined) putWriteHold(db, id, hold)
        }
      }),
    finishDeletion: ({ kept, removed }) =>
      db.transaction(() => {
        for (const id of removed) removeStore(db, id)
        for (const { id, state } of kept) {
          db.prepare(
            `UPDATE store SET state = ?, is_complete = 0, is_deleting = 0, replicated_count = NULL WHERE id = ?`,
          ).run(state, id)
          clearBootstrap(db, id)
        }
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

interface SeenAddress {
  readonly address: string
  readonly seen_at: number
}

function addressesOf(db: Database): Pick<MetaDb, 'addresses' | 'saveAddresses' | 'knownPeers'> {
  // What was read since the last change: gossip asks for those of every peer that it names to another.
  const known = new Map<IdKey, readonly SeenAddress[]>()
  function read(peer: PublicKey): readonly SeenAddress[] {
    const key = idKey(peer)
    const found =
      known.get(key) ??
      db
        .prepare<SeenAddress>(
          'SELECT address, seen_at FROM peer_address WHERE peer = ? ORDER BY seen_at DESC, address LIMIT ?',
        )
        .all(peer, MAX_ADDRESSES_PER_PEER)
    if (known.size >= MAX_PEERS_WITH_ADDRESSES) known.clear()
    known.set(key, found)
    return found
  }
  /** True for what is the newest here and was seen not long ago: peers say it again with every exchange. */
  function isFresh(peer: PublicKey, addresses: readonly string[], seenAt: number): boolean {
    const told = new Set(addresses)
    const newest = read(peer).slice(0, told.size)
    return (
      newest.length === told.size &&
      newest.every(({ address, seen_at: at }) => told.has(address) && Math.abs(seenAt - at) < ADDRESS_FRESH_MS)
    )
  }
  return {
    knownPeers: (limit) =>
      db
        .prepare<{ peer: Uint8Array }>(
          'SELECT peer FROM peer_address GROUP BY peer ORDER BY max(seen_at) DESC, peer LIMIT ?',
        )
        .all(limit)
        .map((row) => toPublicKey(toPlainBytes(row.peer))),
    addresses: (peer) => read(peer).map(({ address }) => address),
    saveAddresses: (peer, addresses, seenAt) => {
      if (isFresh(peer, addresses, seenAt)) return
      known.clear()
      // Beside this one's, those of the peers seen longest ago go.
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
      })
    },
  }
}

type WriteHolds = Pick<MetaDb, 'writeHold' | 'putWriteHold' | 'addComparedPeer' | 'removeWriteHold'>

interface WriteHoldRow {
  readonly tips: Uint8Array
  readonly is_end_known: number
  readonly reason: string
}

function writeHoldsOf(db: Database): WriteHolds {
  return {
    writeHold: (id) => {
      const row = db.prepare<WriteHoldRow>('SELECT * FROM write_hold WHERE store = ?').get(id)
      if (row === undefined) return undefined
      const peers = db.prepare<{ peer: Uint8Array }>('SELECT peer FROM write_hold_peer WHERE store = ?').all(id)
      const tips = toPlainBytes(row.tips)
      return {
        reason: WRITE_HOLD_REASONS.find((known) => known === row.reason) ?? 'repair',
        tips: Array.from({ length: tips.length / HASH_BYTES }, (_, index) =>
          toIntentionId(tips.slice(index * HASH_BYTES, (index + 1) * HASH_BYTES)),
        ),
        isEndKnown: row.is_end_known !== 0,
        compared: peers.map(({ peer }) => toPublicKey(toPlainBytes(peer))),
      }
    },
    putWriteHold: (id, hold) => db.transaction(() => putWriteHold(db, id, hold)),
    addComparedPeer: (id, peer) => addComparedPeer(db, id, peer),
    removeWriteHold: (id) => db.transaction(() => removeWriteHold(db, id)),
  }
}

function putWriteHold(db: Database, id: StoreId, { reason, tips, isEndKnown, compared }: WriteHold): void {
  removeWriteHold(db, id)
  db.prepare('INSERT INTO write_hold (store, tips, is_end_known, reason) VALUES (?, ?, ?, ?)').run(
    id,
    concatBytes(...tips),
    isEndKnown ? 1 : 0,
    reason,
  )
  for (const peer of compared) addComparedPeer(db, id, peer)
}

function addComparedPeer(db: Database, id: StoreId, peer: PublicKey): void {
  db.prepare('INSERT INTO write_hold_peer (store, peer) VALUES (?, ?) ON CONFLICT DO NOTHING').run(id, peer)
}

function removeWriteHold(db: Database, id: StoreId): void {
  db.prepare('DELETE FROM write_hold WHERE store = ?').run(id)
  db.prepare('DELETE FROM write_hold_peer WHERE store = ?').run(id)
}
