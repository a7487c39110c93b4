/**
 * The hash of a bundle, by which it is known: SHA-256 of the zip.
 *
 * @module
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { SLICE_BYTES, type Sliced } from '../sliced.ts'

export function* hashBundle(zip: Uint8Array): Sliced<Uint8Array> {
  const hash = sha256.create()
  for (let at = 0; at < zip.length; at += SLICE_BYTES) {
    const slice = zip.subarray(at, at + SLICE_BYTES)
    hash.update(slice)
    yield slice.length
  }
  return hash.digest()
}
