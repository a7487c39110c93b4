import { fromHex, toHex } from '@lattice/model'
import { openCrypto } from '@lattice/model/crypto'
import vectors from '@lattice/proto/vectors/state-root.json' with { type: 'json' }
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Change, changes } from '../test/state-files.ts'
import { LT_HASH_BYTES } from './lt-hash.ts'
import type { TableName } from './sqlite-table.ts'
import { createStateSum, type StateRoot, type StateSum } from './state-root.ts'

const crypto = await openCrypto()

const hex = (text: string): Uint8Array => {
  const bytes = fromHex(text)
  if (bytes === undefined) throw new Error(`not hex: ${text}`)
  return bytes
}
const toTable = (name: string): TableName => (name === 'system' ? 'system' : 'app')
const keyOf = ({ table, key }: Change): string => `${table}/${toHex(key)}`

function add(sum: StateSum, table: TableName, [key, value]: readonly [Uint8Array, Uint8Array]): void {
  sum.change(table, key, { before: undefined, after: value })
}

function rootOf(table: TableName, ...rows: readonly (readonly [Uint8Array, Uint8Array])[]): StateRoot {
  const sum = createStateSum(crypto)
  for (const row of rows) add(sum, table, row)
  return sum.root()
}

describe.each(['wasm', 'native'] as const)('the state root with %s cryptography', async (backend) => {
  const of = await openCrypto({ backend })

  test('is the pinned one', () => {
    const sum = createStateSum(of)
    expect(toHex(sum.root().hash)).toBe(vectors.emptyRoot)
    for (const { table, key, value } of vectors.rows) add(sum, toTable(table), [hex(key), hex(value)])
    expect(toHex(sum.lanes())).toBe(vectors.lanes)
    expect(toHex(sum.root().hash)).toBe(vectors.root)
    expect(sum.root().rows).toEqual({ system: 2, app: 3 })
  })

  test('a row alone has its extended hash for lanes', () => {
    const row = vectors.rows[vectors.row.index]
    const sum = createStateSum(of)
    add(sum, toTable(row?.table ?? ''), [hex(row?.key ?? ''), hex(row?.value ?? '')])
    expect(toHex(sum.lanes())).toBe(vectors.row.bytes)
  })
})

describe('the state root', () => {
  // Model: the rows that are left, summed up anew.
  test('is that of the rows that are left, whatever the history', () => {
    const empty = createStateSum(crypto).root()
    fc.assert(
      fc.property(fc.array(changes, { maxLength: 40 }), (history) => {
        const rows = new Map<string, Change>()
        let sum = createStateSum(crypto)
        for (const change of history) {
          const before = rows.get(keyOf(change))?.value ?? undefined
          sum.change(change.table, change.key, { before, after: change.value ?? undefined })
          if (change.value === null) rows.delete(keyOf(change))
          else rows.set(keyOf(change), change)
          sum = createStateSum(crypto, { lanes: sum.lanes(), rows: sum.rows() })
        }
        const anew = createStateSum(crypto)
        for (const { table, key, value } of [...rows.values()].reverse()) add(anew, table, [key, value ?? key])
        expect(sum.root()).toEqual(anew.root())
        for (const { table, key, value } of rows.values()) {
          sum.change(table, key, { before: value ?? undefined, after: undefined })
        }
        expect(sum.root()).toEqual(empty)
      }),
      { numRuns: 60 },
    )
  })

  test('tells apart tables, keys, values and where one ends', () => {
    const [a, b, ab, none] = [Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(1, 2), new Uint8Array()]
    const roots = [
      rootOf('app'),
      rootOf('app', [a, b]),
      rootOf('app', [b, a]),
      rootOf('app', [ab, none]),
      rootOf('app', [none, ab]),
      rootOf('app', [none, none]),
      rootOf('system', [a, b]),
      rootOf('app', [a, b], [b, a]),
      rootOf('app', [a, a], [b, b]),
    ]
    expect(new Set(roots.map(({ hash }) => toHex(hash))).size).toBe(roots.length)
  })

  test('a row that stays as it is costs nothing', () => {
    let hashed = 0
    const counting = {
      ...crypto,
      blake3Xof: (length: number, ...parts: readonly Uint8Array[]) => {
        hashed += 1
        return crypto.blake3Xof(length, ...parts)
      },
    }
    const sum = createStateSum(counting)
    sum.change('app', Uint8Array.of(1), { before: undefined, after: Uint8Array.of(2) })
    sum.change('app', Uint8Array.of(1), { before: Uint8Array.of(2), after: Uint8Array.of(2) })
    sum.change('app', Uint8Array.of(9), { before: undefined, after: undefined })
    expect(hashed).toBe(1)
    expect(sum.rows()).toEqual({ system: 0, app: 1 })
  })

  test('a row that was not counted cannot go, and a kept sum has all its lanes', () => {
    const sum = createStateSum(crypto)
    expect(() => sum.change('app', Uint8Array.of(1), { before: Uint8Array.of(1), after: undefined })).toThrow('counted')
    const short = { lanes: new Uint8Array(LT_HASH_BYTES - 2), rows: { system: 0, app: 0 } }
    expect(() => createStateSum(crypto, short)).toThrow('2,048 bytes')
  })
})
