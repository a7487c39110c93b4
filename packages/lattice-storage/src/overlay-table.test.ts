import { compareBytes, concatBytes, type ReadTable, type TableRange, toHex, type WriteTable } from '@lattice/model'
import { createMemoryTable, type MemoryTable } from '@lattice/model/testing'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { keyBytes } from './key-text.ts'
import { createOverlayTable, type OverlayTable } from './overlay-table.ts'
import type { ReadRowChanges } from './row-changes.ts'
import type { PageTable } from './sqlite-table.ts'

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

/** A table in memory as the database reads: by page. */
function pagesOf(table: ReadTable): PageTable {
  return {
    get: table.get,
    page: ({ gte, lt, reverse, rows }) => [
      ...table.scan({ ...(gte && { gte }), ...(lt && { lt }), reverse, limit: rows }),
    ],
  }
}

function overlayOver(base: MemoryTable): OverlayTable {
  return createOverlayTable(pagesOf(base))
}

function writeInto(base: WriteTable, rows: ReadRowChanges): void {
  for (const key of rows.slice({ reverse: false }, Infinity)) {
    const value = rows.get(key)
    if (value === undefined || value === null) base.delete(keyBytes(key))
    else base.set(keyBytes(key), value)
  }
}

function expectSame(table: ReadTable, model: ReadTable, range: TableRange): void {
  const expected = [...model.scan(range)]
  expect([...table.scan(range)]).toEqual(expected)
  for (const { key, value } of model.scan({})) {
    expect(table.get(key)).toEqual(value)
    expect(table.peek?.(key)).toEqual(value)
  }
  for (const { key } of table.scan({})) expect(model.get(key)).toBeDefined()
}

type Step =
  | { readonly kind: 'op'; readonly changes: readonly Change[]; readonly fate: 'kept' | 'rolled back' }
  | { readonly kind: 'publish' | 'discard' | 'freeze' | 'written' | 'snapshot' }
  | { readonly kind: 'read'; readonly range: TableRange }

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('op' as const),
        changes,
        fate: fc.constantFrom('kept' as const, 'rolled back' as const),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constantFrom('publish', 'discard', 'freeze', 'written', 'snapshot') as fc.Arbitrary<
          'publish' | 'discard' | 'freeze' | 'written' | 'snapshot'
        >,
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('read' as const), range: ranges }) },
  ),
  { maxLength: 25 },
)

/** An overlay beside plain tables of what is to be seen, by whom. */
function createRun(below: readonly Change[]) {
  const [base, working, visible] = [createMemoryTable(), createMemoryTable(), createMemoryTable()]
  for (const table of [base, working, visible]) applyAll(table, below)
  const overlay = overlayOver(base)
  let frozen: ReadRowChanges | undefined
  const shots: { readonly scan: ReturnType<OverlayTable['snapshot']>; readonly rows: unknown }[] = []
  const copy = (from: MemoryTable, to: MemoryTable): void => {
    to.clear()
    for (const { key, value } of from.entries()) to.set(key, value)
  }

  function take(step: Step): void {
    switch (step.kind) {
      case 'op':
        overlay.mark()
        applyAll(overlay.working, step.changes)
        if (step.fate === 'kept') applyAll(working, step.changes)
        else {
          const stamp = overlay.working.stamp?.()
          overlay.rollback()
          if (step.changes.length > 0) expect(overlay.working.stamp?.()).not.toBe(stamp)
        }
        break
      case 'publish':
        overlay.publish()
        copy(working, visible)
        break
      case 'discard':
        overlay.discard()
        copy(visible, working)
        break
      case 'freeze':
        if (frozen === undefined && overlay.unpublished() === 0) frozen = overlay.freeze()
        break
      case 'written':
        if (frozen === undefined) break
        writeInto(base, frozen)
        overlay.thaw()
        frozen = undefined
        break
      case 'snapshot':
        if (overlay.unpublished() === 0) shots.push({ scan: overlay.snapshot(), rows: visible.entries() })
        break
      case 'read':
        expectSame(overlay.working, working, step.range)
        expectSame(overlay.visible, visible, step.range)
    }
  }

  function expectEnd(): void {
    expectSame(overlay.working, working, {})
    expectSame(overlay.visible, visible, {})
    for (const { scan, rows } of shots) expect([...scan.scan({})]).toEqual(rows)
  }
  return { take, expectEnd, overlay, base }
}

describe('an overlay', () => {
  // Model: plain tables of what operations see, of what is published, and of each snapshot.
  test('shows everyone what they are to see, however its layers move', () => {
    fc.assert(
      fc.property(changes, steps, (below, all) => {
        const run = createRun(below)
        for (const step of all) run.take(step)
        run.expectEnd()
      }),
      { numRuns: 300 },
    )
  })

  test('has another stamp whenever it reads otherwise, and the same while nobody changes it', () => {
    fc.assert(
      fc.property(changes, steps, (below, all) => {
        const { take, overlay } = createRun(below)
        const tables = [overlay.working, overlay.visible]
        const look = (): readonly (readonly [object | undefined, string])[] =>
          tables.map((table) => [table.stamp?.(), JSON.stringify([...table.scan({})])])
        for (const step of all) {
          const before = look()
          take(step)
          for (const [index, [stamp, rows]] of look().entries()) {
            const [stampBefore, rowsBefore] = before[index] ?? []
            if (rows !== rowsBefore) expect(stamp).not.toBe(stampBefore)
            if (step.kind === 'read' || step.kind === 'written') expect(stamp).toBe(stampBefore)
          }
        }
        expect(overlay.working.stamp?.()).not.toBe(overlay.visible.stamp())
      }),
    )
  })

  // Half-written rows in the table below, as a transaction that is open shows them on its own connection.
  test('hides how much of a frozen layer has been written', () => {
    fc.assert(
      fc.property(changes, changes, changes, fc.nat(30), ranges, (below, frozen, above, written, range) => {
        const [base, model] = [createMemoryTable(), createMemoryTable()]
        applyAll(base, below)
        applyAll(model, [...below, ...frozen, ...above])
        const overlay = overlayOver(base)
        applyAll(overlay.working, frozen)
        overlay.publish()
        const rows = overlay.freeze()
        applyAll(overlay.working, above)
        overlay.publish()
        for (const key of rows.slice({ reverse: false }, written)) {
          const value = rows.get(key)
          if (value === null || value === undefined) base.delete(keyBytes(key))
          else base.set(keyBytes(key), value)
        }
        expectSame(overlay.visible, model, range)
        // It failed and was rolled back: nobody sees that either.
        base.clear()
        applyAll(base, below)
        expectSame(overlay.visible, model, range)
      }),
    )
  })

  test('keeps a scan in order and free of doubles while rows change, freeze and reach the disk under it', () => {
    fc.assert(
      fc.property(changes, steps, fc.boolean(), (below, all, reverse) => {
        const many = Array.from({ length: 300 }, (_, n) => ({
          key: Uint8Array.of(n >> 8, n & 0xff, 7),
          value: Uint8Array.of(n & 0xff),
        }))
        const run = createRun([...many, ...below])
        const scan = run.overlay.visible.scan({ reverse })
        const seen: Uint8Array[] = []
        const read = (rows: number): void => {
          for (let next = 0; next < rows; next += 1) {
            const row = scan.next()
            if (row.done !== true) seen.push(row.value.key)
          }
        }
        for (const step of all) {
          read(20)
          run.take(step)
        }
        read(1000)
        for (let at = 1; at < seen.length; at += 1) {
          const order = compareBytes(seen[at - 1] ?? new Uint8Array(), seen[at] ?? new Uint8Array())
          expect(Math.sign(order)).toBe(reverse ? 1 : -1)
        }
        // Nobody touches these.
        const untouched = many.map(({ key }) => toHex(key))
        const found = new Set(seen.map(toHex))
        expect(untouched.filter((key) => !found.has(key))).toEqual([])
      }),
      { numRuns: 50 },
    )
  })

  test('keeps no array it is given and gives out none of its own, but to those who peek', () => {
    const overlay = overlayOver(createMemoryTable())
    const { working } = overlay
    const [key, value] = [Uint8Array.of(1), Uint8Array.of(2)]
    working.set(key, value)
    key[0] = 9
    value[0] = 9
    working.get(Uint8Array.of(1))?.fill(7)
    expect(working.get(Uint8Array.of(1))).toEqual(Uint8Array.of(2))
    for (const row of working.scan({})) row.value.fill(7)
    expect(concatBytes(...[...working.scan({})].map((row) => row.value))).toEqual(Uint8Array.of(2))
    expect(working.peek?.(Uint8Array.of(1))).toBe(working.peek?.(Uint8Array.of(1)))
  })

  test('asks the table below once for a row that is read again, until the row is written', () => {
    const base = createMemoryTable()
    base.set(Uint8Array.of(1), Uint8Array.of(1))
    let asked = 0
    const pages = pagesOf(base)
    const overlay = createOverlayTable({
      ...pages,
      get: (key) => {
        asked += 1
        return pages.get(key)
      },
    })
    const read = (): Uint8Array | undefined => overlay.visible.get(Uint8Array.of(1))
    read()
    read()?.fill(9)
    expect(read()).toEqual(Uint8Array.of(1))
    expect(asked).toBe(1)
    overlay.working.set(Uint8Array.of(1), Uint8Array.of(2))
    overlay.publish()
    writeInto(base, overlay.freeze())
    expect(read()).toEqual(Uint8Array.of(2))
    overlay.thaw()
    expect(read()).toEqual(Uint8Array.of(2))
    expect(asked).toBe(2)
  })

  test('scans what was scanned before as it is now, once changes have reached the table below', () => {
    fc.assert(
      fc.property(changes, fc.array(changes, { maxLength: 4 }), ranges, (below, rounds, range) => {
        const [base, model] = [createMemoryTable(), createMemoryTable()]
        applyAll(base, below)
        applyAll(model, below)
        const overlay = overlayOver(base)
        for (const round of rounds) {
          // Often enough for a page to be kept.
          for (let turn = 0; turn < 3; turn += 1) expectSame(overlay.visible, model, range)
          applyAll(overlay.working, round)
          applyAll(model, round)
          overlay.publish()
          for (let turn = 0; turn < 3; turn += 1) expectSame(overlay.visible, model, range)
          const rows = overlay.freeze()
          expectSame(overlay.visible, model, range)
          writeInto(base, rows)
          expectSame(overlay.visible, model, range)
          overlay.thaw()
          expectSame(overlay.visible, model, range)
        }
      }),
    )
  })

  test('scans what lies behind thousands of deleted rows', () => {
    const base = createMemoryTable()
    for (let n = 0; n < 3000; n += 1) base.set(Uint8Array.of(n >> 8, n & 0xff), Uint8Array.of(1))
    base.set(Uint8Array.of(0xff), Uint8Array.of(2))
    const overlay = overlayOver(base)
    for (let n = 0; n < 3000; n += 1) overlay.working.delete(Uint8Array.of(n >> 8, n & 0xff))
    overlay.publish()
    expect([...overlay.visible.scan({ limit: 1 })].map(({ key }) => toHex(key))).toEqual(['ff'])
  })
})
