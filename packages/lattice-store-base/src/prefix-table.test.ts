import { equalBytes, type TableRange, toHex } from '@lattice/model'
import { createMemoryTable } from '@lattice/model/testing'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { prefixedReadTable, prefixedWriteTable } from './prefix-table.ts'

// Few bytes, the extremes among them, so that keys and bounds meet.
const bytes = (maxLength: number): fc.Arbitrary<Uint8Array> =>
  fc.array(fc.constantFrom(0, 1, 254, 255), { maxLength }).map((list) => Uint8Array.from(list))
const prefixes = fc
  .tuple(bytes(2), bytes(2))
  .filter(([a, b]) => !equalBytes(a.subarray(0, b.length), b) && !equalBytes(b.subarray(0, a.length), a))
const step = fc.record({
  part: fc.nat({ max: 1 }),
  key: bytes(3),
  value: fc.option(fc.uint8Array({ maxLength: 2 }), { nil: undefined }),
})
const range: fc.Arbitrary<TableRange> = fc.record(
  { gte: bytes(3), lt: bytes(3), limit: fc.integer({ min: 1, max: 4 }), reverse: fc.boolean() },
  { requiredKeys: [] },
)
const shown = (rows: Iterable<{ readonly key: Uint8Array; readonly value: Uint8Array }>): string[] =>
  [...rows].map(({ key, value }) => `${toHex(key)}=${toHex(value)}`)

describe('a part of a table', () => {
  // Model: a table of its own for each part.
  test('reads and writes as a table of its own would, and leaves the other part alone', () => {
    fc.assert(
      fc.property(prefixes, fc.array(step, { maxLength: 20 }), range, (pair, steps, asked) => {
        const whole = createMemoryTable()
        const parts = pair.map((prefix) => prefixedWriteTable(whole, prefix))
        const models = pair.map(() => createMemoryTable())
        for (const { part, key, value } of steps) {
          for (const table of [parts[part], models[part]]) {
            if (value === undefined) table?.delete(key)
            else table?.set(key, value)
          }
        }
        for (const [index, prefix] of pair.entries()) {
          const [part, model] = [prefixedReadTable(whole, prefix), models[index]]
          for (const { key } of steps) {
            expect(part.get(key)).toEqual(model?.get(key))
            if (part.peek !== undefined) expect(part.peek(key)).toEqual(model?.get(key))
          }
          expect(shown(part.scan(asked))).toEqual(shown(model?.scan(asked) ?? []))
        }
        expect(whole.entries()).toHaveLength(models.reduce((sum, model) => sum + model.entries().length, 0))
      }),
      { numRuns: 500 },
    )
  })

  test('ends where its prefix does, also when that is all ones', () => {
    const whole = createMemoryTable()
    for (const key of [[254], [255], [255, 0], [255, 255], [255, 255, 9]])
      whole.set(Uint8Array.from(key), new Uint8Array())
    const part = prefixedReadTable(whole, Uint8Array.of(255, 255))
    expect(shown(part.scan({ reverse: true }))).toEqual(['09=', '='])
  })

  test('can be peeked into where the table can', () => {
    const { peek: _, ...unpeekable } = createMemoryTable()
    expect(prefixedReadTable(unpeekable, Uint8Array.of(1)).peek).toBeUndefined()
    const value = Uint8Array.of(7)
    const peekable = { ...unpeekable, peek: (key: Uint8Array) => (toHex(key) === '0102' ? value : undefined) }
    expect(prefixedReadTable(peekable, Uint8Array.of(1)).peek?.(Uint8Array.of(2))).toBe(value)
  })
})
