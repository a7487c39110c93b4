import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FETCHING } from '@lattice/kernel'
import {
  type AbortSignal,
  createAbortController,
  createSigner,
  idKey,
  type IntentionId,
  type LatticeErrorCode,
  NO_HINTS,
  type PublicKey,
  type StoreId,
  toHash,
  toIntentionId,
  toPublicKey,
  toSeed,
  toStoreId,
} from '@lattice/model'
import { openCrypto } from '@lattice/model/crypto'
import { createManualScheduler } from '@lattice/model/testing'
import { BootstrapFailed, type SnapshotFetch, type SnapshotOutcome } from '@lattice/net'
import { admitPeer } from '@lattice/systemstore'
import { afterAll, expect, test } from 'vitest'
import type { AdoptedStore } from './fetch-pruned.ts'
import type { NodeContext } from './node-context.ts'
import { ALONE_MS, createReturningStores, REST_MS } from './returning-stores.ts'
import { RETRY_FIRST_MS } from './retry-pauses.ts'
import type { StoreEntry } from './store-entry.ts'
import type { StoreManager } from './store-manager.ts'
import { createTestTables } from './testing/system-tables.ts'

const crypto = await openCrypto({ backend: 'wasm' })
const root = mkdtempSync(join(tmpdir(), 'lattice-returning-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const idOf = (byte: number): IntentionId => toIntentionId(toHash(new Uint8Array(32).fill(byte)))
const peerOf = (byte: number): PublicKey => toPublicKey(new Uint8Array(32).fill(byte))
const [liar, anna, bert, self] = [peerOf(1), peerOf(2), peerOf(3), peerOf(4)]
const stores = [toStoreId(toHash(new Uint8Array(32).fill(8))), toStoreId(toHash(new Uint8Array(32).fill(9)))] as const

/** What one author built on another's, which lacks a cause. */
function floating(id: number, author: PublicKey, cause: number, isPlaced: boolean): unknown {
  const intention = { author, storePrev: idOf(cause), causalDeps: [], hints: NO_HINTS }
  return { parsed: { id: idOf(id), intention }, reason: 'missing_causes', missing: isPlaced ? [] : [idOf(cause)] }
}

interface Asked {
  /** Active in each store. */
  readonly peers: readonly PublicKey[]
  readonly fetchSnapshot: (fetch: SnapshotFetch) => Promise<SnapshotOutcome>
}

/** Stores that are cut, in which two built on what has no place; each fetch ends with what `fetched` says. */
function createScene(
  fetched: { outcome: AdoptedStore | 'apart' | undefined; served?: unknown },
  { peers = [], fetchSnapshot }: Partial<Asked> = {},
) {
  const scheduler = createManualScheduler()
  const kernel = {
    base: () => ({ epoch: idOf(7), seq: 3n }),
    membership: () => ({ active: () => [liar, anna, bert, self] }),
    snapshot: () => ({ divergences: [] }),
    tables: () =>
      createTestTables(
        self,
        peers.map((peer) => admitPeer({ author: self, peer, role: 'writer', addedAt: 1 })),
      ),
    revokedBy: () => [idOf(1)],
    floating: () => [floating(10, liar, 6, false), floating(11, anna, 10, true), floating(12, bert, 10, true)],
  }
  const replicated = { snapshot: () => fetched.served }
  const entries = new Map(
    stores.map((id) => [
      idKey(id),
      {
        record: { id, storeType: 'core:kvstore' },
        ready: true,
        repairing: false,
        cutApartMs: undefined,
        parent: () => undefined,
        open: { kernel, replicated },
      },
    ]),
  )
  const fetches: StoreId[] = []
  let waits = false
  const manager = {
    entry: (id: StoreId) => entries.get(idKey(id)) as unknown as StoreEntry,
    // What waits does so in earnest; a fetch is done at once.
    run: (task: (signal: AbortSignal) => Promise<unknown>) => {
      const isWait = waits
      waits = false
      return isWait ? task(createAbortController().signal) : Promise.resolve(true)
    },
    closed: {
      withClosed: (id: StoreId) => {
        fetches.push(id)
        return Promise.resolve(fetched.outcome)
      },
    },
  } as unknown as StoreManager
  const context = {
    id: self,
    crypto,
    signer: createSigner(crypto, crypto.keyPairFromSeed(toSeed(new Uint8Array(32).fill(1)))),
    openers: new Map(),
    directory: { storePath: () => root },
    network: () => fetchSnapshot && { fetchSnapshot },
    scheduler,
    clock: scheduler.clock,
    meta: { setReplicatedCount: () => {}, addresses: () => [] },
    publish: () => {},
    logger: { info: () => {}, warn: () => {} },
  } as unknown as NodeContext
  const returning = createReturningStores(context, manager)
  return {
    /** How many fetches came of it. */
    differs: async (id: StoreId): Promise<number> => {
      const before = fetches.length
      returning.differs(id, anna)
      await scheduler.advanceAsync(0)
      return fetches.length - before
    },
    told: async (id: StoreId): Promise<number> => {
      const before = fetches.length
      returning.told(id, anna)
      await scheduler.advanceAsync(0)
      return fetches.length - before
    },
    /** The same, where the search is made in earnest. */
    toldInEarnest: async (id: StoreId, ms: number): Promise<void> => {
      waits = true
      returning.told(id, anna)
      waits = false
      await scheduler.advanceAsync(ms)
    },
    isApart: (id: StoreId): boolean => entries.get(idKey(id))?.cutApartMs !== undefined,
    /** How many came of it after a while. */
    unknown: async (id: StoreId, ms: number): Promise<number> => {
      const before = fetches.length
      waits = true
      returning.unknown(id, anna)
      waits = false
      await scheduler.advanceAsync(ms)
      return fetches.length - before
    },
    /** The same, where the search is made in earnest. */
    differsInEarnest: async (id: StoreId): Promise<void> => {
      waits = true
      returning.differs(id, anna)
      waits = false
      await scheduler.advanceAsync(0)
    },
    pass: (ms: number) => scheduler.advanceAsync(ms),
  }
}

test('places that a fetch did not tell are looked for again after a while, of each store for itself', async () => {
  const [store, other] = stores
  const scene = createScene({ outcome: undefined })
  expect(await scene.differs(store)).toBe(1)
  expect(await scene.differs(store)).toBe(0)
  expect(await scene.differs(other)).toBe(1)
  await scene.pass(REST_MS - 1)
  expect(await scene.differs(store)).toBe(0)
  await scene.pass(1)
  expect(await scene.differs(store)).toBe(1)
})

test('places are asked of who has cut nothing as well; where it serves no state they are looked for again after a while', async () => {
  const asked: unknown[] = []
  const fetchSnapshot = ({ orWhole, orSame }: SnapshotFetch): Promise<SnapshotOutcome> => {
    asked.push([orWhole, orSame])
    return Promise.resolve({ kind: 'unpruned' })
  }
  const scene = createScene({ outcome: undefined }, { peers: [anna, bert], fetchSnapshot })
  await scene.differsInEarnest(stores[0])
  expect(asked).toEqual([[true, true]])
  await scene.pass(REST_MS - 1)
  await scene.differsInEarnest(stores[0])
  expect(asked).toHaveLength(1)
  await scene.pass(1)
  await scene.differsInEarnest(stores[0])
  expect(asked).toHaveLength(2)
})

test('after a fetch that told some the rest are looked for at once', async () => {
  const fetched = { outcome: { base: idOf(7), kept: 0, waiting: 0 } }
  const scene = createScene(fetched)
  expect(await scene.differs(stores[0])).toBe(1)
  expect(await scene.differs(stores[0])).toBe(1)
})

test('what was cut without what was cut here is fetched again after a while, whoever says so, until it can be taken', async () => {
  const [store, other] = stores
  const fetched: { outcome: AdoptedStore | 'apart' | undefined } = { outcome: 'apart' }
  const scene = createScene(fetched)
  expect(await scene.told(store)).toBe(1)
  expect([scene.isApart(store), scene.isApart(other)]).toEqual([true, false])
  expect([await scene.told(store), await scene.differs(store), await scene.told(other)]).toEqual([0, 0, 1])
  await scene.pass(REST_MS - 1)
  expect(await scene.told(store)).toBe(0)
  await scene.pass(1)
  expect(await scene.told(store)).toBe(1)
  expect(await scene.told(store)).toBe(0)
  fetched.outcome = { base: idOf(7), kept: 0, waiting: 0 }
  await scene.pass(REST_MS)
  expect(await scene.told(store)).toBe(1)
  expect(scene.isApart(store)).toBe(false)
})

test('where whoever said so is removed, and nobody else is there, it is given up, and what was begun is dropped', async () => {
  const begun = join(root, FETCHING)
  mkdirSync(begun)
  const scene = createScene({ outcome: undefined })
  await scene.toldInEarnest(stores[0], 0)
  expect(existsSync(begun)).toBe(false)
  // It is not under way any more.
  expect(await scene.told(stores[0])).toBe(1)
})

test('where all hold this node for removed it is given up until one says so anew; where one is only away it is tried again', async () => {
  let codes: LatticeErrorCode[] = ['REVOKED', 'PEER_UNREACHABLE']
  let asked = 0
  const fetchSnapshot = (): Promise<SnapshotOutcome> => {
    asked += 1
    return Promise.reject(new BootstrapFailed('nobody gives it', { codes }))
  }
  const scene = createScene({ outcome: undefined }, { peers: [anna, bert], fetchSnapshot })
  await scene.toldInEarnest(stores[0], RETRY_FIRST_MS)
  expect([asked, existsSync(join(root, FETCHING))]).toEqual([2, true])
  codes = ['REVOKED']
  await scene.pass(REST_MS)
  expect([asked, existsSync(join(root, FETCHING))]).toEqual([3, false])
  await scene.toldInEarnest(stores[0], 0)
  expect(asked).toBe(4)
})

test('where nobody can begin with what is cut here the store is fetched, once that has been so for a while', async () => {
  const [store, other] = stores
  const fetched: { outcome: undefined; served?: unknown } = { outcome: undefined }
  const scene = createScene(fetched)
  expect(await scene.unknown(store, ALONE_MS - 1)).toBe(0)
  // Told again meanwhile it is waited for once.
  expect(await scene.unknown(store, 1)).toBe(1)
  expect(await scene.unknown(store, ALONE_MS)).toBe(0)
  expect(await scene.unknown(other, ALONE_MS - 1)).toBe(0)
  fetched.served = {}
  expect(await scene.unknown(other, 1)).toBe(0)
  expect(await scene.unknown(other, ALONE_MS)).toBe(0)
})
