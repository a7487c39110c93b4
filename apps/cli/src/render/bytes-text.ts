/**
 * Bytes as a person writes and reads them: text where they are valid UTF-8,
 * else `0x` and hex. What is printed can be typed back: reading is the inverse
 * of printing for every byte string, so text that itself begins with `0x` is
 * printed as hex.
 *
 * @module
 */
import { err, fromHex, ok, type Result, toHex, utf8Decode, utf8Encode } from '@lattice/model'

/** How a field wants to be shown: as a store's descriptor says. */
export type DisplayFormat = 'utf8' | 'hex' | 'json' | 'timestamp'

/** Ids and keys have this many bytes, and are told apart by a few of them. */
const ID_BYTES = 32
const SHORT_ID_DIGITS = 12

/** The full text of a bytes field. */
export function formatBytes(bytes: Uint8Array, format?: DisplayFormat): string {
  if (format === 'hex') return toHex(bytes)
  const text = utf8Decode(bytes)
  return text === undefined || /^0x/iu.test(text) ? `0x${toHex(bytes)}` : text
}

/** Reads what {@link formatBytes} prints; a field of hex also accepts the prefix `0x`. */
export function parseBytes(text: string, format?: DisplayFormat): Result<Uint8Array, string> {
  const hasPrefix = /^0x/iu.test(text)
  if (!hasPrefix && format !== 'hex') return ok(utf8Encode(text))
  const bytes = fromHex(hasPrefix ? text.slice(2) : text)
  return bytes === undefined ? err(`'${text}' is not hex: it takes pairs of the digits 0-9 and a-f`) : ok(bytes)
}

/** Hex of an id for a person: the first digits, unless `full`. What is no id is never cut. */
export function formatId(bytes: Uint8Array, full = false): string {
  const hex = toHex(bytes)
  return full || bytes.length !== ID_BYTES ? hex : hex.slice(0, SHORT_ID_DIGITS)
}
