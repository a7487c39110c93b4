import { describe, expect, test } from 'vitest'
import {
  ackChildDestroy,
  ackStoreDestroy,
  activateSchema,
  addChild,
  admitPeer,
  batchSystemWrites,
  cancelInvite,
  claimInvite,
  createInvite,
  createSystemAuthority,
  createSystemLayer,
  destroyStore,
  isAdmin,
  readChild,
  readChildren,
  readDestroyAcks,
  readInvite,
  readPeer,
  readSchema,
  readStrategy,
  setChildAlias,
  setChildStatus,
  setName,
  setPeerName,
  setPeerRole,
  setPeerStatus,
  setStrategy,
  type SystemWrite,
  SystemWriteRefused,
} from '../src/index.ts'
import {
  admit,
  anna,
  bert,
  child,
  creator,
  keyOf,
  openTestStore,
  rejected,
  storeType,
  type TestStore,
  tokenHash,
} from './open-test-store.ts'

const add = addChild({ author: creator, child, alias: 'notes', storeType })
const status = (word: 'active' | 'archived' | 'destroyed'): SystemWrite =>
  setChildStatus({ author: creator, child, status: word })
const invite = createInvite({ author: creator, tokenHash, expiresAt: 99, uses: 3, role: 'writer' })
const claim = (usesLeft: number, claimedBy = anna): SystemWrite =>
  claimInvite({ author: creator, tokenHash, claimedBy, usesLeft })
const cancel = cancelInvite({ author: creator, tokenHash })

/** What the author cites: its own grant, which the authority sees to, and what the operation itself relies on. */
function cited(store: TestStore, author: typeof anna, write: SystemWrite): readonly Uint8Array[] {
  return [
    ...createSystemAuthority().requiredDeps(store.tables, author, store.envelope(write.op)),
    ...write.deps(store.tables),
  ]
}

describe('a peer', () => {
  test('that is announced has no right, and gets none but by its admission', () => {
    const store = openTestStore()
    store.submit(admitPeer({ author: creator, peer: anna, status: 'invited', role: 'admin', addedAt: 5 }))
    expect(readPeer(store.read, anna)).toMatchObject({ status: 'invited', role: 'admin' })
    expect(store.submit(setPeerRole({ author: creator, peer: anna, role: 'admin' }))).toEqual(
      rejected('peer_not_admitted'),
    )
    for (const word of ['active', 'dormant'] as const) {
      const write = setPeerStatus({ author: creator, peer: anna, status: word })
      expect(store.submit(write)).toEqual(rejected('peer_not_admitted'))
    }
    expect(isAdmin(store.read, anna)).toBe(false)
    expect(store.submit(admit(creator, anna, 'reader')).kind).toBe('applied')
    expect(readPeer(store.read, anna)).toMatchObject({ status: 'active', role: 'reader' })
  })

  test('that is announced may be announced anew, with another role', () => {
    const store = openTestStore()
    for (const role of ['admin', 'reader'] as const) {
      store.submit(admitPeer({ author: creator, peer: anna, status: 'invited', role, addedAt: 5 }))
      expect(readPeer(store.read, anna)).toMatchObject({ status: 'invited', role })
    }
  })

  test('that is admitted stays so, whoever announces it at the same time', () => {
    const store = openTestStore()
    const past = [...store.ids]
    store.submit(admit(creator, anna, 'writer'), { past })
    const announced = admitPeer({ author: creator, peer: anna, status: 'invited', role: 'admin', addedAt: 5 })
    store.submit(announced, { past })
    expect(readPeer(store.read, anna)).toMatchObject({ status: 'active', role: 'writer', conflicted: true })
    expect(store.submit(announced)).toEqual(rejected('needs_epoch'))
  })

  test('is away and back', () => {
    const store = openTestStore()
    store.submit(admit(creator, anna, 'writer'))
    for (const word of ['dormant', 'active', 'dormant'] as const) {
      expect(store.submit(setPeerStatus({ author: creator, peer: anna, status: word }))).toMatchObject({
        events: [{ kind: 'peer_changed', peer: { status: word, role: 'writer' } }],
      })
    }
    expect(store.submit(setPeerStatus({ author: creator, peer: anna, status: 'dormant' }))).toEqual({
      kind: 'applied',
      events: [],
    })
  })

  test('cannot be changed in a batch that only announces it', () => {
    const store = openTestStore()
    const announced = admitPeer({ author: creator, peer: anna, status: 'invited', role: 'admin', addedAt: 5 })
    const raised = setPeerRole({ author: creator, peer: anna, role: 'admin' })
    expect(store.submit(batchSystemWrites([announced, raised], creator))).toEqual(rejected('peer_not_admitted'))
    expect(store.submit(batchSystemWrites([admit(creator, anna), announced, raised], creator))).toEqual(
      rejected('peer_not_admitted'),
    )
    expect(store.submit(batchSystemWrites([announced, admit(creator, anna), raised], creator)).kind).toBe('applied')
    expect(readPeer(store.read, anna)).toMatchObject({ status: 'active', role: 'admin' })
  })

  test('gains nothing from a batch that makes its own author an admin', () => {
    const store = openTestStore()
    store.submit(admit(creator, anna, 'writer'))
    const batch = batchSystemWrites([admit(anna, anna, 'admin'), admit(anna, bert, 'admin')], anna)
    expect(store.submit(batch, { author: anna })).toEqual(rejected('not_admin'))
  })

  test('named by another admin than the one that admitted it: the admission is cited', () => {
    const store = openTestStore()
    store.submit(admit(creator, anna, 'admin'))
    store.submit(admit(creator, bert, 'reader'))
    const [, annas, berts] = store.ids
    const write = setPeerName({ author: anna, peer: bert, name: 'bert' })
    expect(write.deps(store.tables)).toEqual([berts])
    expect(cited(store, anna, write)).toEqual([annas, berts])
    expect(cited(store, creator, write)).toEqual([berts])
  })
})

describe('a child', () => {
  test('is added once: a second addition that follows the first changes nothing', () => {
    const store = openTestStore()
    store.submit(add)
    store.submit(status('archived'))
    const rows = store.tables.system.entries()
    const again = addChild({ author: creator, child, alias: 'other', storeType, independent: true })
    expect(store.submit(again)).toEqual(rejected('child_exists'))
    expect(store.tables.system.entries()).toEqual(rows)
    expect(readChild(store.read, child)).toMatchObject({ alias: 'notes', status: 'archived', independent: false })
  })

  test('that two add at once is one child, in conflict until someone settles it', () => {
    const store = openTestStore()
    const past = [...store.ids]
    store.submit(add, { past })
    store.submit(addChild({ author: creator, child, alias: 'diary', storeType }), { past })
    expect([...readChildren(store.read)]).toMatchObject([{ alias: 'diary', status: 'active', conflicted: true }])
    store.submit(setChildAlias({ author: creator, child, alias: 'diary' }))
    store.submit(status('active'))
    expect(readChild(store.read, child)).toMatchObject({ alias: 'diary', status: 'active' })
  })

  test('that is not declared in its past cannot be changed', () => {
    const store = openTestStore()
    const past = [...store.ids]
    store.submit(add)
    for (const write of [
      status('archived'),
      status('destroyed'),
      setChildAlias({ author: creator, child, alias: 'x' }),
    ]) {
      expect(store.submit(write, { past })).toEqual(rejected('child_unknown'))
    }
    expect(store.submit(ackChildDestroy({ author: creator, child }), { past })).toEqual(rejected('child_unknown'))
  })

  test('that was destroyed stays destroyed, whatever follows', () => {
    const store = openTestStore()
    store.submit(add)
    store.submit(status('destroyed'))
    for (const word of ['active', 'archived', 'destroyed'] as const) {
      expect(store.submit(status(word))).toEqual(rejected('child_destroyed'))
    }
    expect(store.submit(add)).toEqual(rejected('child_exists'))
    expect(readChild(store.read, child)).toMatchObject({ status: 'destroyed' })
  })

  test('that is destroyed stays so against what is concurrent and later by the clock', () => {
    const store = openTestStore()
    store.submit(add)
    const past = [...store.ids]
    expect(store.submit(status('destroyed'), { past })).toMatchObject({
      events: [{ kind: 'child_changed', child: { status: 'destroyed' } }],
    })
    store.submit(status('archived'), { past })
    store.submit(status('active'), { past })
    expect(readChild(store.read, child)).toMatchObject({ status: 'destroyed', conflicted: true })
    // Nor does it come back for one that has only seen the others.
    const [genesis, added, , archived, active] = store.ids
    const others = [genesis, added, archived, active].flatMap((id) => id ?? [])
    expect(store.submit(status('active'), { past: others }).kind).toBe('applied')
    expect(readChild(store.read, child)).toMatchObject({ status: 'destroyed' })
  })

  test('that becomes destroyed behind a later write is told of, though the row had a conflict before', () => {
    const store = openTestStore()
    store.submit(add)
    const past = [...store.ids]
    store.submit(status('archived'), { past, wall: 5000 })
    store.submit(status('active'), { past, wall: 6000 })
    expect(store.submit(status('destroyed'), { past, wall: 4000 })).toMatchObject({
      events: [{ kind: 'child_changed', child: { status: 'destroyed' } }],
    })
  })

  test('is not brought back by the batch that destroys it', () => {
    const store = openTestStore()
    store.submit(add)
    const undone = batchSystemWrites([status('destroyed'), status('active')], creator)
    expect(store.submit(undone)).toEqual(rejected('child_destroyed'))
    expect(readChild(store.read, child)?.status).toBe('active')
    expect(store.submit(batchSystemWrites([status('archived'), status('destroyed')], creator)).kind).toBe('applied')
    expect(readChild(store.read, child)?.status).toBe('destroyed')
  })

  test('is acknowledged as destroyed once it is, by a peer that cites what it speaks of', () => {
    const store = openTestStore()
    store.submit(admit(creator, anna))
    store.submit(add)
    const ack = ackChildDestroy({ author: anna, child })
    expect(store.submit(ack, { author: anna })).toEqual(rejected('child_not_destroyed'))
    expect(() => ack.deps(store.tables)).toThrow(SystemWriteRefused)
    store.submit(status('destroyed'))
    const [, annas, added] = store.ids
    const destroyed = store.ids.at(-1)
    expect(cited(store, anna, ack)).toEqual([annas, added, destroyed])
    expect(store.submit(ack, { author: anna }).kind).toBe('applied')
    expect(readChild(store.read, child)?.destroyAcks).toEqual([anna])
  })

  test('is made, destroyed and acknowledged in one batch', () => {
    const store = openTestStore()
    const ack = ackChildDestroy({ author: creator, child })
    expect(store.submit(batchSystemWrites([add, status('destroyed'), ack], creator)).kind).toBe('applied')
    expect(readChild(store.read, child)).toMatchObject({ status: 'destroyed', destroyAcks: [creator] })
  })
})

describe('an invite', () => {
  test('is made once, and used and cancelled only where it was made', () => {
    const store = openTestStore()
    expect(store.submit(claim(2))).toEqual(rejected('invite_unknown'))
    expect(store.submit(cancel)).toEqual(rejected('invite_unknown'))
    store.submit(invite)
    expect(store.submit(invite)).toEqual(rejected('invite_exists'))
    expect(store.submit(claim(2)).kind).toBe('applied')
  })

  test('that was cancelled admits nobody: an admission in one batch with a use is void', () => {
    const store = openTestStore()
    store.submit(invite)
    store.submit(cancel)
    expect(store.submit(cancel)).toEqual(rejected('invite_cancelled'))
    expect(store.submit(batchSystemWrites([admit(creator, anna), claim(2)], creator))).toEqual(
      rejected('invite_cancelled'),
    )
    expect(readPeer(store.read, anna)).toBeUndefined()
  })

  test('that is cancelled while it is used stays cancelled, and tells of the use', () => {
    for (const usesLeft of [2, 0]) {
      for (const first of [cancel, claim(usesLeft)]) {
        const store = openTestStore()
        store.submit(invite)
        const past = [...store.ids]
        store.submit(first, { past })
        store.submit(first === cancel ? claim(usesLeft) : cancel, { past })
        expect(readInvite(store.read, tokenHash)).toMatchObject({ status: 'cancelled', usesLeft, claimedBy: [anna] })
      }
    }
  })

  test('has the fewest uses that a concurrent claim left it', () => {
    const store = openTestStore()
    store.submit(invite)
    const past = [...store.ids]
    store.submit(claim(0, anna), { past })
    store.submit(claim(2, bert), { past })
    expect(readInvite(store.read, tokenHash)).toMatchObject({ status: 'claimed', usesLeft: 0, claimedBy: [anna, bert] })
  })
})

describe('a store', () => {
  test('has one strategy for good', () => {
    const store = openTestStore()
    store.submit(setStrategy({ author: creator, strategy: { kind: 'inherited', parent: child } }))
    for (const strategy of [
      { kind: 'independent', parent: undefined } as const,
      { kind: 'inherited', parent: child } as const,
    ]) {
      expect(store.submit(setStrategy({ author: creator, strategy }))).toEqual(rejected('strategy_set'))
    }
    expect(readStrategy(store.read)).toEqual({ kind: 'inherited', parent: child })
  })

  test('is destroyed once, and acknowledged as such after that', () => {
    const store = openTestStore()
    store.submit(admit(creator, anna))
    const ack = ackStoreDestroy({ author: anna })
    expect(store.submit(ack, { author: anna })).toEqual(rejected('store_not_destroyed'))
    expect(store.submit(destroyStore({ author: creator }))).toMatchObject({ events: [{ kind: 'store_destroyed' }] })
    expect(store.submit(destroyStore({ author: creator }))).toEqual(rejected('store_destroyed'))
    expect(cited(store, anna, ack)).toEqual([store.ids[1], store.ids[3]])
    expect(store.submit(ack, { author: anna })).toEqual({
      kind: 'applied',
      events: [{ kind: 'store_destroy_acknowledged', peer: anna }],
    })
    expect(readDestroyAcks(store.read)).toEqual([anna])
  })

  test('shows the highest schema that was activated, and has app data cite it', () => {
    const store = openTestStore()
    store.submit(admit(creator, anna))
    store.submit(activateSchema({ author: creator, version: 3 }))
    store.submit(activateSchema({ author: creator, version: 2 }))
    expect(readSchema(store.read)).toBe(3)
    const payload = store.envelope({ case: 'appData', value: new Uint8Array() }, 2)
    const authority = createSystemAuthority()
    expect(authority.requiredDeps(store.tables, anna, payload)).toEqual([store.ids[1], store.ids[2]])
    expect(authority.requiredDeps(store.tables, creator, payload)).toEqual([store.ids[2]])
  })
})

describe('a write that would not count', () => {
  test('is refused before it is signed, with the rule that is against it', () => {
    const store = openTestStore()
    store.submit(admit(creator, anna, 'admin'))
    const outcome = (write: typeof add): unknown => {
      try {
        return write.deps(store.tables).length
      } catch (error) {
        const { code, detail } = error as SystemWriteRefused
        return [code, detail.reason]
      }
    }
    expect(outcome(setName({ author: keyOf(9), name: 'x' }))).toEqual(['NOT_ADMIN', 'not_admin'])
    expect(outcome(setPeerRole({ author: creator, peer: anna, role: 'writer' }))).toEqual([
      'WRONG_STATE',
      'needs_epoch',
    ])
    expect(outcome(setPeerRole({ author: creator, peer: bert, role: 'writer' }))).toEqual([
      'PEER_NOT_FOUND',
      'peer_unknown',
    ])
    expect(outcome(claim(1))).toEqual(['INVITE_NOT_FOUND', 'invite_unknown'])
    expect(outcome(status('archived'))).toEqual(['STORE_NOT_FOUND', 'child_unknown'])
    expect(outcome(add)).toBe(0)
    store.submit(add)
    expect(outcome(add)).toEqual(['STORE_EXISTS', 'child_exists'])
  })

  test('and counts wherever it was not refused', () => {
    const layer = createSystemLayer()
    const store = openTestStore(layer)
    store.submit(admit(creator, anna, 'admin'))
    store.submit(add)
    for (const write of [
      setChildAlias({ author: anna, child, alias: 'b' }),
      setChildStatus({ author: anna, child, status: 'archived' }),
      setPeerName({ author: anna, peer: creator, name: 'boss' }),
    ]) {
      const deps = [
        ...write.deps(store.tables),
        ...createSystemAuthority().requiredDeps(store.tables, anna, store.envelope(write.op)),
      ]
      expect(store.submit(write, { author: anna, past: deps }).kind).toBe('applied')
    }
  })
})
