import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { toHash, toIntentionId, toPublicKey, toStoreId } from '@lattice/model'
import { createSeededRandom } from '@lattice/model/testing'
import { openDatabase } from '@lattice/storage'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { META_APPLICATION_ID, META_MIGRATIONS } from './meta-schema.ts'
import {
  MAX_ADDRESSES_PER_PEER,
  type MetaDb,
  type NewStore,
  openMetaDb,
  openMetaReader,
  type StoreRecord,
  type WriteHold,
} from './meta-db.ts'

const random = createSeededRandom('meta')
const storeId = toStoreId(random.bytes(32))
const childId = toStoreId(random.bytes(32))
const peer = toPublicKey(random.bytes(32))
const genesis = { bytes: random.bytes(90), signature: random.bytes(64) }

let root = ''
let meta: MetaDb
function reopen(): void {
  meta.close()
  meta = openMetaDb(join(root, 'meta.db'))
}
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'lattice-meta-'))
  meta = openMetaDb(join(root, 'meta.db'))
})
afterEach(() => {
  meta.close()
  rmSync(root, { recursive: true, force: true })
})

const recorded: NewStore = {
  id: storeId,
  parentId: undefined,
  storeType: 'core:kvstore',
  state: 'creating',
  createdAt: 5,
  creation: { name: 'team', genesis },
}
const record: StoreRecord = {
  ...recorded,
  name: 'team',
  isComplete: false,
  isDeleting: false,
  replicatedCount: undefined,
}

describe('meta.db', () => {
  test('a name survives a restart', () => {
    expect(meta.name()).toBeUndefined()
    meta.setName('nas')
    reopen()
    expect(meta.name()).toBe('nas')
  })

  test('what creating a store needs is kept until it is active', () => {
    meta.putStore(record)
    reopen()
    expect(meta.store(storeId)).toEqual(record)
    meta.setState(storeId, 'active')
    expect(meta.store(storeId)).toEqual({ ...record, state: 'active', isComplete: true, creation: undefined })
  })

  test('stores are listed in order of creation and can be forgotten', () => {
    meta.putStore({ ...record, id: childId, parentId: storeId, createdAt: 9, creation: undefined })
    meta.putStore(record)
    expect(meta.stores().map((store) => store.id)).toEqual([storeId, childId])
    meta.removeStore(storeId)
    expect(meta.stores().map((store) => store.parentId)).toEqual([storeId])
  })

  test('what a store was told of this node is kept with the store', () => {
    meta.putStore(record)
    expect(meta.told(storeId, 'name')).toBeUndefined()
    meta.setTold(storeId, { name: 'nas', device: 'linux x64' })
    reopen()
    expect([meta.told(storeId, 'name'), meta.told(storeId, 'device')]).toEqual(['nas', 'linux x64'])
    expect(meta.told(childId, 'name')).toBeUndefined()
    meta.removeStore(storeId)
    expect(meta.told(storeId, 'name')).toBeUndefined()
  })

  test('a bootstrap goes on where it was, and leaves nothing once the store is active', () => {
    meta.putStore({ ...record, state: 'bootstrapping', creation: undefined }, [peer])
    expect(meta.bootstrapPosition(storeId, peer)).toBeUndefined()
    const position = { seq: 300, hash: toHash(random.bytes(32)) }
    meta.saveBootstrapPosition(storeId, peer, position)
    reopen()
    expect(meta.bootstrapPeers(storeId)).toEqual([peer])
    expect(meta.bootstrapPosition(storeId, peer)).toEqual(position)
    meta.setState(storeId, 'active', 'core:logstore')
    expect(meta.bootstrapPeers(storeId)).toEqual([])
    expect(meta.store(storeId)?.storeType).toBe('core:logstore')
  })

  test('addresses are kept latest first, within their bound', () => {
    meta.saveAddresses(peer, ['a', 'b'], 1)
    meta.saveAddresses(peer, ['b'], 2)
    expect(meta.addresses(peer)).toEqual(['b', 'a'])
    for (let index = 0; index < 30; index += 1) meta.saveAddresses(peer, [`host:${index}`], 10 + index)
    expect(meta.addresses(peer)).toHaveLength(MAX_ADDRESSES_PER_PEER)
    expect(meta.addresses(peer)[0]).toBe('host:29')
    expect(meta.addresses(toPublicKey(random.bytes(32)))).toEqual([])
  })

  test('addresses that are told again and again are written once in an hour', () => {
    let commits = 0
    const path = join(root, 'counted.db')
    const counted = openMetaDb(path, { at: (point) => (commits += point === 'commit' ? 1 : 0) })
    const before = commits
    for (let ms = 0; ms < 3_600_000; ms += 60_000) counted.saveAddresses(peer, ['a', 'b'], 1_000 + ms)
    expect(commits - before).toBe(1)
    counted.saveAddresses(peer, ['b', 'a'], 3_601_000)
    expect(commits - before).toBe(2)
    // What is new, or comes back in place of something newer, is written at once.
    counted.saveAddresses(peer, ['c'], 3_601_001)
    expect(counted.addresses(peer)).toEqual(['c', 'a', 'b'])
    counted.saveAddresses(peer, ['b'], 3_601_002)
    expect(counted.addresses(peer)).toEqual(['b', 'c', 'a'])
    counted.close()
  })

  test('a deletion is remembered with its holds, and leaves what is kept without data', () => {
    const hold: WriteHold = {
      reason: 'deletion',
      tips: [toIntentionId(random.bytes(32))],
      isEndKnown: true,
      compared: [],
    }
    meta.putStore({ ...recorded, state: 'bootstrapping', creation: undefined }, [peer])
    meta.setState(storeId, 'active')
    meta.setReplicatedCount(storeId, 7)
    meta.putStore({ ...recorded, id: childId, parentId: storeId, state: 'left', creation: undefined, name: 'x' })
    meta.beginDeletion([
      { id: storeId, hold: undefined },
      { id: childId, hold },
    ])
    reopen()
    expect(meta.store(storeId)).toMatchObject({ isDeleting: true, isComplete: true, replicatedCount: 7 })
    meta.finishDeletion({ kept: [{ id: storeId, state: 'archived' }], removed: [childId] })
    reopen()
    expect(meta.stores()).toMatchObject([
      { id: storeId, state: 'archived', isDeleting: false, isComplete: false, replicatedCount: undefined },
    ])
    expect(meta.writeHold(childId)).toEqual(hold)
  })

  test('what a store was called last, and where it belongs, survives a restart', () => {
    meta.putStore({ ...recorded, creation: { name: 'team', genesis, strategy: 'snapshot' } })
    meta.setStoreName(storeId, 'crew')
    meta.setParent(storeId, childId)
    reopen()
    expect(meta.store(storeId)).toMatchObject({
      name: 'crew',
      parentId: childId,
      creation: { name: 'team', strategy: 'snapshot' },
    })
  })

  test('a store that is left half-way keeps whom it comes from', () => {
    meta.putStore({ ...recorded, state: 'bootstrapping', creation: undefined }, [peer])
    meta.setState(storeId, 'left')
    expect(meta.bootstrapPeers(storeId)).toEqual([peer])
    expect(meta.store(storeId)).toMatchObject({ state: 'left', isComplete: false })
  })

  test('of the version before says of each store whether it was all here', () => {
    const path = join(root, 'before.db')
    const before = openDatabase({
      path,
      contents: 'other',
      durability: 'full',
      applicationId: META_APPLICATION_ID,
      migrations: META_MIGRATIONS.slice(0, 2),
    })
    for (const [number, state] of (['active', 'bootstrapping', 'archived'] as const).entries()) {
      before
        .prepare('INSERT INTO store (id, store_type, state, created_at) VALUES (?, ?, ?, ?)')
        .run(random.bytes(32), 'core:kvstore', state, number)
    }
    before.close()
    const opened = openMetaDb(path)
    expect(opened.stores().map(({ state, isComplete, name }) => [state, isComplete, name])).toEqual([
      ['active', true, ''],
      ['bootstrapping', false, ''],
      ['archived', true, ''],
    ])
    opened.close()
  })

  test('a hold of either kind survives a restart with whom it was compared with', () => {
    const tips = [toIntentionId(random.bytes(32)), toIntentionId(random.bytes(32))]
    for (const reason of ['repair', 'restore', 'deletion', 'return'] as const) {
      meta.putWriteHold(storeId, { reason, tips, isEndKnown: true, compared: [] })
      meta.addComparedPeer(storeId, peer)
      reopen()
      expect(meta.writeHold(storeId)).toEqual({ reason, tips, isEndKnown: true, compared: [peer] })
    }
    meta.removeWriteHold(storeId)
    expect(meta.writeHold(storeId)).toBeUndefined()
  })

  test('a hold of the version before is one of a repair', () => {
    const path = join(root, 'old.db')
    const migrations = META_MIGRATIONS.slice(0, 2)
    const options = { path, contents: 'other', durability: 'full', applicationId: META_APPLICATION_ID } as const
    const old = openDatabase({ ...options, migrations })
    old.prepare('INSERT INTO write_hold VALUES (?, ?, 0)').run(storeId, new Uint8Array(0))
    old.close()
    const opened = openMetaDb(path)
    expect(opened.writeHold(storeId)).toEqual({ reason: 'repair', tips: [], isEndKnown: false, compared: [] })
    opened.close()
  })

  test('a reader sees what is there, of the version before too, and changes nothing', () => {
    const path = join(root, 'old.db')
    const options = { path, contents: 'other', durability: 'full', applicationId: META_APPLICATION_ID } as const
    openDatabase({ ...options, migrations: META_MIGRATIONS.slice(0, 1) }).close()
    const reader = openMetaReader(path)
    expect(reader.identity()).toBeUndefined()
    expect(reader.stores()).toEqual([])
    expect(reader.schemaVersion).toBe(1)
    reader.close()
    const again = openMetaReader(path)
    expect(again.schemaVersion).toBe(1)
    again.close()
  })
})
