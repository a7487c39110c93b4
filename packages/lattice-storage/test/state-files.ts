/**
 * States to test with: written in batches of rows, and copied as the end of the process would leave their files.
 *
 * @module
 */
import { copyFileSync, existsSync } from 'node:fs'
import { type Crypto, type StoreId, toHash, toStoreId } from '@lattice/model'
import * as fc from 'fast-check'
import { createOverlayTable } from '../src/overlay-table.ts'
import { scanRoot } from '../src/scan-root.ts'
import type { StateCursor, StateWrite } from '../src/state-change.ts'
import type { StateDatabase } from '../src/state-database.ts'
import type { StateRoot } from '../src/state-root.ts'
import type { StorageHooks, StoragePoint } from '../src/storage-hooks.ts'
import type { TableName } from '../src/sqlite-table.ts'

export const STORE: StoreId = toStoreId(new Uint8Array(32).fill(1))

/** A row is set, or deleted where the value is null. */
export interface Change {
  readonly table: TableName
  readonly key: Uint8Array
  readonly value: Uint8Array | null
}

const bytes = fc.uint8Array({ maxLength: 2, max: 3 })

/** Few keys and values, so that rows are overwritten, deleted, come again and stay as they are. */
export const changes: fc.Arbitrary<Change> = fc.record({
  table: fc.constantFrom('system', 'app'),
  key: bytes,
  value: fc.option(bytes, { freq: 3, nil: null }),
})

export function cursorAt(seq: number): StateCursor {
  return { seq, chainHash: toHash(new Uint8Array(32).fill(seq % 256)) }
}

/** Writes a batch as one transaction, in slices as small as they come. */
export function writeBatch(state: StateDatabase, batch: readonly Change[], seq: number): void {
  finish(beginBatch(state, batch, seq))
}

export function beginBatch(state: StateDatabase, batch: readonly Change[], seq: number): StateWrite {
  const overlays = { system: createOverlayTable(state.system), app: createOverlayTable(state.app) }
  for (const { table, key, value } of batch) {
    if (value === null) overlays[table].working.delete(key)
    else overlays[table].working.set(key, value)
  }
  overlays.system.publish()
  overlays.app.publish()
  const rows = { system: overlays.system.freeze(), app: overlays.app.freeze() }
  return state.write({ cursor: cursorAt(seq), ...rows, rejections: [] })
}

export function finish(write: StateWrite): void {
  for (let isDone = false; !isDone;) isDone = write.step(() => false)
}

/** The root made from the rows. */
export function scannedRoot(crypto: Crypto, state: StateDatabase): StateRoot {
  return scanRoot(crypto, {
    system: createOverlayTable(state.system).visible,
    app: createOverlayTable(state.app).visible,
  })
}

export function copyState(from: string, to: string): void {
  for (const end of ['', '-wal']) if (existsSync(from + end)) copyFileSync(from + end, to + end)
}

/** Calls `visit` at every point between two lines where a process may end. */
export function hooksAt(visit: (point: StoragePoint, path: string) => void): StorageHooks {
  return { at: visit }
}

export function diskFull(): Error {
  return Object.assign(new Error('full'), { code: 'SQLITE_FULL' })
}
