/**
 * How people name stores: by id, by the beginning of an id, by name, or by a path from the root down.
 *
 * Names are not unique, so a reference either means exactly one store or is refused with what it could mean.
 *
 * @module
 */
import { fromHex, type StoreId, toHex } from '@lattice/model'
import { shortId, storeAmbiguous, storeNotFound } from './errors.ts'
import type { StoreSummary } from './node-types.ts'

/** Fewest digits that are taken for the beginning of an id: below, everything would be ambiguous. */
export const MIN_ID_DIGITS = 4
/** Longest reference: a path of a few full-length names. */
export const MAX_REFERENCE_CHARS = 1024
/** Candidates listed for an ambiguous reference. */
const CANDIDATES_SHOWN = 8

/** What a path calls a store: its name, or the beginning of its id where it has none. */
export function pathSegment(name: string, id: StoreId): string {
  return name === '' ? shortId(id) : name
}

/** Finds the one store that `reference` means. Throws `STORE_NOT_FOUND` or `STORE_AMBIGUOUS`. */
export function resolveReference(reference: string, stores: readonly StoreSummary[]): StoreSummary {
  const shown = reference.slice(0, MAX_REFERENCE_CHARS)
  const wanted = shown.trim()
  // In order of how exact they are: the first kind that means anything decides.
  for (const match of [byPath(wanted), byName(wanted), byIdPrefix(wanted)]) {
    const found = stores.filter(match)
    const [only] = found
    if (only !== undefined && found.length === 1) return only
    if (found.length > 1) throw storeAmbiguous(shown, found.slice(0, CANDIDATES_SHOWN).map(describeCandidate))
  }
  throw storeNotFound(shown)
}

type Match = (store: StoreSummary) => boolean

function byPath(wanted: string): Match {
  const path = wanted.replace(/^\/+|\/+$/g, '')
  return (store) => path !== '' && store.path === path
}

function byName(wanted: string): Match {
  return (store) => wanted !== '' && store.name === wanted
}

function byIdPrefix(wanted: string): Match {
  const digits = wanted.toLowerCase()
  const isPrefix = digits.length >= MIN_ID_DIGITS && fromHex(digits.slice(0, digits.length & ~1)) !== undefined
  return (store) => isPrefix && toHex(store.id).startsWith(digits)
}

function describeCandidate(store: StoreSummary): string {
  return `${store.path} ${shortId(store.id)}`
}
