import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Hash, MAX_KEY_BYTES, toHash, toStoreId } from '@lattice/model'
import { openCrypto } from '@lattice/model/crypto'
import Sqlite from 'better-sqlite3'
import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  type Change,
  copyState,
  cursorAt,
  diskFull,
  hooksAt,
  scannedRoot,
  STORE,
  writeBatch,
} from '../test/state-files.ts'
import { MAX_ROW_VALUE_BYTES, PAGE_ROWS_MAX, type RowPage, type RowPosition, type StateRow } from './row-pages.ts'
import { openSnapshotLoad, type OpenLoadOptions } from './snapshot-load.ts'
import { openStateDatabase, type StateDatabase } from './state-database.ts'
import { openStateReader } from './state-reader.ts'
import type { StoragePoint } from './storage-hooks.ts'

const crypto = await openCrypto()
const damaged = expect.objectContaining({ code: 'STATE_DAMAGED' })
const NONE: Hash = toHash(new Uint8Array(32))

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'lattice-load-'))
})
afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
})

const pathOf = (name: string): string => join(directory, name)
const row = (table: 'system' | 'app', byte: number, size = 1): StateRow => ({
  table,
  key: Uint8Array.of(byte),
  value: new Uint8Array(size).fill(byte),
})

function openLoad(change: Partial<OpenLoadOptions> = {}) {
  const options = { storeId: STORE, projectorVersion: 'a/1', crypto, expected: NONE }
  return openSnapshotLoad({ path: pathOf('loading.db'), ...options, ...change })
}

function openState(path: string): StateDatabase {
  return openStateDatabase({ path, storeId: STORE, projectorVersion: 'a/1', stateRoot: crypto })
}

function snapshotOf(rows: readonly Change[], path = pathOf('snapshot.db')): StateDatabase {
  const state = openState(path)
  writeBatch(state, rows, 1)
  return state
}

function rootHash(state: StateDatabase): Hash {
  const root = state.root()
  if (root === undefined) throw new Error('a snapshot keeps its root')
  return root.hash
}

function pagesOf(state: StateDatabase, maxBytes: number): RowPage[] {
  const pages: RowPage[] = []
  for (let after: RowPosition | undefined; pages.at(-1)?.isLast !== true; after = pages.at(-1)?.rows.at(-1) ?? after) {
    pages.push(state.readRows(after, maxBytes))
  }
  return pages
}

const sizeOf = (rows: readonly StateRow[]): number =>
  rows.reduce((sum, { key, value }) => sum + key.length + value.length, 0)

describe('the pages of a state', () => {
  const someRows = fc.uniqueArray(
    fc.record({
      table: fc.constantFrom('system' as const, 'app' as const),
      key: fc.uint8Array({ maxLength: 3 }),
      value: fc.oneof(
        fc.uint8Array({ maxLength: 20 }),
        fc.nat({ max: 3000 }).map((size) => new Uint8Array(size)),
      ),
    }),
    { selector: ({ table, key }) => `${table}/${key.join()}`, maxLength: 120 },
  )

  // Model: all rows, sorted by table and key.
  test('are all rows once, in order, each page as full as it may be, and make the same state elsewhere', () => {
    fc.assert(
      fc.property(someRows, fc.integer({ min: 1, max: 4000 }), (rows, maxBytes) => {
        const [from, to] = [pathOf('from.db'), pathOf('to.db')]
        for (const path of [from, `${from}-wal`, to, `${to}-wal`]) rmSync(path, { force: true })
        const state = snapshotOf(rows, from)
        const pages = pagesOf(state, maxBytes)
        const sorted = [...rows].sort((a, b) =>
          a.table === b.table ? Buffer.compare(a.key, b.key) : a.table === 'system' ? -1 : 1,
        )
        expect(pages.flatMap((page) => page.rows)).toEqual(sorted)
        for (const [index, page] of pages.entries()) {
          if (page.rows.length > 1) expect(sizeOf(page.rows)).toBeLessThanOrEqual(maxBytes)
          const next = pages[index + 1]?.rows[0]
          if (next !== undefined) expect(sizeOf([...page.rows, next])).toBeGreaterThan(maxBytes)
        }
        const load = openLoad({ path: to, expected: rootHash(state) })
        for (const page of pages) if (page.rows.length > 0) expect(load.load(page.rows).ok).toBe(true)
        expect(load.finish(cursorAt(7))).toEqual({ ok: true, value: state.root() })
        load.close()
        const loaded = openState(to)
        expect(loaded.cursor()).toEqual(cursorAt(7))
        expect(loaded.root()).toEqual(state.root())
        expect(pagesOf(loaded, maxBytes)).toEqual(pages)
        loaded.close()
        state.close()
      }),
      { numRuns: 30 },
    )
  })

  test('hold a bounded number of rows, and of an empty state none', () => {
    const rows = Array.from({ length: PAGE_ROWS_MAX + 2 }, (_, n): StateRow => {
      return { table: 'app', key: Uint8Array.of(n >> 8, n), value: new Uint8Array(0) }
    })
    const state = snapshotOf(rows)
    expect(pagesOf(state, 1_000_000).map((page) => page.rows.length)).toEqual([PAGE_ROWS_MAX, 2])
    state.close()
    const empty = openState(pathOf('empty.db'))
    expect(pagesOf(empty, 100)).toEqual([{ rows: [], isLast: true }])
    const load = openLoad({ expected: rootHash(empty) })
    expect(load.finish(cursorAt(1)).ok).toBe(true)
    load.close()
    empty.close()
  })
})

describe('loading a snapshot', () => {
  const rows = [row('system', 1), row('system', 5), row('app', 1), row('app', 2), row('app', 3), row('app', 4)]

  test.each<[string, readonly StateRow[], object]>([
    ['nothing', [], { code: 'page_empty' }],
    ['a row of before again', [row('app', 2)], { code: 'row_out_of_order', row: 0 }],
    ['a row twice', [row('app', 5), row('app', 5)], { code: 'row_out_of_order', row: 1 }],
    ['a row twice with another value', [row('app', 5), row('app', 5, 2)], { code: 'row_out_of_order', row: 1 }],
    ['rows in another order', [row('app', 6), row('app', 5)], { code: 'row_out_of_order', row: 1 }],
    ['a table of before', [row('app', 5), row('system', 9)], { code: 'row_out_of_order', row: 1 }],
    [
      'a key that is too long',
      [{ ...row('app', 5), key: new Uint8Array(MAX_KEY_BYTES + 1).fill(9) }],
      { code: 'key_too_long', row: 0, bytes: MAX_KEY_BYTES + 1 },
    ],
    [
      'a value that is too long',
      [row('app', 5), row('app', 6, MAX_ROW_VALUE_BYTES + 1)],
      { code: 'value_too_long', row: 1, bytes: MAX_ROW_VALUE_BYTES + 1 },
    ],
    [
      'too many rows',
      Array.from({ length: PAGE_ROWS_MAX + 1 }, (_, n) => ({ ...row('app', 9), key: Uint8Array.of(9, n >> 8, n) })),
      { code: 'page_too_long', rows: PAGE_ROWS_MAX + 1 },
    ],
  ])('takes in nothing of a page with %s', (_, page, error) => {
    const load = openLoad()
    expect(load.load(rows.slice(0, 4)).ok).toBe(true)
    const before = load.root()
    expect(load.load(page)).toEqual({ ok: false, error })
    expect(load.root()).toEqual(before)
    expect(load.position()).toEqual({ table: 'app', key: Uint8Array.of(2) })
    expect(load.load(rows.slice(4))).toEqual({ ok: true, value: { table: 'app', key: Uint8Array.of(4) } })
    load.close()
  })

  test.each<[string, readonly StateRow[]]>([
    ['misses its last row', rows.slice(0, -1)],
    ['misses its first row', rows.slice(1)],
    ['has a row too many', [...rows, row('app', 9)]],
    ['has another value', [...rows.slice(0, -1), row('app', 4, 2)]],
    ['has another key', [...rows.slice(0, -1), { ...row('app', 4), key: Uint8Array.of(5) }]],
    ['has a row in the other table', [row('system', 1), ...rows.slice(2)]],
    ['is empty', []],
  ])('never takes for state what %s', (_, sent) => {
    const state = snapshotOf(rows)
    const expected = rootHash(state)
    state.close()
    const load = openLoad({ expected })
    if (sent.length > 0) expect(load.load(sent).ok).toBe(true)
    const finished = load.finish(cursorAt(1))
    expect(finished).toEqual({ ok: false, error: { code: 'root_mismatch', expected, found: load.root() } })
    load.close()
    expect(() => openState(pathOf('loading.db'))).toThrow(damaged)
  })

  test('goes on after a root that is not there yet', () => {
    const state = snapshotOf(rows)
    const load = openLoad({ expected: rootHash(state) })
    load.load(rows.slice(0, 3))
    expect(load.finish(cursorAt(1)).ok).toBe(false)
    load.load(rows.slice(3))
    expect(load.finish(cursorAt(1))).toEqual({ ok: true, value: state.root() })
    expect(() => load.load([row('app', 9)])).toThrow('before the end')
    load.close()
    state.close()
  })

  test('is of one snapshot, store and version, and no state is loaded into', () => {
    openLoad().close()
    const path = pathOf('loading.db')
    const other = new Uint8Array(32).fill(9)
    expect(() => openLoad({ expected: toHash(other) })).toThrow(damaged)
    expect(() => openLoad({ storeId: toStoreId(other) })).toThrow(damaged)
    expect(() => openLoad({ projectorVersion: 'a/2' })).toThrow(damaged)
    expect(() => openStateReader(path)).toThrow(damaged)
    openLoad().close()
    const handle = new Sqlite(path)
    handle.exec('PRAGMA user_version = 99')
    handle.close()
    expect(() => openLoad()).toThrow(damaged)
    openState(pathOf('state.db')).close()
    expect(() => openLoad({ path: pathOf('state.db') })).toThrow(damaged)
  })

  /** Loads what is missing of the rows, two at a time. */
  function loadRest(load: ReturnType<typeof openLoad>): void {
    const { system, app } = load.root().rows
    for (let next = system + app; next < rows.length; next += 2) load.load(rows.slice(next, next + 2))
  }

  test('goes on where it was, wherever the process ends, and is a state only when it is whole', () => {
    const state = snapshotOf(rows)
    const expected = rootHash(state)
    const copies: string[] = []
    const hooks = hooksAt((point, path) => {
      const to = pathOf(`${copies.length}-${point}.db`)
      copyState(path, to)
      copies.push(to)
    })
    const load = openLoad({ expected, hooks })
    loadRest(load)
    load.finish(cursorAt(3))
    load.close()
    expect(copies.length).toBeGreaterThan(30)
    const found = copies.map((path) => {
      let loaded: StateDatabase
      let resumedAt = rows.length
      try {
        loaded = openState(path)
        // Points before anything was written: an empty file is a new state.
        if (loaded.cursor().seq === 0) {
          loaded.close()
          return -1
        }
      } catch {
        const again = openLoad({ path, expected })
        const { system, app } = again.root().rows
        resumedAt = system + app
        const last = rows[resumedAt - 1]
        expect(again.position()).toEqual(last && { table: last.table, key: last.key })
        loadRest(again)
        expect(again.finish(cursorAt(3)).ok).toBe(true)
        again.close()
        loaded = openState(path)
      }
      expect(loaded.cursor()).toEqual(cursorAt(3))
      expect(loaded.root()).toEqual(state.root())
      expect(scannedRoot(crypto, loaded)).toEqual(state.root())
      loaded.close()
      return resumedAt
    })
    expect(new Set(found)).toEqual(new Set([-1, 0, 2, 4, 6]))
    state.close()
  })

  test.each<StoragePoint>(['write', 'written', 'commit', 'committed'])(
    'loads a page again that failed at %s, at whichever one, unless the disk kept it',
    (point) => {
      let left = Infinity
      let fails = 0
      const hooks = hooksAt((at) => {
        if (at !== point) return
        left -= 1
        if (left < 0) {
          left = Infinity
          throw diskFull()
        }
      })
      const state = snapshotOf(rows)
      for (let nth = 0, hasFailed = true; hasFailed; nth += 1) {
        const load = openLoad({ path: pathOf(`${nth}.db`), expected: rootHash(state), hooks })
        load.load(rows.slice(0, 2))
        hasFailed = false
        left = nth
        try {
          load.load(rows.slice(2))
        } catch {
          hasFailed = true
          fails += 1
          expect(load.position()).toEqual({ table: 'system', key: Uint8Array.of(5) })
          expect(load.root().rows).toEqual({ system: 2, app: 0 })
          load.load(rows.slice(2))
        }
        left = Infinity
        expect(load.finish(cursorAt(1))).toEqual({ ok: true, value: state.root() })
        load.close()
      }
      expect(fails).toBe({ write: 5, written: 5, commit: 1, committed: 0 }[String(point)])
      state.close()
    },
  )

  test('folds much of a log into the file, off the event loop, and takes in nothing meanwhile', async () => {
    const load = openLoad()
    const path = pathOf('loading.db')
    const pages = 20
    for (let page = 0; page < pages; page += 1) {
      const some = Array.from({ length: PAGE_ROWS_MAX }, (_, n): StateRow => {
        return { table: 'app', key: Uint8Array.of(page, n >> 8, n), value: new Uint8Array(20) }
      })
      expect(load.load(some).ok).toBe(true)
      if (page === 0) await load.settle()
    }
    const before = statSync(path).size
    const settled = load.settle()
    expect(() => load.load([row('app', 255)])).toThrow('waited for')
    await settled
    expect(statSync(path).size).toBeGreaterThan(before + pages * PAGE_ROWS_MAX * 20)
    expect(load.load([row('app', 255)]).ok).toBe(true)
    load.close()
    load.close()
  })
})
