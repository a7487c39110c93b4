import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openCrypto } from '@lattice/model/crypto'
import Sqlite from 'better-sqlite3'
import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  beginBatch,
  type Change,
  changes,
  copyState,
  diskFull,
  finish,
  hooksAt,
  scannedRoot,
  STORE,
  writeBatch,
} from '../test/state-files.ts'
import { type OpenStateOptions, openStateDatabase } from './state-database.ts'
import type { StoragePoint } from './storage-hooks.ts'

const crypto = await openCrypto()
const key = (byte: number): Uint8Array => Uint8Array.of(byte)
const damaged = expect.objectContaining({ code: 'STATE_DAMAGED' })

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'lattice-root-'))
})
afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
})

function optionsOf(change: Partial<OpenStateOptions> = {}): OpenStateOptions {
  const path = join(directory, 'snapshot.db')
  return { path, storeId: STORE, projectorVersion: 'a/1', stateRoot: crypto, ...change }
}

/** Rows set, overwritten, left as they are and deleted, in both tables. */
const BATCHES: readonly (readonly Change[])[] = [
  [
    { table: 'system', key: key(1), value: key(1) },
    { table: 'app', key: key(1), value: key(1) },
    { table: 'app', key: key(2), value: key(2) },
    { table: 'app', key: key(3), value: key(3) },
  ],
  [
    { table: 'system', key: key(1), value: null },
    { table: 'system', key: key(7), value: null },
    { table: 'app', key: key(1), value: key(9) },
    { table: 'app', key: key(2), value: null },
    { table: 'app', key: key(3), value: key(3) },
    { table: 'app', key: key(4), value: key(4) },
  ],
]

describe('the root that a state keeps', () => {
  // Model: all rows, read anew.
  test('is that of its rows after any batches, and when opened again', () => {
    const path = join(directory, 'any.db')
    fc.assert(
      fc.property(fc.array(fc.array(changes, { maxLength: 12 }), { maxLength: 5 }), (batches) => {
        rmSync(path, { force: true })
        rmSync(`${path}-wal`, { force: true })
        const state = openStateDatabase(optionsOf({ path }))
        for (const [index, batch] of batches.entries()) {
          writeBatch(state, batch, index + 1)
          expect(state.root()).toEqual(scannedRoot(crypto, state))
        }
        const last = state.root()
        state.close()
        const again = openStateDatabase(optionsOf({ path }))
        expect(again.root()).toEqual(last)
        again.close()
      }),
      { numRuns: 30 },
    )
  })

  test('is the same for the same rows, in whichever batches and order they came', () => {
    const rows = Array.from({ length: 40 }, (_, n): Change => ({ table: 'app', key: key(n), value: key(n) }))
    const roots = [[rows], [rows.slice(20), rows.slice(0, 20)], [...rows].reverse().map((row) => [row])].map(
      (batches, index) => {
        const state = openStateDatabase(optionsOf({ path: join(directory, `${index}.db`) }))
        for (const [at, batch] of batches.entries()) writeBatch(state, batch, at + 1)
        const root = state.root()
        state.close()
        return root
      },
    )
    expect(roots[1]).toEqual(roots[0])
    expect(roots[2]).toEqual(roots[0])
    expect(roots[0]?.rows).toEqual({ system: 0, app: 40 })
  })

  test('is that of the rows and the cursor on disk, wherever the process ends', () => {
    const copies: string[] = []
    const hooks = hooksAt((point, path) => {
      const to = join(directory, `${copies.length}-${point}.db`)
      copyState(path, to)
      copies.push(to)
    })
    const expected = new Map([[0, undefined]]) as Map<number, unknown>
    const state = openStateDatabase(optionsOf({ hooks }))
    expected.set(0, state.root())
    for (const [index, batch] of BATCHES.entries()) {
      writeBatch(state, batch, index + 1)
      expected.set(index + 1, state.root())
    }
    state.close()
    expect(copies.length).toBeGreaterThan(30)
    const reached = copies.map((path) => {
      const copy = openStateDatabase(optionsOf({ path }))
      expect(copy.root()).toEqual(scannedRoot(crypto, copy))
      expect(copy.root()).toEqual(expected.get(copy.cursor().seq))
      const { seq } = copy.cursor()
      copy.close()
      return seq
    })
    expect(new Set(reached)).toEqual(new Set([0, 1, 2]))
  })

  test.each<StoragePoint>(['write', 'written', 'commit', 'committed'])(
    'is that of the rows after a write that failed at %s, at whichever one, and was tried again',
    (point) => {
      let fails = 0
      for (let nth = 0; ; nth += 1) {
        let left = Infinity
        const hooks = hooksAt((at) => {
          if (at !== point) return
          left -= 1
          if (left < 0) {
            left = Infinity
            throw diskFull()
          }
        })
        const state = openStateDatabase(optionsOf({ path: join(directory, `${nth}.db`), hooks }))
        writeBatch(state, BATCHES[0] ?? [], 1)
        const before = state.root()
        left = nth
        // The cursor stays: then memory cannot tell from it what the disk has.
        const write = beginBatch(state, BATCHES[1] ?? [], 1)
        let hasFailed = false
        try {
          finish(write)
        } catch {
          hasFailed = true
          fails += 1
          expect(state.root()).toEqual(scannedRoot(crypto, state))
          if (point !== 'committed') expect(state.root()).toEqual(before)
          writeBatch(state, BATCHES[1] ?? [], 1)
        }
        expect(state.root()).toEqual(scannedRoot(crypto, state))
        expect(state.root()).not.toEqual(before)
        state.close()
        if (!hasFailed) break
      }
      expect(fails).toBe(point.startsWith('writ') ? 8 : 1)
    },
  )

  test('is as it was after a write that was abandoned, and while one is under way', () => {
    const state = openStateDatabase(optionsOf())
    const empty = state.root()
    const write = beginBatch(state, BATCHES[0] ?? [], 1)
    write.step(() => false)
    expect(state.root()).toEqual(empty)
    write.abandon()
    expect(state.root()).toEqual(empty)
    writeBatch(state, BATCHES[0] ?? [], 1)
    expect(state.root()).toEqual(scannedRoot(crypto, state))
    state.close()
  })

  test('is not there where the state is opened without, is forgotten then, and not made up later', () => {
    const state = openStateDatabase(optionsOf())
    writeBatch(state, BATCHES[0] ?? [], 1)
    state.close()
    const { stateRoot: _, ...without } = optionsOf()
    const plain = openStateDatabase(without)
    expect(plain.root()).toBeUndefined()
    writeBatch(plain, BATCHES[1] ?? [], 2)
    plain.close()
    expect(() => openStateDatabase(optionsOf())).toThrow(damaged)
    openStateDatabase(without).close()
  })

  test.each([
    ['lanes are cut', "UPDATE state_root SET lanes = x'00'"],
    ['lanes are text', 'UPDATE state_root SET lanes = hex(zeroblob(1024))'],
    ['a count is negative', 'UPDATE state_root SET app_rows = -1'],
    ['a count is none', "UPDATE state_root SET system_rows = 'many'"],
    ['row is gone', 'DELETE FROM state_root'],
  ])('is refused when its %s', (_, sql) => {
    openStateDatabase(optionsOf()).close()
    const handle = new Sqlite(optionsOf().path)
    handle.exec(sql)
    handle.close()
    expect(() => openStateDatabase(optionsOf())).toThrow(damaged)
  })

  test('a state from before there were roots opens without one', () => {
    const { stateRoot: _, ...without } = optionsOf()
    openStateDatabase(without).close()
    const handle = new Sqlite(without.path)
    handle.exec('DROP TABLE state_root; PRAGMA user_version = 2')
    handle.close()
    openStateDatabase(without).close()
    expect(() => openStateDatabase(optionsOf())).toThrow(damaged)
  })
})
