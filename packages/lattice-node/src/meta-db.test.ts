import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { toHash, toIntentionId, toPublicKey, toStoreId } from '@lattice/model'
import { createSeededRandom } from '@lattice/model/testing'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openDatabase } from '@lattice/storage'
import { MAX_ADDRESSES_PER_PEER, type MetaDb, openMetaDb, openMetaReader, type StoreRecord } from './meta-db.ts'
import { META_APPLICATION_ID, META_MIGRATIONS } from './meta-schema.ts'

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

const record: StoreRecord = {
  id: storeId,
  parentId: undefined,
  storeType: 'core:kvstore',
  state: 'creating',
  createdAt: 5,
  creation: { name: 'team', genesis },
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
    expect(meta.store(storeId)).toEqual({ ...record, state: 'active', creation: undefined })
  })

  test('stores are listed in order of creation and can be forgotten', () => {
    meta.putStore({ ...record, id: childId, parentId: storeId, createdAt: 9, creation: undefined })
    meta.putStore(record)
    expect(meta.stores().map((store) => store.id)).toEqual([storeId, childId])
    meta.removeStore(storeId)
    expect(meta.stores().map((store) => store.parentId)).toEqual([storeId])
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

  test('a hold of either kind survives a restart with whom it was compared with', () => {
    const tips = [toIntentionId(random.bytes(32)), toIntentionId(random.bytes(32))]
    for (const reason of ['repair', 'restore'] as const) {
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
