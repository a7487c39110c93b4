import { idKey, type IdKey, parseStoreType, type StoreId, toStoreId } from '@lattice/model'
import type { ChildEntry } from '@lattice/systemstore'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ChildChange, compareChildren, type KnownStore } from './declared-children.ts'
import { META_STORE_STATES } from './meta-stores.ts'

const idOf = (number: number): StoreId => toStoreId(new Uint8Array(32).fill(number))
const [TEAM, NOTES, EVIL] = [idOf(1), idOf(2), idOf(3)]
const parsed = parseStoreType('core:kvstore')
if (!parsed.ok) throw new Error('it is a store type')
const storeType = parsed.value

function child(id: StoreId, change: Partial<ChildEntry> = {}): ChildEntry {
  return {
    child: id,
    alias: 'notes',
    storeType,
    status: 'active',
    independent: false,
    destroyAcks: [],
    conflicted: false,
    ...change,
  }
}

function store(id: StoreId, change: Partial<KnownStore> = {}): KnownStore {
  return {
    id,
    parentId: undefined,
    state: 'active',
    isComplete: true,
    hasData: true,
    isDeleting: false,
    named: undefined,
    disowned: new Set(),
    declares: undefined,
    ...change,
  }
}

const root = (id: StoreId, ...children: readonly ChildEntry[]): KnownStore =>
  store(id, {
    named: { parent: undefined },
    declares: new Map(children.map((entry) => [idKey(entry.child), entry])),
  })

const changesOf = (...stores: readonly KnownStore[]): ChildChange[] =>
  compareChildren(new Map(stores.map((one) => [idKey(one.id), one])))

const notes = (change: Partial<KnownStore> = {}): KnownStore =>
  store(NOTES, { parentId: TEAM, named: { parent: TEAM }, ...change })

describe('a declared child that is new here', () => {
  test.each([
    [child(NOTES), 'bootstrapping'],
    [child(NOTES, { independent: true }), 'left'],
    [child(NOTES, { status: 'archived' }), 'archived'],
    [child(NOTES, { status: 'destroyed' }), 'destroyed'],
  ])('is recorded as what it is declared (%#)', (entry, state) => {
    expect(changesOf(root(TEAM, entry))).toEqual([{ kind: 'appeared', parentId: TEAM, child: entry, state }])
  })

  test('of several parents is fetched for the one that shares its peers', () => {
    const [change] = changesOf(root(EVIL, child(NOTES, { independent: true })), root(TEAM, child(NOTES)))
    expect(change).toMatchObject({ kind: 'appeared', parentId: TEAM, state: 'bootstrapping' })
  })
})

describe('a child that is recorded under its parent', () => {
  test.each<[Partial<KnownStore>, ChildEntry['status'], string | undefined]>([
    [{ state: 'active' }, 'active', undefined],
    [{ state: 'active' }, 'archived', 'archived'],
    [{ state: 'active' }, 'destroyed', 'destroyed'],
    [{ state: 'bootstrapping', isComplete: false }, 'archived', 'archived'],
    [{ state: 'archived' }, 'active', 'active'],
    [{ state: 'archived', isComplete: false }, 'active', 'bootstrapping'],
    [{ state: 'archived', isComplete: false, hasData: false }, 'active', 'bootstrapping'],
    [{ state: 'left' }, 'active', undefined],
    [{ state: 'left' }, 'archived', undefined],
    [{ state: 'left', hasData: false }, 'archived', 'archived'],
    [{ state: 'left' }, 'destroyed', 'destroyed'],
    [{ state: 'destroyed' }, 'active', undefined],
    [{ state: 'destroyed' }, 'archived', undefined],
    [{ state: 'creating' }, 'destroyed', undefined],
    [{ state: 'active', isDeleting: true }, 'archived', undefined],
  ])('follows what it declares (%#)', (change, status, state) => {
    const expected = state === undefined ? [] : [{ kind: 'state', id: NOTES, state }]
    expect(changesOf(root(TEAM, child(NOTES, { status })), notes(change))).toEqual(expected)
    const closed = notes({ ...change, named: undefined })
    expect(changesOf(root(TEAM, child(NOTES, { status })), closed)).toEqual(expected)
  })

  test.each<[Partial<KnownStore>, string | undefined]>([
    [{ state: 'active' }, undefined],
    [{ state: 'bootstrapping', isComplete: false }, 'archived'],
    [{ state: 'bootstrapping', isComplete: false, hasData: false, named: undefined }, 'archived'],
    [{ state: 'left' }, undefined],
    [{ state: 'creating' }, undefined],
  ])('stays as it is where that declares it no more, but for what never came (%#)', (change, state) => {
    const expected = state === undefined ? [] : [{ kind: 'state', id: NOTES, state }]
    expect(changesOf(root(TEAM), notes(change))).toEqual(expected)
    // Of a parent that is not in use nothing is known.
    expect(changesOf(store(TEAM, { state: 'bootstrapping' }), notes(change))).toEqual([])
    expect(changesOf(notes(change))).toEqual([])
  })

  test('that was given up as nobody declared it is fetched once somebody does', () => {
    const unseen = { isComplete: false, hasData: false, named: undefined }
    const [change] = changesOf(root(TEAM), notes({ ...unseen, state: 'bootstrapping' }))
    if (change?.kind !== 'state') throw new Error('its state changes')
    expect(changesOf(root(TEAM, child(NOTES)), notes({ ...unseen, state: change.state }))).toEqual([
      { kind: 'state', id: NOTES, state: 'bootstrapping' },
    ])
  })

  test('with peers of its own that was archived unseen is known again, not fetched', () => {
    const unseen = notes({ state: 'archived', isComplete: false, hasData: false, named: undefined })
    expect(changesOf(root(TEAM, child(NOTES, { independent: true })), unseen)).toEqual([
      { kind: 'state', id: NOTES, state: 'left' },
    ])
  })
})

describe('a declaration that the store does not bear out', () => {
  const hostile = root(EVIL, child(NOTES, { status: 'destroyed' }), child(TEAM, { status: 'destroyed' }))

  test('does nothing to a child of another, open or closed, nor to a root', () => {
    const team = root(TEAM, child(NOTES))
    expect(changesOf(hostile, team, notes())).toEqual([])
    expect(changesOf(hostile, team, notes({ named: undefined }))).toEqual([])
    expect(changesOf(hostile, store(TEAM, { state: 'left' }), notes({ named: undefined }))).toEqual([])
  })

  test('has what was fetched for it disowned, and what was here otherwise stand on its own', () => {
    const declared = root(EVIL, child(NOTES))
    const foreign = { parentId: EVIL, named: { parent: undefined } }
    expect(changesOf(declared, store(NOTES, { ...foreign, state: 'bootstrapping', isComplete: false }))).toEqual([
      { kind: 'disowned', id: NOTES, parentId: EVIL },
    ])
    expect(changesOf(declared, store(NOTES, foreign))).toEqual([
      { kind: 'moved', id: NOTES, parentId: undefined, state: 'active' },
    ])
  })

  test('gives way to the parent that it names', () => {
    const fetched = store(NOTES, {
      parentId: EVIL,
      named: { parent: TEAM },
      state: 'bootstrapping',
      isComplete: false,
    })
    expect(changesOf(root(EVIL, child(NOTES)), root(TEAM, child(NOTES)), fetched)).toEqual([
      { kind: 'moved', id: NOTES, parentId: TEAM, state: 'bootstrapping' },
    ])
    // One joined by a token finds its place.
    const joined = store(NOTES, { named: { parent: TEAM } })
    expect(changesOf(root(TEAM, child(NOTES)), joined)).toMatchObject([{ kind: 'moved', parentId: TEAM }])
    expect(changesOf(root(TEAM), joined)).toEqual([])
  })

  test('that was seen through is tried for another parent, once for each', () => {
    const left = store(NOTES, {
      parentId: EVIL,
      state: 'left',
      isComplete: false,
      hasData: false,
      disowned: new Set([idKey(EVIL)]),
    })
    const [evil, team] = [root(EVIL, child(NOTES)), root(TEAM, child(NOTES))]
    expect(changesOf(evil, left)).toEqual([])
    expect(changesOf(evil, team, left)).toEqual([{ kind: 'moved', id: NOTES, parentId: TEAM, state: 'bootstrapping' }])
    const again = { ...left, parentId: TEAM, disowned: new Set([idKey(EVIL), idKey(TEAM)]) }
    expect(changesOf(evil, team, again)).toEqual([])
  })

  test('in a circle is not followed', () => {
    const above = store(TEAM, {
      named: { parent: NOTES },
      declares: new Map([[idKey(NOTES), child(NOTES)]]),
    })
    const below = notes({ declares: new Map([[idKey(TEAM), child(TEAM)]]) })
    expect(changesOf(above, below)).toEqual([])
  })
})

describe('comparing', () => {
  const anyId = fc.integer({ min: 1, max: 5 }).map(idOf)
  const anyChild = fc
    .tuple(anyId, fc.constantFrom('active', 'archived', 'destroyed'), fc.boolean())
    .map(([id, status, independent]) => child(id, { status, independent }))
  const anyStore: fc.Arbitrary<KnownStore> = fc
    .record({
      id: anyId,
      parentId: fc.option(anyId, { nil: undefined }),
      state: fc.constantFrom(...META_STORE_STATES),
      isComplete: fc.boolean(),
      hasData: fc.boolean(),
      named: fc.option(fc.record({ parent: fc.option(anyId, { nil: undefined }) }), { nil: undefined }),
      children: fc.option(fc.array(anyChild, { maxLength: 4 }), { nil: undefined }),
    })
    .map(({ children, ...rest }) => ({
      ...rest,
      isDeleting: false,
      disowned: new Set<IdKey>(),
      declares: children && new Map(children.map((entry) => [idKey(entry.child), entry])),
    }))

  // What the hierarchy does with a change, as far as the comparison sees it.
  function apply(stores: Map<IdKey, KnownStore>, change: ChildChange): void {
    if (change.kind === 'appeared') {
      const fresh = store(change.child.child, { parentId: change.parentId, state: change.state })
      stores.set(idKey(change.child.child), { ...fresh, isComplete: false, hasData: false })
      return
    }
    const before = stores.get(idKey(change.id))
    if (before === undefined) throw new Error('only what is recorded changes')
    const disowned = new Set(before.disowned)
    if (change.kind === 'disowned') disowned.add(idKey(change.parentId))
    stores.set(idKey(change.id), {
      ...before,
      ...(change.kind === 'disowned'
        ? { state: 'left', hasData: false, isComplete: false, named: undefined }
        : { state: change.state }),
      ...(change.kind === 'moved' ? { parentId: change.parentId } : {}),
      disowned,
    })
  }

  test('comes to rest whatever is declared, and a destroyed store stays destroyed', () => {
    fc.assert(
      fc.property(fc.uniqueArray(anyStore, { selector: ({ id }) => idKey(id), maxLength: 5 }), (all) => {
        const stores = new Map(all.map((one) => [idKey(one.id), one]))
        let rounds = 0
        for (let changes = compareChildren(stores); changes.length > 0; changes = compareChildren(stores)) {
          for (const change of changes) apply(stores, change)
          rounds += 1
          expect(rounds).toBeLessThan(12)
        }
        for (const { id, state, parentId, isComplete, hasData, named } of all) {
          const isOwn = named === undefined || (named.parent !== undefined) === (parentId !== undefined)
          const wasHere = isComplete && hasData && isOwn
          if (state === 'destroyed' && wasHere) expect(stores.get(idKey(id))?.state).toBe('destroyed')
        }
      }),
      { numRuns: 2000 },
    )
  })

  test('never ends or closes a root by what others declare', () => {
    fc.assert(
      fc.property(fc.array(anyChild, { maxLength: 6 }), (children) => {
        const changes = changesOf(root(EVIL, ...children), root(TEAM), store(NOTES, { named: { parent: undefined } }))
        expect(changes.filter((change) => change.kind !== 'appeared')).toEqual([])
      }),
    )
  })
})
