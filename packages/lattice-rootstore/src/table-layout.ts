/**
 * Where the root store keeps what: one part of its table for each kind of row.
 *
 * Apps, bundles and keys are records of the conflict-domain engine. A part of a bundle is two plain rows, which are
 * written once and dropped once: a small one that says that it is there, and one with its content, so that parts are
 * counted without reading them.
 *
 * @module
 */
import {
  concatBytes,
  type IntentionId,
  toIntentionId,
  type ReadTable,
  utf8Encode,
  type WriteTable,
} from '@lattice/model'
import { prefixedReadTable, prefixedWriteTable } from '@lattice/store-base'

export type TablePart = 'kv' | 'apps' | 'bundles' | 'parts' | 'contents'

/** One byte each, so none begins with another. */
const PREFIXES: Readonly<Record<TablePart, Uint8Array>> = {
  kv: utf8Encode('k'),
  apps: utf8Encode('a'),
  bundles: utf8Encode('b'),
  parts: utf8Encode('p'),
  contents: utf8Encode('c'),
}

export function readPart(table: ReadTable, part: TablePart): ReadTable {
  return prefixedReadTable(table, PREFIXES[part])
}

export function writePart(table: WriteTable, part: TablePart): WriteTable {
  return prefixedWriteTable(table, PREFIXES[part])
}

/** The rows of an app's parts begin with this: no app id has a zero byte. */
export function partsOf(appId: string): Uint8Array {
  return concatBytes(utf8Encode(appId), SEPARATOR)
}

export function partKey(appId: string, id: Uint8Array): Uint8Array {
  return concatBytes(partsOf(appId), id)
}

/** The part that a row of the app is about. */
export function partIdOf(appId: string, key: Uint8Array): IntentionId {
  return toIntentionId(key.subarray(partsOf(appId).length))
}

const SEPARATOR: Uint8Array = Uint8Array.of(0)
