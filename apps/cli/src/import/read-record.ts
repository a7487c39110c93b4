/**
 * One line of a file as a record to import. Pure.
 *
 * @module
 */
import { err, ok, type Result, utf8Decode, utf8Encode } from '@lattice/model'
import { parseBytes } from '../render/bytes-text.ts'

export interface ImportRecord {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

/** How a line is to be read. */
export type LineFormat =
  | { readonly kind: 'json' }
  /** The key ends at the first separator; the rest of the line is the value. */
  | { readonly kind: 'separated'; readonly separator: Uint8Array }

/** Reads one line; says what is wrong with it otherwise. */
export function readRecord(bytes: Uint8Array, format: LineFormat): Result<ImportRecord, string> {
  const record = format.kind === 'json' ? readJsonRecord(bytes) : readSeparated(bytes, format.separator)
  if (record.ok && record.value.key.length === 0) return err('the key is empty')
  return record
}

/** The separator that `text` means; `\t` stands for a tab. Undefined for an empty one. */
export function readSeparator(text: string): Uint8Array | undefined {
  const separator = utf8Encode(text.replaceAll(String.raw`\t`, '\t'))
  return separator.length === 0 || separator.includes(0x0a) ? undefined : separator
}

/** Blank, or beginning with `#`. */
export function isComment(bytes: Uint8Array): boolean {
  const first = bytes.find((byte) => byte !== 0x20 && byte !== 0x09)
  return first === undefined || first === 0x23
}

function readSeparated(bytes: Uint8Array, separator: Uint8Array): Result<ImportRecord, string> {
  const at = indexOf(bytes, separator)
  if (at === -1) return err(`it has no separator '${utf8Decode(separator) ?? ''}'`)
  // Copied: the line is a view into a chunk that is reused.
  return ok({ key: bytes.slice(0, at), value: bytes.slice(at + separator.length) })
}

function readJsonRecord(bytes: Uint8Array): Result<ImportRecord, string> {
  const text = utf8Decode(bytes)
  if (text === undefined) return err('it is not UTF-8')
  const parsed = parseJson(text)
  if (!parsed.ok) return parsed
  const json = parsed.value
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return err('it is no JSON object')
  const unknown = Object.keys(json).find((name) => name !== 'key' && name !== 'value')
  if (unknown !== undefined) return err(`it has a field '${unknown}': a record has key and value`)
  if (!('key' in json) || typeof json.key !== 'string') return err('its key is no string')
  if (!('value' in json) || typeof json.value !== 'string') return err('its value is no string')
  const key = parseBytes(json.key)
  if (!key.ok) return err(`its key ${key.error}`)
  const value = parseBytes(json.value)
  return value.ok ? ok({ key: key.value, value: value.value }) : err(`its value ${value.error}`)
}

function parseJson(text: string): Result<unknown, string> {
  try {
    return ok(JSON.parse(text))
  } catch {
    return err('it is not JSON')
  }
}

function indexOf(bytes: Uint8Array, separator: Uint8Array): number {
  const [first = 0] = separator
  for (let at = bytes.indexOf(first); at !== -1; at = bytes.indexOf(first, at + 1)) {
    if (separator.every((byte, index) => bytes[at + index] === byte)) return at
  }
  return -1
}
