import { compareBytes, toIntentionId, toPublicKey, utf8Decode, utf8Encode, type WriteTable } from '@lattice/model'
import { createMemoryTable } from '@lattice/model/testing'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { applyWrite } from './apply-write.ts'
import { get, headIds, heads, type KvRange, scan } from './read-table.ts'

let counter = 0
function put(table: WriteTable, key: Uint8Array | string, value: string | undefined): void {
  counter += 1
  const id = new Uint8Array(32)
  new DataView(id.buffer).setUint32(0, counter)
  applyWrite(table, {
    id: toIntentionId(id),
    timestamp: { wall: counter, counter: 0 },
    author: toPublicKey(new Uint8Array(32)),
    deps: [],
    key: typeof key === 'string' ? utf8Encode(key) : key,
    state: value === undefined ? { kind: 'tombstone' } : { kind: 'value', value: utf8Encode(value) },
  })
}
const keysOf = (table: WriteTable, range: KvRange): (string | undefined)[] =>
  [...scan(table, range)].map((entry) => utf8Decode(entry.key))

describe('reads', () => {
  test('a key that was never written reads as nothing', () => {
    const table = createMemoryTable()
    expect(get(table, utf8Encode('a'))).toBeUndefined()
    expect(heads(table, utf8Encode('a'))).toEqual([])
    expect(headIds(table, [utf8Encode('a')])).toEqual([])
  })

  test('a deleted key is left out; one that is deleted in conflict comes without a value', () => {
    const table = createMemoryTable()
    put(table, 'gone', undefined)
    put(table, 'torn', 'x')
    put(table, 'torn', undefined)
    expect([...scan(table, {})].map(({ value, conflicted }) => ({ value, conflicted }))).toEqual([
      { value: undefined, conflicted: true },
    ])
    expect(get(table, utf8Encode('gone'))).toMatchObject({ value: undefined, conflicted: false })
  })

  test('every winner is cited before the first loser', () => {
    const table = createMemoryTable()
    put(table, 'a', '1')
    put(table, 'a', '2')
    put(table, 'b', '3')
    const keys = [utf8Encode('a'), utf8Encode('b')]
    const winners = keys.map((key) => heads(table, key)[0]?.id)
    expect(headIds(table, keys).slice(0, 2)).toEqual(winners)
    expect(headIds(table, keys)).toHaveLength(3)
  })

  test('a scan takes rows only as they are asked for', () => {
    const table = createMemoryTable()
    for (const key of ['a', 'b', 'c']) put(table, key, 'x')
    let taken = 0
    const counting = {
      get: table.get,
      *scan(range: Parameters<WriteTable['scan']>[0]) {
        for (const row of table.scan(range)) {
          taken += 1
          yield row
        }
      },
    }
    const [first] = scan(counting, {})
    expect(utf8Decode(first?.key ?? new Uint8Array())).toBe('a')
    expect(taken).toBe(1)
  })

  test('prefix, range and position intersect', () => {
    const table = createMemoryTable()
    for (const key of ['a', 'a/1', 'a/2', 'a/3', 'b']) put(table, key, 'x')
    const bytes = utf8Encode
    expect(keysOf(table, { prefix: bytes('a/') })).toEqual(['a/1', 'a/2', 'a/3'])
    expect(keysOf(table, { prefix: bytes('a/'), after: bytes('a/1') })).toEqual(['a/2', 'a/3'])
    expect(keysOf(table, { prefix: bytes('a/'), after: bytes('a/3'), reverse: true })).toEqual(['a/2', 'a/1'])
    expect(keysOf(table, { prefix: bytes('a/'), gte: bytes('a/2'), lt: bytes('c') })).toEqual(['a/2', 'a/3'])
    expect(keysOf(table, { gte: bytes('c'), lt: bytes('a') })).toEqual([])
  })

  // Model: filter the sorted list of all keys.
  test('a scan is the sorted list of keys, filtered', () => {
    const short = fc
      .uint8Array({ minLength: 1, maxLength: 3 })
      .map((bytes) => bytes.map((byte) => (byte % 2 === 0 ? 0 : 255)))
    const maybe = fc.option(short, { nil: undefined })
    fc.assert(
      fc.property(fc.array(short), fc.tuple(maybe, maybe, maybe, maybe), fc.boolean(), (keys, bounds, reverse) => {
        const [prefix, gte, lt, after] = bounds
        const table = createMemoryTable()
        for (const key of keys) put(table, key, 'x')
        const range = {
          ...(prefix && { prefix }),
          ...(gte && { gte }),
          ...(lt && { lt }),
          ...(after && { after }),
          reverse,
        }
        const all = table.entries().map((row) => row.key)
        const model = all.filter(
          (key) =>
            (prefix === undefined || compareBytes(key.subarray(0, prefix.length), prefix) === 0) &&
            (gte === undefined || compareBytes(key, gte) >= 0) &&
            (lt === undefined || compareBytes(key, lt) < 0) &&
            (after === undefined || compareBytes(key, after) * (reverse ? -1 : 1) > 0),
        )
        expect([...scan(table, range)].map((entry) => entry.key)).toEqual(reverse ? model.reverse() : model)
      }),
    )
  })
})
