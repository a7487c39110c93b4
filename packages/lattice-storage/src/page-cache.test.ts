import { createMemoryTable } from '@lattice/model/testing'
import { expect, test } from 'vitest'
import { createPageCache } from './page-cache.ts'
import type { PageRange } from './sqlite-table.ts'

const all: PageRange = { gte: undefined, lt: undefined, reverse: false, rows: 64 }

function counted() {
  const table = createMemoryTable()
  let asked = 0
  const cache = createPageCache({
    get: table.get,
    page: ({ gte, lt, reverse, rows }) => {
      asked += 1
      return [...table.scan({ ...(gte && { gte }), ...(lt && { lt }), reverse, limit: rows })]
    },
  })
  return { table, cache, asked: () => asked }
}

test('a page is asked of the table below until it is known to be asked for again, and anew once something is written', () => {
  const { table, cache, asked } = counted()
  table.set(Uint8Array.of(1), Uint8Array.of(1))
  const read = (): unknown => cache.page(all).map(({ value }) => value[0])
  for (let turn = 0; turn < 5; turn += 1) expect(read()).toEqual([1])
  expect(asked()).toBe(2)
  table.set(Uint8Array.of(1), Uint8Array.of(2))
  cache.clear()
  expect(read()).toEqual([2])
})

test('each range has a page of its own', () => {
  const { table, cache } = counted()
  for (let key = 0; key < 9; key += 1) table.set(Uint8Array.of(key), Uint8Array.of(key))
  const [two, five] = [Uint8Array.of(2), Uint8Array.of(5)]
  const ranges: readonly PageRange[] = [
    all,
    { ...all, rows: 3 },
    { ...all, reverse: true },
    { ...all, gte: two },
    { ...all, lt: two },
    { ...all, gte: two, lt: five },
    { ...all, gte: Uint8Array.of(2, 0x3c), lt: five },
    { ...all, gte: two, lt: Uint8Array.of(0x3c, 5) },
  ]
  const expected = ranges.map(({ gte, lt, reverse, rows }) => [
    ...table.scan({ ...(gte && { gte }), ...(lt && { lt }), reverse, limit: rows }),
  ])
  for (let turn = 0; turn < 3; turn += 1) expect(ranges.map((range) => cache.page(range))).toEqual(expected)
})

test('what a caller does to its rows is not seen by the next, and large pages are not kept', () => {
  const { table, cache, asked } = counted()
  table.set(Uint8Array.of(1), Uint8Array.of(1))
  for (let turn = 0; turn < 4; turn += 1) {
    const [row] = cache.page(all)
    expect(row).toEqual({ key: Uint8Array.of(1), value: Uint8Array.of(1) })
    row?.value.fill(9)
    row?.key.fill(9)
  }
  expect(asked()).toBe(2)
  table.set(Uint8Array.of(2), new Uint8Array(64 * 1024))
  cache.clear()
  for (let turn = 0; turn < 4; turn += 1) cache.page(all)
  expect(asked()).toBe(6)
})
