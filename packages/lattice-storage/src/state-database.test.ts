import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TableRange, toHash, toIntentionId, toStoreId } from '@lattice/model'
import { createMemoryTable } from '@lattice/model/testing'
import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createOverlayTable } from './overlay-table.ts'
import { type OpenStateOptions, openStateDatabase } from './state-database.ts'

const storeId = toStoreId(new Uint8Array(32).fill(1))
const hashOf = (seq: number) => toHash(new Uint8Array(32).fill(seq))

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

describe('the state database', () => {
  test('keeps rows, rejections and cursor of a commit together, over opening again', () => {
    const state = openStateDatabase(optionsOf())
    expect(state.cursor().seq).toBe(0)
    const [system, app] = [createOverlayTable(state.system), createOverlayTable(state.app)]
    system.set(Uint8Array.of(1), Uint8Array.of(10))
    app.set(Uint8Array.of(2), new Uint8Array(0))
    const rejection = { seq: 3, id: toIntentionId(hashOf(9)), reason: 'payload_malformed' }
    state.commit({ cursor: { seq: 4, chainHash: hashOf(4) }, system, app, rejections: [rejection] })
    state.close()
    const again = openStateDatabase(optionsOf())
    expect(again.cursor()).toEqual({ seq: 4, chainHash: hashOf(4) })
    expect(again.system.get(Uint8Array.of(1))).toEqual(Uint8Array.of(10))
    expect(again.app.get(Uint8Array.of(2))).toEqual(new Uint8Array(0))
    expect(again.app.get(Uint8Array.of(1))).toBeUndefined()
    expect(again.rejections(0, 10)).toEqual([rejection])
    expect(again.rejections(3, 10)).toEqual([])
    expect(again.rejectionCount()).toBe(1)
    again.close()
  })

  test('has nothing of a commit that failed', () => {
    let fail = false
    const hooks = {
      at: (point: string) => {
        if (fail && point === 'commit') throw Object.assign(new Error('full'), { code: 'SQLITE_FULL' })
      },
    }
    const state = openStateDatabase(optionsOf({ hooks }))
    const [system, app] = [createOverlayTable(state.system), createOverlayTable(state.app)]
    app.set(Uint8Array.of(2), Uint8Array.of(1))
    const change = { cursor: { seq: 1, chainHash: hashOf(1) }, system, app, rejections: [] }
    fail = true
    expect(() => state.commit(change)).toThrow(expect.objectContaining({ code: 'DISK_FULL' }))
    expect(state.cursor().seq).toBe(0)
    expect(state.app.get(Uint8Array.of(2))).toBeUndefined()
    fail = false
    state.commit(change)
    expect(state.cursor().seq).toBe(1)
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
    const app = createOverlayTable(state.app)
    for (const key of fc.sample(keys, { numRuns: 400, seed: 7 })) {
      model.set(key, key)
      app.set(key, key)
    }
    const system = createOverlayTable(state.system)
    state.commit({ cursor: { seq: 1, chainHash: hashOf(1) }, system, app, rejections: [] })
    fc.assert(
      fc.property(ranges, (range) => {
        expect([...state.app.scan(range)]).toEqual([...model.scan(range)])
      }),
    )
    state.close()
  })

  test('lets a commit pass while a scan is open, and the scan goes on', () => {
    const state = openStateDatabase(optionsOf())
    const system = createOverlayTable(state.system)
    const app = createOverlayTable(state.app)
    for (let key = 0; key < 100; key += 1) app.set(Uint8Array.of(key), Uint8Array.of(key))
    state.commit({ cursor: { seq: 1, chainHash: hashOf(1) }, system, app, rejections: [] })
    const scan = state.app.scan({})
    scan.next()
    app.clear()
    app.set(Uint8Array.of(99), Uint8Array.of(0))
    state.commit({ cursor: { seq: 2, chainHash: hashOf(2) }, system, app, rejections: [] })
    const rest = [...scan]
    expect(rest).toHaveLength(99)
    expect(rest.at(-1)?.value).toEqual(Uint8Array.of(0))
    state.close()
  })
})
