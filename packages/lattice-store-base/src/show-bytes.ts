/**
 * Bytes of a payload for people: as text where they are text, else as hex.
 *
 * @module
 */
import { raw, type SExpr, str, utf8Decode } from '@lattice/model'

/**
 * Text where the bytes are well-formed UTF-8 without control characters. What is longer than `atMost` bytes is cut, at a
 * whole character, and text then ends with an ellipsis. Total.
 */
export function showBytes(bytes: Uint8Array, atMost: number = bytes.length): SExpr {
  if (bytes.length <= atMost) return readable(bytes, '')
  let end = atMost
  // A byte that goes on with a character is not where one ends.
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1
  const shown = readable(bytes.subarray(0, end), '…')
  return shown.kind === 'string' ? shown : raw(bytes.subarray(0, atMost))
}

function readable(bytes: Uint8Array, ending: string): SExpr {
  const text = utf8Decode(bytes)
  return text === undefined || hasControls(text) ? raw(bytes) : str(`${text}${ending}`)
}

function hasControls(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index)
    if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return true
  }
  return false
}
