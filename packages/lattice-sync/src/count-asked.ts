/**
 * What a message asks to have computed, before any of it is.
 *
 * Pure.
 *
 * @module
 */
import { createMessageReader } from './message-reader.ts'

/** Ranges of a message that are answered by more than a skip. */
export interface AskedRanges {
  /** Each may be answered by sixteen finer ones. */
  readonly fingerprints: number
  /** Each is answered by a list, or compared with own items. */
  readonly lists: number
}

/** Counts until there are `fingerprintsMax` fingerprints. Of a malformed message, what comes before its fault. */
export function countAsked(message: Uint8Array, fingerprintsMax: number): AskedRanges {
  let [fingerprints, lists] = [0, 0]
  if (message.length === 0) return { fingerprints, lists }
  const reader = createMessageReader(message)
  while (fingerprints < fingerprintsMax) {
    const range = reader.next()
    if (!range.ok || range.value === undefined) break
    if (range.value.mode === 'fingerprint') fingerprints += 1
    else if (range.value.mode === 'idList') lists += 1
  }
  return { fingerprints, lists }
}
