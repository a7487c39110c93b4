import { concatBytes, toHex, type TableRange, type WriteTable } from '@lattice/model'
import { createMemoryTable } from '@lattice/model/testing'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createOverlayTable } from './overlay-table.ts'

const keys = fc.uint8Array({ minLength: 0, maxLength: 2, max: 3 })
const values = fc.uint8Array({ maxLength: 3 })
const changes = fc.array(fc.record({ key: keys, value: fc.option(values, { nil: undefined }) }), { maxLength: 30 })
const ranges: fc.Arbitrary<TableRange> = fc.record(
  { gte: keys, lt: keys, limit: fc.nat({ max: 8 }), reverse: fc.boolean() },
  { requiredKeys: [] },
)

type Change = { readonly key: Uint8Array; readonly value: Uint8Array | undefined }

function applyAll(table: WriteTable, all: readonly Change[]): void {
  for (const { key, value } of all) {
    if (value === undefined) table.delete(key)
    else table.set(key, value)
  }
}

describe('an overlay', () => {
  // Model: one table in memory that every change went to.
  test('reads as if its changes were in the table, which they are not', () => {
    fc.assert(
      fc.property(changes, changes, ranges, keys, (below, above, range, key) => {
        const [base, model] = [createMemoryTable(), createMemoryTable()]
        applyAll(base, below)
        applyAll(model, [...below, ...above])
        const before = base.entries()
        const overlay = createOverlayTable(base)
        applyAll(overlay, above)
        expect([...overlay.scan(range)]).toEqual([...model.scan(range)])
        expect(overlay.get(key)).toEqual(model.get(key))
        expect(base.entries()).toEqual(before)
        for (const [changed, value] of overlay.changes()) {
          if (value === undefined) base.delete(changed)
          else base.set(changed, value)
        }
        expect(base.entries()).toEqual(model.entries())
      }),
    )
  })

  test('goes back to its mark, and no further', () => {
    fc.assert(
      fc.property(changes, changes, changes, (below, kept, undone) => {
        const [base, model] = [createMemoryTable(), createMemoryTable()]
        applyAll(base, below)
        applyAll(model, [...below, ...kept])
        const overlay = createOverlayTable(base)
        applyAll(overlay, kept)
        overlay.mark()
        applyAll(overlay, undone)
        overlay.rollback()
        expect([...overlay.scan({})]).toEqual(model.entries())
        expect([...overlay.changes()].map(([key]) => toHex(key))).toEqual(
          [...new Set(kept.map(({ key }) => toHex(key)))].toSorted(),
        )
      }),
    )
  })

  test('keeps no array it is given and gives out none of its own', () => {
    const overlay = createOverlayTable(createMemoryTable())
    const [key, value] = [Uint8Array.of(1), Uint8Array.of(2)]
    overlay.set(key, value)
    key[0] = 9
    value[0] = 9
    overlay.get(Uint8Array.of(1))?.fill(7)
    expect(overlay.get(Uint8Array.of(1))).toEqual(Uint8Array.of(2))
    expect(concatBytes(...[...overlay.scan({})].map((row) => row.value))).toEqual(Uint8Array.of(2))
  })
})
