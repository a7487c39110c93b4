/**
 * Reads the parts of a request that every method shares. A request is
 * untrusted: what is missing or too large is the caller's error.
 *
 * @module
 */
import { readStoreId } from '@lattice/model'
import type { Node, StoreHandle } from '@lattice/node'
import { InvalidArgument } from '@lattice/store-base'

/** The store a request names by its id. */
export function storeOf(node: Node, storeId: Uint8Array): StoreHandle {
  const id = readStoreId(storeId)
  if (id === undefined) {
    throw new InvalidArgument(`a store id has 32 bytes, this one has ${storeId.length}: resolve a name or prefix first`)
  }
  return node.store(id)
}

export interface PageLimit {
  /** For a request that names none. */
  readonly fallback: number
  readonly max: number
}

/** The page size a request asks for. */
export function pageLimit(limit: number, { fallback, max }: PageLimit): number {
  if (limit === 0) return fallback
  if (limit > max) throw new InvalidArgument(`a page has at most ${max} entries: ask for fewer and page on`, { max })
  return limit
}

/** A position in a log, which fits a number for as long as a log can grow. */
export function position(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new InvalidArgument('the position is beyond the end of any log')
  return Number(value)
}
