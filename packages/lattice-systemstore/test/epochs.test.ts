import { create } from '@bufbuild/protobuf'
import { formatSExpr, toHex } from '@lattice/model'
import { weaver } from '@lattice/proto'
import type { OpOutcome } from '@lattice/store-base'
import { describe, expect, test } from 'vitest'
import {
  admitPeer,
  createSystemAuthority,
  createSystemLayer,
  isAdmin,
  listSystem,
  readEpochSeq,
  readPeer,
  setName,
  setPeerRole,
  setPeerStatus,
} from '../src/index.ts'
import {
  admit,
  anna,
  bert,
  creator,
  openTestStore,
  type OpOptions,
  rejected,
  type TestStore,
} from './open-test-store.ts'

type Taken = readonly (readonly [Uint8Array, 0 | 1 | 2])[]

function epoch(seq: number, taken?: Taken): weaver.UniversalOp {
  const removals = taken?.map(([peer, remains]) => ({ peer, remains })) ?? []
  const cause = create(weaver.EpochCauseSchema, {
    cause: taken === undefined ? { case: 'initial', value: {} } : { case: 'membership', value: { removals } },
  })
  const value = create(weaver.EpochOpSchema, { seq: BigInt(seq), cause })
  return create(weaver.UniversalOpSchema, { op: { case: 'epoch', value } })
}

function take(store: TestStore, taken: Taken, options: OpOptions = {}): OpOutcome<unknown> {
  return store.apply(epoch(1, taken), options)
}

describe('an epoch', () => {
  test('is wished for when the first other peer may write, and not again after it', () => {
    const store = openTestStore()
    expect(store.submit(admit(creator, creator, 'admin'))).not.toHaveProperty('epoch')
    expect(store.submit(admit(creator, anna, 'reader'))).not.toHaveProperty('epoch')
    expect(
      store.submit(admitPeer({ author: creator, peer: bert, status: 'invited', role: 'admin', addedAt: 1 })),
    ).not.toHaveProperty('epoch')
    expect(store.submit(setPeerRole({ author: creator, peer: anna, role: 'writer' }))).toMatchObject({
      epoch: { kind: 'initial' },
    })
    expect(store.submit(admit(creator, bert, 'admin'))).toMatchObject({ epoch: { kind: 'initial' } })
    expect(store.apply(epoch(0))).toEqual({ kind: 'applied', events: [] })
    expect(readEpochSeq(store.read)).toBe(0n)
    expect(store.submit(setPeerRole({ author: creator, peer: anna, role: 'admin' }))).not.toHaveProperty('epoch')
  })

  test('revokes a peer, which then has no role and no right, and tells of it once', () => {
    const store = openTestStore()
    store.submit(admit(creator, anna, 'admin'))
    expect(take(store, [[anna, 0]])).toEqual({
      kind: 'applied',
      events: [
        { kind: 'peer_changed', peer: expect.objectContaining({ peer: anna, status: 'revoked', role: 'none' }) },
        { kind: 'peer_revoked', peer: anna },
      ],
    })
    expect(isAdmin(store.read, anna)).toBe(false)
    expect(createSystemAuthority().admits(store.tables, anna)).toBe(false)
    expect(store.submit(setName({ author: anna, name: 'x' }), { author: anna })).toEqual(rejected('not_admin'))
    expect(store.submit(setPeerStatus({ author: creator, peer: anna, status: 'active' }))).toEqual(
      rejected('peer_not_admitted'),
    )
    expect(take(store, [[anna, 0]])).toEqual({ kind: 'applied', events: [] })
    const rows = new Map([...listSystem(store.read)].map(({ key, text }) => [key, text]))
    expect(rows.get(`peer/${toHex(anna)}/status`)).toBe('revoked')
    expect([...rows].filter(([key]) => key.startsWith('revocation/')).map(([, text]) => text)).toEqual(['none', 'none'])
    expect(rows.get('epoch')).toBe('1')
    expect([...rows.values()]).not.toContain(undefined)
  })

  test('demotes a peer, which keeps what is left, and can be promoted again', () => {
    const store = openTestStore()
    store.submit(admit(creator, anna, 'admin'))
    expect(take(store, [[anna, 2]])).toMatchObject({
      events: [
        { kind: 'peer_changed', peer: { status: 'active', role: 'writer' } },
        { kind: 'peer_demoted', peer: anna, role: 'writer' },
      ],
    })
    expect([isAdmin(store.read, anna), createSystemAuthority().admits(store.tables, anna)]).toEqual([false, true])
    take(store, [[anna, 1]])
    expect([readPeer(store.read, anna)?.role, createSystemAuthority().admits(store.tables, anna)]).toEqual([
      'reader',
      false,
    ])
    expect(store.submit(setPeerRole({ author: creator, peer: anna, role: 'writer' }))).toMatchObject({
      events: [{ peer: { role: 'writer' } }],
    })
    expect(isAdmin(store.read, anna)).toBe(false)
    expect(store.submit(setPeerRole({ author: creator, peer: anna, role: 'admin' })).kind).toBe('applied')
    expect(store.submit(setName({ author: anna, name: 'x' }), { author: anna }).kind).toBe('applied')
    expect(readPeer(store.read, anna)?.role).toBe('admin')
  })

  test('takes nothing that is admitted again after it, also with a weaker role than before', () => {
    const store = openTestStore()
    store.submit(admit(creator, anna, 'admin'))
    expect(store.submit(admit(creator, anna, 'writer'))).toEqual(rejected('needs_epoch'))
    take(store, [[anna, 0]])
    store.submit(admitPeer({ author: creator, peer: anna, status: 'invited', role: 'writer', addedAt: 1 }))
    expect(readPeer(store.read, anna)).toMatchObject({ status: 'invited', role: 'writer' })
    expect(createSystemAuthority().admits(store.tables, anna)).toBe(false)
    expect(store.submit(admit(creator, anna, 'writer')).kind).toBe('applied')
    const grant = store.ids.at(-1)
    expect(readPeer(store.read, anna)).toMatchObject({ status: 'active', role: 'writer', conflicted: false })
    expect(isAdmin(store.read, anna)).toBe(false)
    const payload = store.envelope({ case: 'appData', value: new Uint8Array() })
    expect(createSystemAuthority().requiredDeps(store.tables, anna, payload)).toEqual([grant])
    expect(store.submit(admit(creator, anna, 'reader'))).toEqual(rejected('needs_epoch'))
    // Where the revocation is not in its past the stronger role still is.
    const [genesis, first] = store.ids
    const past = [genesis, first].flatMap((id) => id ?? [])
    expect(store.submit(admit(creator, anna, 'writer'), { past })).toEqual(rejected('needs_epoch'))
  })

  test('revokes also against what is concurrent and later by the clock, in either order', () => {
    for (const isFirst of [true, false]) {
      const store = openTestStore()
      store.submit(admit(creator, anna))
      const past = [...store.ids]
      if (isFirst) take(store, [[anna, 0]], { past })
      store.submit(setPeerStatus({ author: creator, peer: anna, status: 'dormant' }), { past, wall: 9000 })
      store.submit(admit(creator, anna, 'admin'), { past, wall: 9001 })
      if (!isFirst) take(store, [[anna, 0]], { past })
      expect(readPeer(store.read, anna)).toMatchObject({ status: 'revoked', role: 'none', conflicted: true })
      expect(isAdmin(store.read, anna)).toBe(false)
    }
  })

  test('of a creator that came back has its later writes cite what brought it back', () => {
    const store = openTestStore()
    store.submit(admit(creator, anna, 'admin'))
    take(store, [[creator, 0]], { author: anna })
    const payload = store.envelope({ case: 'appData', value: new Uint8Array() })
    expect(createSystemAuthority().requiredDeps(store.tables, creator, payload)).toEqual([])
    expect(createSystemAuthority().admits(store.tables, creator)).toBe(false)
    store.submit(admit(anna, creator, 'writer'), { author: anna })
    expect(createSystemAuthority().requiredDeps(store.tables, creator, payload)).toEqual([store.ids.at(-1)])
  })

  test('limits who was demoted to what a writer may, where the kernel says so', () => {
    const limited = createSystemLayer()
    const store = openTestStore({
      ...limited,
      apply: (tables, op) => limited.apply(tables, { ...op, limit: 'writer' }),
    })
    expect(store.submit(setName({ author: creator, name: 'x' }))).toEqual(rejected('not_admin'))
    expect(store.apply(store.envelope({ case: 'appData', value: new Uint8Array() })).kind).toBe('applied')
  })

  test('that is malformed changes nothing', () => {
    const store = openTestStore()
    const rows = store.tables.system.entries()
    for (const taken of [
      [],
      [[anna.slice(1), 0]],
      [
        [bert, 0],
        [anna, 0],
      ],
    ] as readonly Taken[])
      expect(take(store, taken)).toEqual(rejected('kernel_op'))
    expect(store.tables.system.entries()).toEqual(rows)
  })

  test('reads for people', () => {
    const show = (op: weaver.UniversalOp): string => formatSExpr(createSystemLayer().summarize(op))
    expect(show(epoch(0))).toBe('(epoch 0 initial)')
    expect(
      show(
        epoch(3, [
          [anna, 0],
          [bert, 2],
        ]),
      ),
    ).toBe(`(epoch 3 membership (0x${toHex(anna)} none) (0x${toHex(bert)} writer))`)
    expect(show(create(weaver.UniversalOpSchema, { op: { case: 'epoch', value: {} } }))).toBe('(epoch 0)')
  })
})
