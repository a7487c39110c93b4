/**
 * The stores in `meta.db`: what is recorded of each.
 *
 * @module
 */
import { assert, type PublicKey, type SignedIntention, type StoreId, toHex, toStoreId } from '@lattice/model'
import { type Database, toPlainBytes } from '@lattice/storage'

/** States that are recorded; `failed` is one of the moment. */
export const META_STORE_STATES = ['creating', 'bootstrapping', 'active', 'left', 'archived', 'destroyed'] as const
export type MetaStoreState = (typeof META_STORE_STATES)[number]

/** Whose peers a child has; see `CreateStoreOptions`. */
export const CHILD_STRATEGIES = ['inherited', 'independent', 'snapshot'] as const
export type ChildStrategy = (typeof CHILD_STRATEGIES)[number]

/** What is told of a store that is new here. */
export interface NewStore {
  readonly id: StoreId
  /** Undefined for a root. */
  readonly parentId: StoreId | undefined
  /** As claimed by whoever told of the store, until its genesis is here. May be empty. */
  readonly storeType: string
  readonly state: MetaStoreState
  readonly createdAt: number
  /** What is needed to go on creating it; only in the state `creating`. */
  readonly creation:
    | { readonly name: string; readonly genesis: SignedIntention; readonly strategy?: ChildStrategy }
    | undefined
  /** What it is called, where that is known; the name of its creation otherwise. */
  readonly name?: string
}

export interface StoreRecord extends NewStore {
  /** What it was called last. */
  readonly name: string
  /** All of it was here once, and is. */
  readonly isComplete: boolean
  /** Its data is to go. */
  readonly isDeleting: boolean
  /** Another peer was found to hold the first so many witnessed intentions, by equal digests. */
  readonly replicatedCount: number | undefined
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
  readonly name: string
  readonly is_complete: number
  readonly is_deleting: number
  readonly replicated_count: number | null
  readonly wanted_strategy: string | null
}

/** The part of the inventory that speaks of stores. */
export interface StoreRows {
  /** In order of creation. */
  readonly stores: () => readonly StoreRecord[]
  readonly store: (id: StoreId) => StoreRecord | undefined
  /** Records a store, or replaces its record; with the peers to bootstrap from, where it comes from others. */
  readonly putStore: (record: NewStore, bootstrapPeers?: readonly PublicKey[]) => void
  /** Moves on to `state`. A store that is active is complete, and needs neither its creation nor its bootstrap any more. */
  readonly setState: (id: StoreId, state: MetaStoreState, storeType?: string) => void
  readonly setStoreName: (id: StoreId, name: string) => void
  readonly setParent: (id: StoreId, parentId: StoreId | undefined) => void
  readonly setReplicatedCount: (id: StoreId, count: number | undefined) => void
  readonly removeStore: (id: StoreId) => void
}

export function storesOf(db: Database): StoreRows {
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
          `INSERT INTO store (id, parent, store_type, state, created_at, wanted_name, genesis, genesis_signature,
             wanted_strategy, name)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
           ON CONFLICT DO UPDATE SET parent = excluded.parent, store_type = excluded.store_type, state = excluded.state,
             wanted_name = excluded.wanted_name, genesis = excluded.genesis,
             genesis_signature = excluded.genesis_signature, wanted_strategy = excluded.wanted_strategy`,
        ).run(
          id,
          parentId ?? null,
          storeType,
          state,
          createdAt,
          creation?.name ?? null,
          creation?.genesis.bytes ?? null,
          creation?.genesis.signature ?? null,
          creation?.strategy ?? null,
          record.name ?? creation?.name ?? '',
        )
        for (const peer of bootstrapPeers) {
          db.prepare('INSERT INTO bootstrap_peer (store, peer) VALUES (?, ?) ON CONFLICT DO NOTHING').run(id, peer)
        }
      }),
    setState: (id, state, storeType) =>
      db.transaction(() => {
        const isActive = state === 'active'
        db.prepare(
          `UPDATE store SET state = ?, store_type = coalesce(?, store_type), is_complete = max(is_complete, ?),
             wanted_name = NULL, genesis = NULL, genesis_signature = NULL, wanted_strategy = NULL WHERE id = ?`,
        ).run(state, storeType ?? null, isActive ? 1 : 0, id)
        // One that was left or archived half-way goes on with the same peers.
        if (isActive) clearBootstrap(db, id)
      }),
    setStoreName: (id, name) => void db.prepare('UPDATE store SET name = ? WHERE id = ?').run(name, id),
    setParent: (id, parentId) => void db.prepare('UPDATE store SET parent = ? WHERE id = ?').run(parentId ?? null, id),
    setReplicatedCount: (id, count) =>
      void db.prepare('UPDATE store SET replicated_count = ? WHERE id = ?').run(count ?? null, id),
    removeStore: (id) => db.transaction(() => removeStore(db, id)),
  }
}

/** What a node tells of itself. */
export type ToldOfSelf = 'name' | 'device'

/** The setting that says what this node last told a store's peers of itself. */
export function toldKey(id: StoreId, what: ToldOfSelf): string {
  return `told/${toHex(id)}/${what}`
}

/** Forgets whom a store comes from, and how far. Within a transaction. */
export function clearBootstrap(db: Database, id: StoreId): void {
  db.prepare('DELETE FROM bootstrap_peer WHERE store = ?').run(id)
}

/** Forgets a store. Within a transaction. */
export function removeStore(db: Database, id: StoreId): void {
  db.prepare('DELETE FROM store WHERE id = ?').run(id)
  db.prepare('DELETE FROM setting WHERE key IN (?, ?)').run(toldKey(id, 'name'), toldKey(id, 'device'))
  clearBootstrap(db, id)
}

function toRecord(row: StoreRow): StoreRecord {
  const state = META_STORE_STATES.find((known) => known === row.state)
  assert(state !== undefined, 'a recorded store has a known state')
  const strategy = CHILD_STRATEGIES.find((known) => known === row.wanted_strategy)
  const creation =
    row.genesis === null || row.genesis_signature === null
      ? undefined
      : {
          name: row.wanted_name ?? '',
          genesis: { bytes: toPlainBytes(row.genesis), signature: toPlainBytes(row.genesis_signature) },
          ...(strategy === undefined ? {} : { strategy }),
        }
  return {
    id: toStoreId(toPlainBytes(row.id)),
    parentId: row.parent === null ? undefined : toStoreId(toPlainBytes(row.parent)),
    storeType: row.store_type,
    state,
    createdAt: row.created_at,
    creation,
    name: row.name,
    isComplete: row.is_complete !== 0,
    isDeleting: row.is_deleting !== 0,
    replicatedCount: row.replicated_count ?? undefined,
  }
}
