/**
 * Whether two lists hold the same addresses, in whatever order.
 *
 * @module
 */

/** Repetitions count once. */
export function sameAddresses(a: readonly string[], b: readonly string[]): boolean {
  const left = new Set(a)
  const right = new Set(b)
  return left.size === right.size && [...left].every((address) => right.has(address))
}
