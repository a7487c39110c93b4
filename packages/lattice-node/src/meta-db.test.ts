import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { toHash, toPublicKey, toStoreId } from '@lattice/model'
import { createSeededRandom } from '@lattice/model/testing'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { MAX_ADDRESSES_PER_PEER, type MetaDb, openMetaDb, type StoreRecord } from './meta-db.ts'

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
})
