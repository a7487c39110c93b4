/**
 * The rows of a bundle's parts.
 *
 * A part is put by exactly one operation, whose id is its own, and dropped only by operations that follow that one: so
 * in every causal order it is put before it is dropped, and what remains is the same.
 *
 * @module
 */
import { fromBinary } from '@bufbuild/protobuf'
import { heads } from '@lattice/kvtable'
import {
  type IdKey,
  idKey,
  type IntentionId,
  prefixRange,
  type ReadTable,
  toIntentionId,
  utf8Encode,
  type WriteTable,
} from '@lattice/model'
import { root } from '@lattice/proto'
import type { AppliedOp } from '@lattice/store-base'
import { MAX_LOOSE_PARTS } from './limits.ts'
import { partIdOf, partKey, partsOf, readPart, writePart } from './table-layout.ts'

/** A part that is here. */
export interface PartInfo {
  readonly id: IntentionId
  /** When it was put. */
  readonly wall: number
}

const WALL_BYTES = 8

export function putPart(table: WriteTable, { id, timestamp }: AppliedOp, { appId, data }: root.PutPart): void {
  const wall = new Uint8Array(WALL_BYTES)
  new DataView(wall.buffer).setBigUint64(0, BigInt(timestamp.wall))
  writePart(table, 'parts').set(partKey(appId, id), wall)
  writePart(table, 'contents').set(partKey(appId, id), data)
}

/** Drops those of `ids` that `op` follows. */
export function dropParts(
  table: WriteTable,
  { follows }: AppliedOp,
  { appId, ids }: { readonly appId: string; readonly ids: readonly Uint8Array[] },
): void {
  const [parts, contents] = [writePart(table, 'parts'), writePart(table, 'contents')]
  for (const id of ids) {
    if (!follows(toIntentionId(id))) continue
    parts.delete(partKey(appId, id))
    contents.delete(partKey(appId, id))
  }
}

/** Every part of the app that is here. */
export function* scanParts(read: ReadTable, appId: string): Generator<PartInfo, void, undefined> {
  for (const { key, value } of readPart(read, 'parts').scan(prefixRange(partsOf(appId))))
    yield {
      id: partIdOf(appId, key),
      wall: Number(new DataView(value.buffer, value.byteOffset, value.byteLength).getBigUint64(0)),
    }
}

/** How many of the parts that a record lists are not here. */
export function missingParts(read: ReadTable, appId: string, { content }: root.BundleRecord): number {
  if (content.case !== 'parts') return 0
  const missing = new Map(content.value.ids.map((id) => [idKey(id), id]))
  // Most are found in one pass over the app's, which costs a fraction of as many look-ups.
  for (const { id } of take(scanParts(read, appId), MAX_LOOSE_PARTS)) missing.delete(idKey(id))
  const parts = readPart(read, 'parts')
  return [...missing.values()].filter((id) => parts.get(partKey(appId, id)) === undefined).length
}

/** Parts of the app that are here, counted up to `limit`. */
export function countParts(read: ReadTable, appId: string, limit: number): number {
  let count = 0
  const rows = readPart(read, 'parts').scan(prefixRange(partsOf(appId)))
  for (const _ of take(rows, limit)) count += 1
  return count
}

function* take<Item>(items: Iterable<Item>, limit: number): Generator<Item, void, undefined> {
  let taken = 0
  for (const item of items) {
    if (taken === limit) return
    yield item
    taken += 1
  }
}

/** The content of a part; undefined when it is not here. */
export function readPartContent(read: ReadTable, appId: string, id: Uint8Array): Uint8Array | undefined {
  return readPart(read, 'contents').get(partKey(appId, id))
}

/** The parts of every bundle of the app that stands, the winner's first. */
export function standingParts(read: ReadTable, appId: string): readonly Uint8Array[] {
  return heads(readPart(read, 'bundles'), utf8Encode(appId)).flatMap(({ state }) => {
    if (state.kind !== 'value') return []
    const { content } = fromBinary(root.BundleRecordSchema, state.value)
    return content.case === 'parts' ? content.value.ids : []
  })
}

/** Parts of the app that no standing bundle lists: of uploads that are on their way or were given up. */
export function looseParts(read: ReadTable, appId: string): readonly PartInfo[] {
  const standing = new Set<IdKey>(standingParts(read, appId).map(idKey))
  return [...scanParts(read, appId)].filter(({ id }) => !standing.has(idKey(id)))
}
