/**
 * Keys as text, for maps and sorted lists: equal bytes give equal text, and text sorts as its bytes do.
 *
 * The same text as `idKey` makes, made by Node's own conversion, which takes half the time and any length.
 *
 * @module
 */
import type { IdKey } from '@lattice/model'

interface Latin1 {
  readonly latin1Slice: (this: Uint8Array, start: number, end: number) => string
}

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Node has this method; its types leave it out.
const { latin1Slice } = Buffer.prototype as unknown as Latin1

/** The text of a key. */
export function keyText(key: Uint8Array): IdKey {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The text is one character per byte, as an IdKey's is.
  return latin1Slice.call(key, 0, key.length) as IdKey
}

/** The bytes of a key, as a new array. */
export function keyBytes(text: IdKey): Uint8Array {
  const bytes = new Uint8Array(text.length)
  for (let index = 0; index < bytes.length; index += 1) bytes[index] = text.charCodeAt(index)
  return bytes
}

/** The least key above `key`. */
export function keyAfter(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1)
  next.set(key)
  return next
}
