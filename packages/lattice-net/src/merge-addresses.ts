/**
 * Where one dial tries: what is remembered, and what was found just now.
 *
 * What is found may be forged and what is remembered may be old, so each gets every second place: neither can push the
 * other out, and a transport that tries the first few only tries both.
 *
 * Pure.
 *
 * @module
 */
import { MAX_ADDRESSES } from './limits.ts'

/** Takes from both in turn, those remembered first; each once, at most `MAX_ADDRESSES`. */
export function mergeAddresses(remembered: readonly string[], found: readonly string[]): readonly string[] {
  const merged = new Set<string>()
  for (let place = 0; place < Math.max(remembered.length, found.length); place += 1) {
    for (const address of [remembered[place], found[place]]) {
      if (address !== undefined && merged.size < MAX_ADDRESSES) merged.add(address)
    }
  }
  return [...merged]
}
