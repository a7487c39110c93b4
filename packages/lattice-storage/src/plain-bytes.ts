/**
 * Blobs as the rest of the program expects bytes.
 *
 * @module
 */

/** The same bytes as a plain `Uint8Array`: a `Buffer` slices and prints differently. */
export function toPlainBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
