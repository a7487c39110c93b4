/**
 * Maps that keep the entries put there last, at most so many: what peers can have remembered has a bound.
 *
 * @module
 */

/** Puts an entry at the end, and lets go of the one that was put there longest ago where there are more than `limit`. */
export function keepLatest<Key, Value>(
  book: Map<Key, Value>,
  { key, value, limit }: { readonly key: Key; readonly value: Value; readonly limit: number },
): void {
  // Maps keep the order of insertion.
  book.delete(key)
  book.set(key, value)
  const [oldest] = book.keys()
  if (book.size > limit && oldest !== undefined) book.delete(oldest)
}
