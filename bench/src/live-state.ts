/**
 * What the state of a store takes by itself: the floor of everything that a store has on the disk.
 *
 * @module
 */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { kvStore } from '@lattice/kvstore'
import type { BulkWrite } from '@lattice/kernel'
import { schemaOfCommands } from '@lattice/store-base'
import { keyOf, putPayload, valueOf } from './entries.ts'
import { createHistory } from './history.ts'
import { openStore } from './store.ts'

export function bytesOf(directory: string): number {
  return readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0)
}

/** So many writes, one after the other, of so many keys. */
export function* overwrites(
  from: number,
  { count, keys }: { readonly count: number; readonly keys: number },
): Generator<BulkWrite, void, undefined> {
  for (let entry = from; entry < from + count; entry += 1) {
    const value = putPayload(keyOf(entry % keys), valueOf(entry))
    yield { op: { kind: 'appData', schema: schemaOfCommands(kvStore), value } }
  }
}

/** The projected state of a store in which each key was written once. */
export async function liveBytes(directory: string, keys: number): Promise<number> {
  {
    await using store = await openStore({ directory, ...createHistory({ runLength: 1 }), durability: 'normal' })
    await store.kernel.submitMany(overwrites(0, { count: keys, keys }))
  }
  return statSync(join(directory, 'state.db')).size
}
