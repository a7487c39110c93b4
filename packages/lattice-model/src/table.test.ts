import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compareBytes, toHex, utf8Encode } from './bytes.ts'
import { prefixRange, type TableRange } from './table.ts'
import { createMemoryTable } from './testing.ts'

const keys = fc.uint8Array({ maxLength: 3, max: 3 })
const nearEnd = fc.array(fc.constantFrom(0, 0xfe, 0xff), { maxLength: 3 }).map((bytes) => Uint8Array.from(bytes))

describe('MemoryTable', () => {
  test('behaves as a sorted map', () => {
    const steps = fc.array(fc.tuple(keys, fc.option(fc.uint8Array({ maxLength: 2 }))))
    const ranges = fc.record(
      { gte: keys, lt: keys, limit: fc.nat({ max: 4 }), reverse: fc.boolean() },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(steps, ranges, (changes, range) => {
        const table = createMemoryTable()
        const model = new Map<string, { key: Uint8Array; value: Uint8Array }>()
        for (const [key, value] of changes) {
          if (value === null) {
            table.delete(key)
            model.delete(toHex(key))
          } else {
            table.set(key, value)
            model.set(toHex(key), { key, value })
          }
          expect(table.get(key)).toEqual(value ?? undefined)
        }
        const sorted = [...model.values()].sort((a, b) => compareBytes(a.key, b.key))
        expect(table.entries()).toEqual(sorted)
        expect(table.size()).toBe(sorted.length)
        expect([...table.scan(range)]).toEqual(rowsIn(sorted, range))
      }),
      { numRuns: 300 },
    )
  })

  function rowsIn<T extends { readonly key: Uint8Array }>(sorted: readonly T[], range: TableRange): T[] {
    const within = sorted.filter(
      ({ key }) =>
        (range.gte === undefined || compareBytes(key, range.gte) >= 0) &&
        (range.lt === undefined || compareBytes(key, range.lt) < 0),
    )
    return (range.reverse === true ? within.reverse() : within).slice(0, range.limit ?? within.length)
  }

  test('keeps no array it was given and gives none it keeps', () => {
    const table = createMemoryTable()
    const [key, value] = [Uint8Array.of(1), Uint8Array.of(2)]
    table.set(key, value)
    key[0] = 9
    value[0] = 9
    const got = table.get(Uint8Array.of(1))
    if (got) got[0] = 7
    expect(table.entries()).toEqual([{ key: Uint8Array.of(1), value: Uint8Array.of(2) }])
  })

  test('writing while a scan is open is a bug', () => {
    const table = createMemoryTable()
    table.set(Uint8Array.of(1), Uint8Array.of())
    table.set(Uint8Array.of(2), Uint8Array.of())
    expect(() => {
      for (const row of table.scan({})) table.delete(row.key)
    }).toThrow('while a scan is open')
  })

  test('is empty once cleared', () => {
    const table = createMemoryTable()
    table.set(Uint8Array.of(1), Uint8Array.of())
    table.clear()
    expect(table.entries()).toEqual([])
    expect(table.get(Uint8Array.of(1))).toBeUndefined()
  })
})

test('the range of a prefix holds exactly the keys that start with it', () => {
  fc.assert(
    fc.property(nearEnd, fc.array(nearEnd), (prefix, candidates) => {
      const table = createMemoryTable()
      for (const key of candidates) table.set(key, new Uint8Array())
      const expected = new Set(candidates.map(toHex).filter((key) => key.startsWith(toHex(prefix))))
      expect(new Set([...table.scan(prefixRange(prefix))].map((row) => toHex(row.key)))).toEqual(expected)
    }),
    { numRuns: 500 },
  )
})

/** As Node's Buffer is: its slices share memory. */
class SharingBytes extends Uint8Array {
  override slice(start?: number, end?: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.buffer).subarray(start, end)
  }
}

test('prefixRange leaves the prefix as it was, also when its slices share memory', () => {
  const prefix = SharingBytes.from(utf8Encode('1F60'))
  const { gte, lt } = prefixRange(prefix)
  expect(toHex(prefix)).toBe(toHex(utf8Encode('1F60')))
  expect(toHex(gte ?? new Uint8Array())).toBe(toHex(utf8Encode('1F60')))
  expect(toHex(lt ?? new Uint8Array())).toBe(toHex(utf8Encode('1F61')))
})
