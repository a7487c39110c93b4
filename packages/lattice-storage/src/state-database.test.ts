import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TableRange, toHash, toIntentionId, toStoreId } from '@lattice/model'
import { createMemoryTable } from '@lattice/model/testing'
import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createOverlayTable } from './overlay-table.ts'
import type { StateWrite } from './state-change.ts'
import { type OpenStateOptions, openStateDatabase, type StateDatabase } from './state-database.ts'
import type { StoragePoint } from './storage-hooks.ts'

const storeId = toStoreId(new Uint8Array(32).fill(1))
const hashOf = (seq: number) => toHash(new Uint8Array(32).fill(seq))
const cursorOf = (seq: number) => ({ seq, chainHash: hashOf(seq) })

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'lattice-state-'))
})
afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
})

function optionsOf(change: Partial<OpenStateOptions> = {}): OpenStateOptions {
  return { path: join(directory, 'state.db'), storeId, projectorVersion: 'a/1', ...change }
}

function overlaysOf(state: StateDatabase) {
  const [system, app] = [createOverlayTable(state.system), createOverlayTable(state.app)]
  return {
    system,
    app,
    freeze: () => {
      system.publish()
      app.publish()
      return { system: system.freeze(), app: app.freeze() }
    },
    thaw: () => {
      system.thaw()
      app.thaw()
    },
  }
}

/** Slices as small as they come. */
function finish(write: StateWrite): number {
  let slices = 1
  while (!write.step(() => false)) slices += 1
  return slices
}

describe('the state database', () => {
  test('keeps rows, rejections and cursor of a write together, over opening again', () => {
    const state = openStateDatabase(optionsOf())
    expect(state.cursor().seq).toBe(0)
    const overlays = overlaysOf(state)
    overlays.system.working.set(Uint8Array.of(1), Uint8Array.of(10))
    overlays.app.working.set(Uint8Array.of(2), new Uint8Array(0))
    const rejection = { seq: 3, id: toIntentionId(hashOf(9)), reason: 'payload_malformed' }
    finish(state.write({ cursor: cursorOf(4), ...overlays.freeze(), rejections: [rejection] }))
    state.close()
    const again = openStateDatabase(optionsOf())
    expect(again.cursor()).toEqual(cursorOf(4))
    expect(again.system.get(Uint8Array.of(1))).toEqual(Uint8Array.of(10))
    expect(again.app.get(Uint8Array.of(2))).toEqual(new Uint8Array(0))
    expect(again.app.get(Uint8Array.of(1))).toBeUndefined()
    expect(again.rejections(0, 10)).toEqual([rejection])
    expect(again.rejections(3, 10)).toEqual([])
    expect(again.rejectionCount()).toBe(1)
    again.close()
  })

  test('is written in slices, none of which counts before the commit', () => {
    const state = openStateDatabase(optionsOf())
    const overlays = overlaysOf(state)
    for (let key = 0; key < 200; key += 1) overlays.app.working.set(Uint8Array.of(key), Uint8Array.of(key))
    const rejections = Array.from({ length: 100 }, (_, n) => ({
      seq: n + 1,
      id: toIntentionId(hashOf(9)),
      reason: 'r',
    }))
    const write = state.write({ cursor: cursorOf(100), ...overlays.freeze(), rejections })
    let slices = 0
    while (!write.step(() => false)) {
      slices += 1
      expect(state.cursor().seq).toBe(0)
      expect(state.rejections(0, 10)).toEqual([])
      expect(state.rejectionCount()).toBe(0)
    }
    expect(slices).toBeGreaterThan(8)
    expect(state.rejectionCount()).toBe(100)
    state.close()
  })

  test('is written in slices of a few rows where values are large', () => {
    const state = openStateDatabase(optionsOf())
    const overlays = overlaysOf(state)
    for (let key = 0; key < 16; key += 1) overlays.app.working.set(Uint8Array.of(key), new Uint8Array(128 * 1024))
    const slices = finish(state.write({ cursor: cursorOf(1), ...overlays.freeze(), rejections: [] }))
    // Two to a slice; then the other table, the rejections and the commit.
    expect(slices).toBe(8 + 3)
    state.close()
  })

  test.each<StoragePoint>(['write', 'commit', 'committed'])(
    'has nothing of a write that failed at %s unless the disk kept it, at whichever slice',
    (point) => {
      const rows = 70
      for (let nth = 0; nth < (point === 'write' ? rows + 2 : 1); nth += 1) {
        let left = Infinity
        const hooks = {
          at: (at: StoragePoint) => {
            if (at !== point) return
            left -= 1
            if (left < 0) {
              left = Infinity
              throw Object.assign(new Error('full'), { code: 'SQLITE_FULL' })
            }
          },
        }
        const path = join(directory, `state-${nth}.db`)
        const state = openStateDatabase(optionsOf({ path, hooks }))
        const overlays = overlaysOf(state)
        for (let key = 0; key < rows; key += 1) overlays.app.working.set(Uint8Array.of(key), Uint8Array.of(key))
        const rejections = [{ seq: 1, id: toIntentionId(hashOf(9)), reason: 'r' }]
        const change = { cursor: cursorOf(1), ...overlays.freeze(), rejections }
        left = nth
        const write = state.write(change)
        if (point === 'committed') {
          expect(finish(write)).toBeGreaterThan(1)
        } else {
          expect(() => finish(write)).toThrow(expect.objectContaining({ code: 'DISK_FULL' }))
          expect(state.cursor().seq).toBe(0)
          expect(state.app.page({ gte: undefined, lt: undefined, reverse: false, rows: 100 })).toEqual([])
          expect(overlays.app.visible.get(Uint8Array.of(69))).toEqual(Uint8Array.of(69))
          finish(state.write(change))
        }
        overlays.thaw()
        expect(state.cursor().seq).toBe(1)
        expect([...overlays.app.visible.scan({})]).toHaveLength(rows)
        expect(state.rejections(0, 9)).toEqual(rejections)
        state.close()
      }
    },
  )

  test('that is abandoned or closed in the middle of a write is as it was', () => {
    const state = openStateDatabase(optionsOf())
    const overlays = overlaysOf(state)
    for (let key = 0; key < 200; key += 1) overlays.app.working.set(Uint8Array.of(key), Uint8Array.of(key))
    const change = { cursor: cursorOf(1), ...overlays.freeze(), rejections: [] }
    const write = state.write(change)
    write.step(() => false)
    write.abandon()
    write.abandon()
    const other = state.write(change)
    other.step(() => false)
    state.close()
    const again = openStateDatabase(optionsOf())
    expect(again.cursor().seq).toBe(0)
    expect(again.app.page({ gte: undefined, lt: undefined, reverse: false, rows: 1 })).toEqual([])
    again.close()
  })

  test('folds its write-ahead log into the file when it is told to, and waits for the disk elsewhere', async () => {
    const state = openStateDatabase(optionsOf())
    const { path } = optionsOf()
    const overlays = overlaysOf(state)
    for (let key = 0; key < 200; key += 1) overlays.app.working.set(Uint8Array.of(key), new Uint8Array(1000))
    finish(state.write({ cursor: cursorOf(1), ...overlays.freeze(), rejections: [] }))
    expect(state.rowsSinceCheckpoint()).toBe(201)
    const before = statSync(path).size
    await state.sync.log()
    expect(state.checkpoint(true)).toBeGreaterThan(40)
    await state.sync.file()
    expect(statSync(path).size).toBeGreaterThan(before + 150_000)
    expect(state.rowsSinceCheckpoint()).toBe(0)
    state.close()
  })

  test('of another store or version is refused as something to rebuild', () => {
    openStateDatabase(optionsOf()).close()
    const other = toStoreId(new Uint8Array(32).fill(2))
    const damaged = expect.objectContaining({ code: 'STATE_DAMAGED' })
    expect(() => openStateDatabase(optionsOf({ storeId: other }))).toThrow(damaged)
    expect(() => openStateDatabase(optionsOf({ projectorVersion: 'a/2' }))).toThrow(damaged)
    openStateDatabase(optionsOf()).close()
  })

  // Model: the table in memory.
  test('scans any range as a table in memory does, page by page', () => {
    const keys = fc.uint8Array({ maxLength: 3 })
    const ranges: fc.Arbitrary<TableRange> = fc.record(
      { gte: keys, lt: keys, limit: fc.nat({ max: 100 }), reverse: fc.boolean() },
      { requiredKeys: [] },
    )
    const state = openStateDatabase(optionsOf())
    const model = createMemoryTable()
    const overlays = overlaysOf(state)
    for (const key of fc.sample(keys, { numRuns: 400, seed: 7 })) {
      model.set(key, key)
      overlays.app.working.set(key, key)
    }
    finish(state.write({ cursor: cursorOf(1), ...overlays.freeze(), rejections: [] }))
    overlays.thaw()
    fc.assert(
      fc.property(ranges, (range) => {
        expect([...overlays.app.visible.scan(range)]).toEqual([...model.scan(range)])
      }),
    )
    state.close()
  })

  test('lets a commit pass while a scan is open, and the scan goes on', () => {
    const state = openStateDatabase(optionsOf())
    const overlays = overlaysOf(state)
    for (let key = 0; key < 100; key += 1) overlays.app.working.set(Uint8Array.of(key), Uint8Array.of(key))
    finish(state.write({ cursor: cursorOf(1), ...overlays.freeze(), rejections: [] }))
    overlays.thaw()
    const scan = overlays.app.visible.scan({})
    scan.next()
    overlays.app.working.set(Uint8Array.of(99), Uint8Array.of(0))
    finish(state.write({ cursor: cursorOf(2), ...overlays.freeze(), rejections: [] }))
    overlays.thaw()
    const rest = [...scan]
    expect(rest).toHaveLength(99)
    expect(rest.at(-1)?.value).toEqual(Uint8Array.of(0))
    state.close()
  })
})

test('a state that goes on in another count has its cursor there, and all else as it was', () => {
  const state = openStateDatabase(optionsOf())
  const { app, freeze } = overlaysOf(state)
  app.working.set(Uint8Array.of(1), Uint8Array.of(2))
  const write = state.write({ ...freeze(), cursor: cursorOf(9), rejections: [] })
  while (!write.step(() => true));
  state.close()
  const again = openStateDatabase(optionsOf({ countsFrom: 4 }))
  expect(again.cursor()).toEqual({ seq: 4, chainHash: hashOf(9) })
  expect(again.app.get(Uint8Array.of(1))).toEqual(Uint8Array.of(2))
  again.close()
  const same = openStateDatabase(optionsOf())
  expect(same.cursor()).toEqual({ seq: 4, chainHash: hashOf(9) })
  same.close()
})
