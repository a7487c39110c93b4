import { toHex, utf8Encode } from '@lattice/model'
import { describe, expect, test } from 'vitest'
import {
  ackChildDestroy,
  ackStoreDestroy,
  activateSchema,
  addChild,
  claimInvite,
  createInvite,
  destroyStore,
  listSystem,
  setAppId,
  setChildStatus,
  setName,
  setPeerDevice,
  setPeerName,
  setPrunePolicy,
  setReplication,
  setStrategy,
} from '../src/index.ts'
import { admit, anna, child, creator, openTestStore, storeType, tokenHash } from './open-test-store.ts'

describe('the listing', () => {
  test('shows every key of the table, each decoded for people', () => {
    const store = openTestStore()
    const author = creator
    for (const write of [
      setName({ author, name: 'team' }),
      setStrategy({ author, strategy: { kind: 'independent', parent: undefined } }),
      setAppId({ author, appId: 'notes' }),
      activateSchema({ author, version: 2 }),
      admit(author, anna, 'reader'),
      setPeerName({ author, peer: anna, name: 'Änna' }),
      setPeerDevice({ author, peer: anna, device: 'linux x64' }),
      addChild({ author, child, alias: 'diary', storeType, independent: true }),
      setChildStatus({ author, child, status: 'destroyed' }),
      ackChildDestroy({ author, child }),
      createInvite({ author, tokenHash, expiresAt: 1_700_000_000_000, uses: 2, role: 'writer' }),
      claimInvite({ author, tokenHash, claimedBy: anna, usesLeft: 1 }),
      setReplication({ author, factor: 3, crush: Uint8Array.of(1, 2) }),
      setPrunePolicy({ author, policy: { kind: 'keep_days', days: 30 } }),
      destroyStore({ author }),
      ackStoreDestroy({ author }),
    ])
      expect(store.submit(write).kind).toBe('applied')
    const [creatorHex, annaHex, childHex, hash] = [creator, anna, child, tokenHash].map(toHex)
    const rows = new Map([...listSystem(store.read)].map(({ key, text }) => [key, text]))
    for (const id of store.ids) rows.delete(`grant/${creatorHex}/${toHex(id)}`)
    const grants = [...rows.keys()].filter((key) => key.startsWith('grant/') || key.startsWith('schema/'))
    expect(grants.map((key) => rows.get(key))).toEqual(['reader', '2'])
    for (const key of grants) rows.delete(key)
    expect(Object.fromEntries(rows)).toEqual({
      'app-id': 'notes',
      creator: creatorHex,
      destroyed: 'yes',
      name: 'team',
      'prune-policy': 'keep 30 days',
      'replication/crush': '0x0102',
      'replication/factor': '3',
      schema: '2',
      strategy: 'independent',
      [`child/${childHex}/alias`]: 'diary',
      [`child/${childHex}/destroy-ack/${creatorHex}`]: 'yes',
      [`child/${childHex}/independent`]: 'yes',
      [`child/${childHex}/status`]: 'destroyed',
      [`child/${childHex}/type`]: 'core:kvstore',
      [`destroy-ack/${creatorHex}`]: 'yes',
      [`invite/${hash}/claimed-by/${annaHex}`]: 'yes',
      [`invite/${hash}/expires-at`]: '2023-11-14T22:13:20.000Z',
      [`invite/${hash}/invited-by`]: creatorHex,
      [`invite/${hash}/role`]: 'writer',
      [`invite/${hash}/status`]: 'open',
      [`invite/${hash}/uses`]: '1',
      [`peer/${annaHex}/added-at`]: '1970-01-01T00:00:00.005Z',
      [`peer/${annaHex}/added-by`]: creatorHex,
      [`peer/${annaHex}/device`]: 'linux x64',
      [`peer/${annaHex}/name`]: 'Änna',
      [`peer/${annaHex}/role`]: 'reader',
      [`peer/${annaHex}/status`]: 'active',
      [`peer/${creatorHex}/added-at`]: '1970-01-01T00:00:01.001Z',
      [`peer/${creatorHex}/added-by`]: creatorHex,
      [`peer/${creatorHex}/role`]: 'admin',
      [`peer/${creatorHex}/status`]: 'active',
    })
  })

  test('shows of a conflict what is meant, and that it is one', () => {
    const store = openTestStore()
    store.submit(addChild({ author: creator, child, alias: 'diary', storeType }))
    const past = [...store.ids]
    store.submit(setChildStatus({ author: creator, child, status: 'destroyed' }), { past })
    store.submit(setChildStatus({ author: creator, child, status: 'active' }), { past })
    const row = [...listSystem(store.read)].find(({ key }) => key.endsWith('/status') && key.startsWith('child/'))
    expect(row).toEqual({
      key: `child/${toHex(child)}/status`,
      text: 'destroyed',
      raw: Uint8Array.of(3),
      conflicted: true,
    })
  })

  test('shows the bytes of what it cannot decode, and goes on', () => {
    const store = openTestStore()
    const whole = [...listSystem(store.read)].length
    store.tables.system.set(utf8Encode(`peer/${toHex(anna)}/status`), Uint8Array.of(0xff, 0xff))
    store.tables.system.set(utf8Encode('zzz'), Uint8Array.of(1))
    store.tables.system.set(Uint8Array.of(0xff), Uint8Array.of(1))
    const rows = [...listSystem(store.read)]
    expect(rows).toHaveLength(whole + 3)
    expect(rows.filter(({ text }) => text === undefined).map(({ key }) => key)).toEqual([
      `peer/${toHex(anna)}/status`,
      '0x7a7a7a',
      '0xff',
    ])
  })
})
