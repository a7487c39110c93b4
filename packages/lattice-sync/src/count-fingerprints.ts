/**
 * What a message asks to have computed, before any of it is.
 *
 * Pure.
 *
 * @module
 */
import { createMessageReader } from './message-reader.ts'

/**
 * Fingerprints in `message`, counted up to `most`: each may be answered by finer ones. Of a malformed message, those before
 * its fault.
 */
export function countFingerprints(message: Uint8Array, most: number): number {
  if (message.length === 0) return 0
  const reader = createMessageReader(message)
  let count = 0
  for (let range = reader.next(); count < most && range.ok && range.value !== undefined; range = reader.next()) {
    if (range.value.mode === 'fingerprint') count += 1
  }
  return count
}
