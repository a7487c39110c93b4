import { toPublicKey } from '@lattice/model'
import { createMemoryTable } from '@lattice/model/testing'
import { expect, test } from 'vitest'
import { keptOfPeer, keptReading } from './kept-readings.ts'

const key = Uint8Array.of(1)
const peer = toPublicKey(new Uint8Array(32).fill(1))
const other = toPublicKey(new Uint8Array(32).fill(2))

test('reads anew once the table has changed, and not before', () => {
  const table = createMemoryTable()
  let asked = 0
  const read = (): Uint8Array | undefined =>
    keptReading(table, 'first', () => {
      asked += 1
      return table.get(key)
    })
  expect([read(), read()]).toEqual([undefined, undefined])
  expect(asked).toBe(1)
  table.set(key, Uint8Array.of(7))
  expect([read(), read()]).toEqual([Uint8Array.of(7), Uint8Array.of(7)])
  expect(asked).toBe(2)
})

test('keeps each reading, each peer and each table apart', () => {
  const [table, another] = [createMemoryTable(), createMemoryTable()]
  const all = [table, another].flatMap((each, index) => [
    keptReading(each, 'one', () => `one ${index}`),
    keptReading(each, 'two', () => `two ${index}`),
    keptOfPeer(each, { name: 'three', peer }, () => `peer ${index}`),
    keptOfPeer(each, { name: 'three', peer: other }, () => `other ${index}`),
    keptOfPeer(each, { name: 'four', peer }, () => undefined),
    keptOfPeer(each, { name: 'four', peer }, () => 'undefined is an answer, too'),
  ])
  const expected = (index: number): unknown[] => [
    `one ${index}`,
    `two ${index}`,
    `peer ${index}`,
    `other ${index}`,
    undefined,
    undefined,
  ]
  expect(all).toEqual([...expected(0), ...expected(1)])
})

test('keeps nothing of a table that does not say when it changes', () => {
  const { get, scan } = createMemoryTable()
  let asked = 0
  const count = (): number => (asked += 1)
  keptReading({ get, scan }, 'one', count)
  keptReading({ get, scan }, 'one', count)
  keptOfPeer({ get, scan }, { name: 'two', peer }, count)
  keptOfPeer({ get, scan }, { name: 'two', peer }, count)
  expect(asked).toBe(4)
})
