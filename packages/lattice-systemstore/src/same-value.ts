/**
 * Whether two values of plain data say the same.
 *
 * @module
 */
import { equalBytes } from '@lattice/model'

/** Compares numbers, texts, bytes, and lists and records of them. */
export function isSameValue(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true
  if (!isObject(one) || !isObject(other)) return false
  if (one instanceof Uint8Array || other instanceof Uint8Array) {
    return one instanceof Uint8Array && other instanceof Uint8Array && equalBytes(one, other)
  }
  const [entries, others] = [Object.entries(one), new Map(Object.entries(other))]
  return (
    entries.length === others.size &&
    entries.every(([name, value]) => others.has(name) && isSameValue(value, others.get(name)))
  )
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
