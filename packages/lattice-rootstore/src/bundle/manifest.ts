/**
 * Reads the `manifest.toml` of a bundle: who the app is, and every table, flattened.
 *
 * Only tables are kept; an entry outside of any is left out. Text stays as it is, all else becomes text: numbers, truth
 * values and times as TOML writes them, lists as JSON.
 *
 * Pure and total: the text is bounded, and so is everything that it turns into.
 *
 * @module
 */
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { err, ok, parseStoreType, type Result, utf8Decode, utf8Encode } from '@lattice/model'
import { root } from '@lattice/proto'
import { parse, TomlDate } from 'smol-toml'
import { isAppId } from '../app-names.ts'
import {
  MAX_MANIFEST_DEPTH,
  MAX_MANIFEST_FIELDS,
  MAX_MANIFEST_FILE_BYTES,
  MAX_MANIFEST_NAME_BYTES,
  MAX_MANIFEST_RECORD_BYTES,
  MAX_MANIFEST_VALUE_BYTES,
} from '../limits.ts'
import type { BundleReason } from './bundle-problem.ts'

type Table = Readonly<Record<string, unknown>>
type Field = Required<Omit<MessageInitShape<typeof root.ManifestFieldSchema>, '$typeName' | '$unknown'>>

const BYTE_ORDER_MARK = '\ufeff'

export function readManifest(bytes: Uint8Array): Result<root.Manifest, BundleReason> {
  if (bytes.length > MAX_MANIFEST_FILE_BYTES) return err('manifest_too_large')
  const text = utf8Decode(bytes)
  if (text === undefined) return err('manifest_not_utf8')
  const document = parseToml(text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text)
  if (document === undefined) return err('manifest_not_toml')
  const fields: Field[] = []
  for (const [name, value] of Object.entries(document)) {
    if (!isTable(value)) continue
    const problem = flatten(value, { path: name, depth: 1, fields })
    if (problem !== undefined) return err(problem)
  }
  return describe(document, fields)
}

function parseToml(text: string): Table | undefined {
  try {
    return parse(text, { integersAsBigInt: 'asNeeded', unsafeKeyBehaviour: 'throw', maxDepth: MAX_MANIFEST_DEPTH })
  } catch {
    // The parser throws for whatever is no TOML.
    return undefined
  }
}

function describe(document: Table, fields: readonly Field[]): Result<root.Manifest, BundleReason> {
  const app = document['app']
  if (!isTable(app) || app['id'] === undefined) return err('app_id_missing')
  const texts: string[] = []
  for (const key of ['id', 'name', 'version', 'store_type', 'description']) {
    const value = app[key] ?? ''
    if (typeof value !== 'string') return err('manifest_field_type')
    texts.push(value)
  }
  const [id = '', name = '', version = '', storeType = '', description = ''] = texts
  if (id === '') return err('app_id_missing')
  if (!isAppId(id)) return err('app_id_invalid')
  if (storeType !== '' && !parseStoreType(storeType).ok) return err('store_type_invalid')
  const sorted = fields.toSorted((a, b) => compareText(a.table, b.table) || compareText(a.key, b.key))
  const manifest = create(root.ManifestSchema, { id, name, version, storeType, description, fields: sorted })
  const size = toBinary(root.ManifestSchema, manifest).length
  return size > MAX_MANIFEST_RECORD_BYTES ? err('manifest_field_too_long') : ok(manifest)
}

/** Adds the entries of `table` and of the tables in it to `fields`. */
function flatten(
  table: Table,
  { path, depth, fields }: { readonly path: string; readonly depth: number; readonly fields: Field[] },
): BundleReason | undefined {
  if (depth > MAX_MANIFEST_DEPTH) return 'manifest_not_toml'
  if (isTooLong(path, MAX_MANIFEST_NAME_BYTES)) return 'manifest_field_too_long'
  for (const [key, value] of Object.entries(table)) {
    if (isTable(value)) {
      const problem = flatten(value, { path: `${path}.${key}`, depth: depth + 1, fields })
      if (problem !== undefined) return problem
      continue
    }
    const text = render(value)
    if (isTooLong(key, MAX_MANIFEST_NAME_BYTES) || isTooLong(text, MAX_MANIFEST_VALUE_BYTES))
      return 'manifest_field_too_long'
    if (fields.length === MAX_MANIFEST_FIELDS) return 'manifest_too_many_fields'
    fields.push({ table: path, key, value: text })
  }
  return undefined
}

function render(value: unknown): string {
  if (typeof value === 'string') return value
  if (value instanceof TomlDate) return value.toISOString()
  if (Array.isArray(value))
    return JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? String(each) : each))
  return String(value)
}

function isTable(value: unknown): value is Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof TomlDate)
}

function isTooLong(text: string, limit: number): boolean {
  return text.length > limit || utf8Encode(text).length > limit
}

/** By code units, on every machine alike. */
function compareText(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
