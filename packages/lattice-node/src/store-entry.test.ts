import { idKey, type IdKey, type StoreId, toStoreId } from '@lattice/model'
import { describe, expect, test } from 'vitest'
import type { MetaStoreState } from './meta-db.ts'
import { createStoreEntry, outOfUse, parentsFirst, stateOf, type StoreEntry, withDescendants } from './store-entry.ts'

const idOf = (number: number): StoreId => toStoreId(new Uint8Array(32).fill(number))

/** Stores by number, each with its state and the number of its parent; parents may come last. */
function treeOf(stores: readonly (readonly [number, MetaStoreState, number?])[]): Map<IdKey, StoreEntry> {
  const entries = new Map<IdKey, StoreEntry>()
  for (const [number, state, parent] of stores) {
    const record = {
      id: idOf(number),
      parentId: parent === undefined ? undefined : idOf(parent),
      storeType: 'core:kvstore',
      state,
      createdAt: 0,
      creation: undefined,
      name: '',
      isComplete: true,
      isDeleting: false,
      replicatedCount: undefined,
    }
    const entry = createStoreEntry(record, { entryOf: (id) => entries.get(idKey(id)), hasData: true })
    entries.set(idKey(record.id), entry)
  }
  return entries
}

const at = (entries: ReadonlyMap<IdKey, StoreEntry>, number: number): StoreEntry => {
  const entry = entries.get(idKey(idOf(number)))
  if (entry === undefined) throw new Error('no such store')
  return entry
}
const numbers = (entries: readonly StoreEntry[]): number[] => entries.map(({ record }) => record.id[0] ?? 0)

describe('the state of a store', () => {
  test('is its own while all above it are in use, whatever became of them otherwise', () => {
    const tree = treeOf([
      [1, 'active'],
      [2, 'bootstrapping', 1],
      [3, 'active', 2],
    ])
    at(tree, 1).failure = new Error('damaged')
    expect(stateOf(at(tree, 1))).toBe('failed')
    expect(stateOf(at(tree, 2))).toBe('bootstrapping')
    expect(stateOf(at(tree, 3))).toBe('active')
  })

  test('is the gravest on the way up', () => {
    const tree = treeOf([
      [1, 'left'],
      [2, 'archived', 1],
      [3, 'active', 2],
      [4, 'destroyed', 3],
      [5, 'active', 4],
    ])
    expect([1, 2, 3, 4, 5].map((number) => stateOf(at(tree, number)))).toEqual([
      'left',
      'left',
      'left',
      'destroyed',
      'destroyed',
    ])
    expect(outOfUse(at(tree, 3))).toBe(at(tree, 1))
  })
})

describe('the order of stores', () => {
  test('puts every parent first, at any depth', () => {
    const tree = treeOf([...Array(200).keys()].slice(1).map((number) => [number, 'active', number + 1] as const))
    const order = numbers(parentsFirst(tree))
    expect(order).toHaveLength(199)
    expect(order[0]).toBe(199)
    expect(numbers(withDescendants(tree, at(tree, 3))).toSorted((a, b) => a - b)).toEqual([1, 2, 3])
  })

  test('ends in a circle', () => {
    const tree = treeOf([
      [1, 'active', 2],
      [2, 'archived', 1],
      [3, 'active', 1],
    ])
    expect(numbers(parentsFirst(tree)).toSorted((a, b) => a - b)).toEqual([1, 2, 3])
    expect(stateOf(at(tree, 3))).toBe('archived')
  })
})
