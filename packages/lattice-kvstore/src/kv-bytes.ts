/**
 * Keys and values as users give them.
 *
 * @module
 */
import { utf8Encode } from '@lattice/model'

/** Text is taken as UTF-8. */
export type KvBytes = string | Uint8Array

export function toBytes(value: KvBytes): Uint8Array {
  return typeof value === 'string' ? utf8Encode(value) : value
}
