/**
 * Places and rows of a state as they travel.
 *
 * @module
 */
import { compareBytes, MAX_KEY_BYTES } from '@lattice/model'
import type { RowPlace } from '@lattice/net-types'
import { net } from '@lattice/proto'

/** Below zero where `a` comes first: system rows before the others, then by key. */
export function comparePlaces(a: RowPlace, b: RowPlace): number {
  if (a.table !== b.table) return a.table === 'system' ? -1 : 1
  return compareBytes(a.key, b.key)
}

export function placeFields({ table, key }: RowPlace): { readonly table: net.RowTable; readonly key: Uint8Array } {
  return { table: table === 'system' ? net.RowTable.SYSTEM : net.RowTable.APP, key }
}

/** Reads a place; undefined for one that no row has. */
export function readPlace({ table, key }: Pick<net.RowPlace, 'table' | 'key'>): RowPlace | undefined {
  if (key.length > MAX_KEY_BYTES) return undefined
  if (table === net.RowTable.SYSTEM) return { table: 'system', key }
  return table === net.RowTable.APP ? { table: 'app', key } : undefined
}

/** Reads a place that may be left out. */
export function readOptionalPlace(place: net.RowPlace | undefined): RowPlace | 'malformed' | undefined {
  return place === undefined ? undefined : (readPlace(place) ?? 'malformed')
}
