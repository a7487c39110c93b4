import {
  compareBytes,
  concatBytes,
  idKey,
  type IntentionId,
  toIntentionId,
  toPublicKey,
  utf8Encode,
} from '@lattice/model'
import { createMemoryTable, type MemoryTable } from '@lattice/model/testing'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { applyWrite } from './apply-write.ts'
import {
  applyPurge,
  findPurges,
  type KvPurge,
  PURGE_KEY_TOMBSTONES,
  PURGE_SLICE_ROWS,
  PURGE_WRITE_BYTES,
} from './purge.ts'
import { heads } from './read-table.ts'
import { compareHeads, type KvState } from './value-codec.ts'

const TOMBSTONE: KvState = { kind: 'tombstone' }
const VALUE: KvState = { kind: 'value', value: utf8Encode('value') }
const key = utf8Encode('k')
const idOf = (number: number): IntentionId => {
  const bytes = new Uint8Array(32)
  new DataView(bytes.buffer).setUint32(0, number)
  return toIntentionId(bytes)
}

interface Written {
  readonly state?: KvState
  readonly key?: Uint8Array
  readonly deps?: readonly IntentionId[]
}

/** One author for each write, so that none replaces another uncited. */
function write(
  table: MemoryTable,
  number: number,
  { state = TOMBSTONE, key: name = key, deps = [] }: Written = {},
): void {
  const author = toPublicKey(idOf(number))
  applyWrite(table, { id: idOf(number), timestamp: { wall: number, counter: 0 }, author, deps, key: name, state })
}

const all = (): boolean => true
const purge = (table: MemoryTable, numbers: readonly number[], covers: (id: IntentionId) => boolean = all) =>
  applyPurge(table, { key, tombstones: numbers.map(idOf), covers })
const left = (table: MemoryTable): readonly string[] => heads(table, key).map(({ id }) => idKey(id))
const named = (numbers: readonly number[]): readonly string[] => numbers.map((number) => idKey(idOf(number)))

describe('a purge', () => {
  test('takes the row away where only named tombstones are left, and nobody reads anything else', () => {
    const table = createMemoryTable()
    write(table, 1)
    write(table, 2)
    expect(purge(table, [1, 2])).toBeUndefined()
    expect(table.entries()).toEqual([])
  })

  test('drops no value, no tombstone that it does not name, and none that its author had not in its past', () => {
    const table = createMemoryTable()
    write(table, 1, { state: VALUE })
    for (const number of [2, 3, 4]) write(table, number)
    purge(table, [1, 2, 3], (id) => !idKey(id).startsWith(idKey(idOf(3))))
    expect(left(table)).toEqual(named([4, 3, 1]))
  })

  test('of what is not there changes nothing', () => {
    const table = createMemoryTable()
    expect(purge(table, [1])).toBeUndefined()
    write(table, 1)
    const before = table.entries()
    expect(purge(table, [2])).toBeUndefined()
    expect(table.entries()).toEqual(before)
  })

  test('says what a reader sees of it', () => {
    const table = createMemoryTable()
    write(table, 1, { state: VALUE })
    write(table, 3)
    // The key was deleted, and reads as the value that had lost.
    expect(purge(table, [3])).toMatchObject({ key, after: { value: utf8Encode('value'), conflicted: false } })
    write(table, 4, { state: VALUE })
    write(table, 2)
    // Two values are as much of a conflict as two and a tombstone.
    expect(purge(table, [2])).toBeUndefined()
    expect(left(table)).toEqual(named([4, 1]))
  })

  // Model: of all writes of a key those that no other cites, without tombstones that a purge names and has in its past.
  test('leaves the same in any causal order', () => {
    const draws = fc.array(
      fc.record({
        kind: fc.constantFrom('value' as const, 'tombstone' as const, 'purge' as const),
        cited: fc.uniqueArray(fc.nat({ max: 14 }), { maxLength: 3, size: 'max' }),
        names: fc.uniqueArray(fc.nat({ max: 14 }), { minLength: 1, maxLength: 4 }),
      }),
      { maxLength: 14, size: 'max' },
    )
    let purged = 0
    fc.assert(
      fc.property(draws, fc.infiniteStream(fc.nat()), (drawn, picks) => {
        const ops = drawn.map(({ kind, cited, names }, index) => {
          const deps = cited.filter((back) => back < index).map((back) => back + 1)
          // Half of the purges name all that they have in their past, and any others.
          const rest = names.map((place) => place + 1)
          return { number: index + 1, kind, deps, names: index % 2 === 0 ? [...deps, ...rest] : rest }
        })
        const table = createMemoryTable()
        const waiting = [...ops]
        const done = new Set<number>()
        while (waiting.length > 0) {
          const ready = waiting.filter(({ deps }) => deps.every((dep) => done.has(dep)))
          const next = ready[(picks.next().value ?? 0) % ready.length]
          if (next === undefined) break
          waiting.splice(waiting.indexOf(next), 1)
          done.add(next.number)
          const deps = next.deps.map(idOf).toSorted(compareBytes)
          const covers = (id: IntentionId): boolean => deps.some((dep) => idKey(dep) === idKey(id))
          if (next.kind === 'purge') purge(table, next.names, covers)
          else write(table, next.number, { state: next.kind === 'value' ? VALUE : TOMBSTONE, deps })
        }
        const writes = ops.filter(({ kind }) => kind !== 'purge')
        const cited = new Set(writes.flatMap(({ deps }) => deps))
        const gone = new Set(
          ops.flatMap(({ kind, deps, names }) => (kind === 'purge' ? names.filter((name) => deps.includes(name)) : [])),
        )
        const model = writes.filter(({ number, kind }) => !cited.has(number) && (kind === 'value' || !gone.has(number)))
        purged += writes.filter(({ number, kind }) => kind === 'tombstone' && gone.has(number)).length
        const order = model.map(({ number }) => number).toSorted((a, b) => b - a)
        expect(left(table)).toEqual(named(order))
        expect(table.entries()).toHaveLength(model.length === 0 ? 0 : 1)
        expect(heads(table, key)).toEqual(heads(table, key).toSorted(compareHeads))
      }),
      { numRuns: 500 },
    )
    expect(purged).toBeGreaterThan(50)
  })
})

function found(table: MemoryTable, isSeen: (id: IntentionId) => boolean = all) {
  const steps = [...findPurges(table, isSeen)]
  return { purges: steps.flatMap((step) => step ?? []), writes: steps.filter((step) => step !== undefined), steps }
}

describe('what is to be purged', () => {
  test('are keys that are deleted and nothing else, by what everybody has seen', () => {
    const table = createMemoryTable()
    const at = (name: string): Written => ({ key: utf8Encode(name) })
    write(table, 1, at('deleted'))
    write(table, 2, { ...at('kept'), state: VALUE })
    write(table, 3, at('lost'))
    write(table, 4, { ...at('lost'), state: VALUE })
    write(table, 5, at('unseen'))
    write(table, 6, at('half seen'))
    write(table, 7, at('half seen'))
    write(table, 9, at('twice'))
    write(table, 8, at('twice'))
    const isSeen = (id: IntentionId): boolean => ![5, 7].some((number) => idKey(idOf(number)) === idKey(id))
    expect(found(table, isSeen).purges).toEqual([
      { key: utf8Encode('deleted'), tombstones: [idOf(1)] },
      { key: utf8Encode('twice'), tombstones: [idOf(8), idOf(9)] },
    ])
  })

  test('is found slice by slice, each row once, and written in parts', () => {
    const table = createMemoryTable()
    const count = 3 * PURGE_SLICE_ROWS + 1
    for (let number = 1; number <= count; number += 1) write(table, number, { key: idOf(number) })
    const { purges, writes, steps } = found(table)
    expect(purges.map((each) => idKey(each.key))).toEqual(Array.from({ length: count }, (_, at) => idKey(idOf(at + 1))))
    expect(steps.filter((step) => step === undefined)).toHaveLength(4)
    const bytes = (list: readonly KvPurge[]): number => list.length * (32 + 34)
    expect(writes.length).toBeGreaterThan(2)
    for (const list of writes) expect(bytes(list)).toBeLessThanOrEqual(PURGE_WRITE_BYTES)
  })

  test('goes on where it was when the rows before are gone, and ends with the table', () => {
    const table = createMemoryTable()
    for (let number = 1; number <= 2 * PURGE_SLICE_ROWS; number += 1) write(table, number, { key: idOf(number) })
    const purges: KvPurge[] = []
    for (const step of findPurges(table, all)) {
      for (const each of step ?? []) applyPurge(table, { ...each, covers: all })
      purges.push(...(step ?? []))
    }
    expect(purges).toHaveLength(2 * PURGE_SLICE_ROWS)
    expect(table.entries()).toEqual([])
    expect(found(table).purges).toEqual([])
  })

  test('ends a slice early where rows are large', () => {
    const table = createMemoryTable()
    const value = new Uint8Array(100_000)
    for (let number = 1; number <= 40; number += 1) {
      write(table, number, { key: idOf(number), state: { kind: 'value', value } })
    }
    expect(found(table).steps.length).toBeGreaterThan(3)
  })

  test('names so many tombstones of a key at once, and the rest the next time', () => {
    const table = createMemoryTable()
    for (let number = 1; number <= PURGE_KEY_TOMBSTONES + 6; number += 1) write(table, number)
    const [first] = found(table).purges
    expect(first?.tombstones).toHaveLength(PURGE_KEY_TOMBSTONES)
    if (first !== undefined) applyPurge(table, { ...first, covers: all })
    const [second] = found(table).purges
    expect(second?.tombstones).toHaveLength(6)
    expect(concatBytes(...(second?.tombstones ?? []))).toHaveLength(6 * 32)
  })
})
