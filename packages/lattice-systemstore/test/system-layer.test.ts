import { create } from '@bufbuild/protobuf'
import { heads } from '@lattice/kvtable'
import { formatSExpr, toHex, utf8Encode } from '@lattice/model'
import { system, weaver } from '@lattice/proto'
import type { Projector, StateMachine } from '@lattice/store-base'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { createSystemAuthority, isAdmin } from '../src/authority.ts'
import { readChildren } from '../src/children.ts'
import { readInvite } from '../src/invites.ts'
import { listSystem } from '../src/list-system.ts'
import {
  admitPeer,
  cancelInvite,
  claimInvite,
  createInvite,
  setPeerName,
  setPeerRole,
  setPeerStatus,
} from '../src/peer-writes.ts'
import { readPeer, readPeers } from '../src/peers.ts'
import { readSchema } from '../src/schema-activation.ts'
import { readCreator, readName, readStrategy } from '../src/store-info.ts'
import { ackChildDestroy, activateSchema, addChild, setChildStatus, setName, setStrategy } from '../src/store-writes.ts'
import type { SystemEvent } from '../src/system-event.ts'
import { createSystemLayer, UpgradeNeeded } from '../src/system-layer.ts'
import { batchSystemWrites, type SystemWrite } from '../src/system-write.ts'
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
  tokenHash,
} from './open-test-store.ts'

describe('genesis', () => {
  test('makes its author the creator, an active ADMIN', () => {
    const { read } = openTestStore()
    expect(readCreator(read)).toEqual(creator)
    expect([...readPeers(read)]).toEqual([
      {
        peer: creator,
        status: 'active',
        role: 'admin',
        name: undefined,
        device: undefined,
        addedAt: 1001,
        addedBy: creator,
        conflicted: false,
      },
    ])
    expect(isAdmin(read, creator)).toBe(true)
  })
})

describe('who may do what', () => {
  test('an ADMIN admits, and what it gave counts from then on', () => {
    const store = openTestStore()
    expect(store.submit(admit(creator, anna, 'admin')).kind).toBe('applied')
    expect(store.submit(admit(anna, bert), { author: anna }).kind).toBe('applied')
    expect(readPeer(store.read, bert)).toMatchObject({ status: 'active', role: 'writer', addedBy: anna, addedAt: 5 })
  })

  test('a grant that is not in its past does not count, although it has arrived', () => {
    const store = openTestStore()
    const before = [...store.ids]
    store.submit(admit(creator, anna, 'admin'))
    const rows = store.tables.system.entries()
    expect(store.submit(admit(anna, bert), { author: anna, past: before })).toEqual(rejected('not_admin'))
    expect(store.tables.system.entries()).toEqual(rows)
  })

  test('a WRITER cannot do what an ADMIN may, nor raise itself', () => {
    const store = openTestStore()
    store.submit(admit(creator, anna))
    const rows = store.tables.system.entries()
    const attempts = [
      admit(anna, bert),
      setPeerRole({ author: anna, peer: anna, role: 'admin' }),
      setPeerStatus({ author: anna, peer: creator, status: 'dormant' }),
      setPeerName({ author: anna, peer: creator, name: 'x' }),
      createInvite({ author: anna, tokenHash, expiresAt: 9, uses: 1, role: 'writer' }),
      claimInvite({ author: anna, tokenHash, claimedBy: bert, usesLeft: 0 }),
      cancelInvite({ author: anna, tokenHash }),
      addChild({ author: anna, child, alias: 'notes', storeType }),
      setName({ author: anna, name: 'mine' }),
      setStrategy({ author: anna, strategy: { kind: 'independent', parent: undefined } }),
      activateSchema({ author: anna, version: 2 }),
    ]
    for (const write of attempts) {
      expect(write.privileged).toBe(true)
      expect(store.submit(write, { author: anna })).toEqual(rejected('not_admin'))
    }
    expect(store.tables.system.entries()).toEqual(rows)
  })

  test('a peer names itself and acknowledges for itself', () => {
    const store = openTestStore()
    store.submit(admit(creator, anna))
    expect(store.submit(setPeerName({ author: anna, name: 'Änna' }), { author: anna })).toEqual({
      kind: 'applied',
      events: [{ kind: 'peer_name_changed', peer: anna, name: 'Änna', device: undefined }],
    })
    store.submit(addChild({ author: creator, child, alias: 'notes', storeType }))
    store.submit(setChildStatus({ author: creator, child, status: 'destroyed' }))
    store.submit(ackChildDestroy({ author: anna, child }), { author: anna })
    expect([...readChildren(store.read)]).toMatchObject([{ alias: 'notes', status: 'destroyed', destroyAcks: [anna] }])
  })

  test('a peer that was not admitted cannot be changed; one that is announced can, and has no right', () => {
    const store = openTestStore()
    expect(store.submit(setPeerRole({ author: creator, peer: bert, role: 'admin' }))).toEqual(rejected('peer_unknown'))
    store.submit(admitPeer({ author: creator, peer: bert, status: 'invited', role: 'admin', addedAt: 5 }))
    expect(readPeer(store.read, bert)).toMatchObject({ status: 'invited', role: 'admin' })
    expect(isAdmin(store.read, bert)).toBe(false)
    expect(store.submit(setPeerName({ author: creator, peer: bert, name: 'b' })).kind).toBe('applied')
  })

  test('taking a right away is left to an epoch', () => {
    const store = openTestStore()
    store.submit(admit(creator, anna, 'admin'))
    const lower = setPeerRole({ author: anna, peer: creator, role: 'writer' })
    expect(store.submit(lower, { author: anna })).toEqual(rejected('needs_epoch'))
    expect(store.submit(admit(creator, anna, 'writer'))).toEqual(rejected('needs_epoch'))
    const revoke = create(system.PeerOpSchema, { peer: anna, op: { case: 'setStatus', value: 4 } })
    expect(store.raw({ op: { case: 'peer', value: revoke } })).toEqual(rejected('needs_epoch'))
    expect(() => setPeerStatus({ author: creator, peer: anna, status: 'revoked' })).toThrow('takes a right away')
  })

  test('a batch is all or nothing, and for one key the last operation counts', () => {
    const store = openTestStore()
    const rows = store.tables.system.entries()
    const half = batchSystemWrites(
      [setName({ author: creator, name: 'a' }), setPeerRole({ author: creator, peer: bert, role: 'admin' })],
      creator,
    )
    expect(store.submit(half)).toEqual(rejected('peer_unknown'))
    expect(store.tables.system.entries()).toEqual(rows)
    const whole = batchSystemWrites(
      [
        setName({ author: creator, name: 'a' }),
        admit(creator, bert),
        setPeerRole({ author: creator, peer: bert, role: 'admin' }),
        setName({ author: creator, name: 'b' }),
      ],
      creator,
    )
    expect(store.submit(whole)).toMatchObject({
      kind: 'applied',
      events: [
        { kind: 'name_changed', name: 'b' },
        { kind: 'peer_changed', peer: { role: 'admin' } },
      ],
    })
    expect(readName(store.read)).toBe('b')
  })
})

describe('authority', () => {
  test('admits the creator and whoever was given the role of a WRITER', () => {
    const store = openTestStore()
    store.submit(admit(creator, anna, 'reader'))
    store.submit(admit(creator, bert, 'writer'))
    const authority = createSystemAuthority()
    expect([creator, anna, bert, keyOf(9)].map((author) => authority.admits(store.tables, author))).toEqual([
      true,
      false,
      true,
      false,
    ])
  })

  test('names the grant to cite: an ADMIN’s for what needs one, none for the creator', () => {
    const store = openTestStore()
    store.submit(admit(creator, anna, 'writer'))
    store.submit(setPeerRole({ author: creator, peer: anna, role: 'admin' }))
    const [, writer, admin] = store.ids
    const authority = createSystemAuthority()
    const appData = store.envelope({ case: 'appData', value: new Uint8Array() })
    const name = store.envelope(setName({ author: anna, name: 'x' }).op)
    expect(authority.requiredDeps(store.tables, anna, appData)).toEqual([writer])
    expect(authority.requiredDeps(store.tables, anna, name)).toEqual([admin])
    expect(authority.requiredDeps(store.tables, creator, name)).toEqual([])
    expect(authority.requiredDeps(store.tables, bert, name)).toEqual([])
  })
})

describe('app data', () => {
  const echo: Pick<StateMachine<string>, 'apply'> & { readonly schemaVersion: number } = {
    schemaVersion: 1,
    apply: (table, op) => {
      table.set(utf8Encode('payload'), op.payload)
      return { kind: 'applied', events: ['echo'] }
    },
  }
  const machineOf = (schemaVersion: number): StateMachine<string> => ({
    ...echo,
    storeType,
    schemaVersion,
    tableVersion: 1,
    service: system.file_lattice_system_v1_system.services[0] ?? notDescribed(),
    commands: {},
    queries: {},
    streams: {},
    summarize: () => ({ kind: 'symbol', name: 'echo' }),
    fieldFormats: {},
    referencedBlobs: () => [],
  })
  function notDescribed(): StateMachine['service'] {
    return Object.create(null)
  }
  const payload = { case: 'appData' as const, value: Uint8Array.of(1) }

  test('goes to the machine inside; without one it is left alone', () => {
    const store = openTestStore(createSystemLayer({ machine: machineOf(1) }))
    expect(store.apply(store.envelope(payload))).toEqual({ kind: 'applied', events: ['echo'] })
    expect(store.tables.app.size()).toBe(1)
    const headless = openTestStore()
    expect(headless.apply(headless.envelope(payload))).toEqual({ kind: 'applied', events: [] })
    expect(headless.tables.app.size()).toBe(0)
  })

  test('a schema counts once its activation is in the past; an older machine stalls there', () => {
    const store = openTestStore(createSystemLayer({ machine: machineOf(2) }))
    const old = openTestStore(createSystemLayer({ machine: machineOf(1) }))
    for (const each of [store, old]) {
      const before = [...each.ids]
      expect(each.apply(each.envelope(payload, 0))).toEqual(rejected('schema_invalid'))
      expect(each.apply(each.envelope(payload, 2))).toEqual(rejected('schema_not_activated'))
      each.submit(activateSchema({ author: creator, version: 2 }))
      expect(readSchema(each.read)).toBe(2)
      expect(each.apply(each.envelope(payload, 2), { past: before })).toEqual(rejected('schema_not_activated'))
    }
    expect(store.apply(store.envelope(payload, 2)).kind).toBe('applied')
    expect(() => old.apply(old.envelope(payload, 2))).toThrow(UpgradeNeeded)
  })

  test('the version names what the tables depend on, and so no schema: a later one changes nothing that is there', () => {
    const versionOf = (machine?: StateMachine<string>): string =>
      createSystemLayer({ ...(machine && { machine }) }).version
    const [headless, first, second] = [versionOf(), versionOf(machineOf(1)), versionOf(machineOf(2))]
    expect(first).toBe(second)
    expect(new Set([headless, first, versionOf({ ...machineOf(1), tableVersion: 2 })]).size).toBe(3)
  })
})

describe('events and readers', () => {
  test('an operation that changes nothing for readers is silent', () => {
    const store = openTestStore()
    expect(store.submit(setName({ author: creator, name: 'a' }))).toEqual({
      kind: 'applied',
      events: [{ kind: 'name_changed', name: 'a' }],
    })
    expect(store.submit(setName({ author: creator, name: 'a' }))).toEqual({ kind: 'applied', events: [] })
  })

  test('an invite is opened, claimed use by use, and tells of every claim', () => {
    const store = openTestStore()
    store.submit(createInvite({ author: creator, tokenHash, expiresAt: 99, uses: 2, role: 'writer' }))
    store.submit(claimInvite({ author: creator, tokenHash, claimedBy: anna, usesLeft: 1 }))
    expect(readInvite(store.read, tokenHash)).toMatchObject({ status: 'open', usesLeft: 1, claimedBy: [anna] })
    store.submit(claimInvite({ author: creator, tokenHash, claimedBy: bert, usesLeft: 0 }))
    expect(readInvite(store.read, tokenHash)).toEqual({
      tokenHash,
      status: 'claimed',
      invitedBy: creator,
      expiresAt: 99,
      usesLeft: 0,
      role: 'writer',
      claimedBy: [anna, bert],
      conflicted: false,
    })
  })

  test('concurrent changes are shown as a conflict', () => {
    const store = openTestStore()
    store.submit(addChild({ author: creator, child, alias: 'a', storeType }))
    const past = [...store.ids]
    store.submit(setChildStatus({ author: creator, child, status: 'active' }), { past })
    store.submit(setChildStatus({ author: creator, child, status: 'archived' }), { past })
    expect([...readChildren(store.read)]).toMatchObject([{ status: 'archived', conflicted: true }])
  })

  // Found as an attack: each operation cost what the row held, and the row grew by each of them.
  test('a row holds one value per branch, also of an author that never cites what it replaces', () => {
    const store = openTestStore()
    store.submit(admit(creator, anna))
    for (let round = 0; round < 20; round += 1) {
      const write = setPeerName({ author: anna, name: `anna ${round}` })
      expect(store.submit(write, { author: anna, deps: [] }).kind).toBe('applied')
    }
    const key = utf8Encode(`peer/${toHex(anna)}/name`)
    expect(heads(store.read, key)).toHaveLength(1)
    const past = [...store.ids].slice(0, -1)
    store.submit(setPeerName({ author: anna, name: 'other' }), { author: anna, past, deps: [] })
    expect(heads(store.read, key)).toHaveLength(2)
    expect(readPeer(store.read, anna)).toMatchObject({ name: 'other', conflicted: true })
  })

  test('a strategy is read back, and everything is listed for people', () => {
    const store = openTestStore()
    store.submit(setStrategy({ author: creator, strategy: { kind: 'inherited', parent: child } }))
    expect(readStrategy(store.read)).toEqual({ kind: 'inherited', parent: child })
    store.submit(setName({ author: creator, name: 'team' }))
    const entries = [...listSystem(store.read)]
    expect(entries.find((entry) => entry.key === 'name')).toMatchObject({ text: 'team', conflicted: false })
    expect(entries.find((entry) => entry.key === 'strategy')?.text).toBe(`inherited ${'07'.repeat(32)}`)
    expect(entries.every((entry) => entry.text !== undefined)).toBe(true)
  })

  test('a damaged row and a key of no kind do not break the listing', () => {
    const store = openTestStore()
    store.tables.system.set(utf8Encode('name'), Uint8Array.of(0xff))
    store.tables.system.set(Uint8Array.of(0, 0xff), Uint8Array.of(1))
    const entries = [...listSystem(store.read)]
    expect(entries).toHaveLength(8)
    expect(entries.find((entry) => entry.key === 'name')).toEqual({
      key: 'name',
      text: undefined,
      raw: new Uint8Array(),
      conflicted: false,
    })
  })

  test('deps of a write are the heads it replaces', () => {
    const store = openTestStore()
    store.submit(setName({ author: creator, name: 'a' }))
    expect(setName({ author: creator, name: 'b' }).deps(store.tables)).toEqual([store.ids[1]])
    expect(setName({ author: creator, name: 'b' }).deps(openTestStore().tables)).toEqual([])
  })

  test('an operation reads for people', () => {
    const show = ({ op }: SystemWrite): string =>
      formatSExpr(createSystemLayer().summarize(create(weaver.UniversalOpSchema, { op })))
    expect(show(admit(creator, anna))).toBe(`(peer-admit 0x${'02'.repeat(32)} active writer 5)`)
    expect(show(batchSystemWrites([setName({ author: creator, name: 'a' })], creator))).toBe(
      '(batch (store-set-name "a"))',
    )
  })

  test('builders refuse what every node would reject', () => {
    expect(() => setName({ author: creator, name: 'a\nb' })).toThrow('cannot be shown')
    expect(() => batchSystemWrites([], creator)).toThrow('the batch is empty')
  })

  test('events are a typed union', () => {
    expectTypeOf<Extract<SystemEvent, { kind: 'name_changed' }>['name']>().toEqualTypeOf<string | undefined>()
    expectTypeOf(createSystemLayer()).toEqualTypeOf<Projector<SystemEvent>>()
  })
})
