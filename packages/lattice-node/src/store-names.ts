/**
 * How people name stores: by id, by the beginning of an id, by name, or by a path from the root down.
 *
 * Names are not unique. In paths those that collide carry the beginning of their id; any other reference either means
 * exactly one store or is refused with what it could mean.
 *
 * @module
 */
import { fromHex, HASH_BYTES, type StoreId, toHex } from '@lattice/model'
import { shortId, storeAmbiguous, storeNotFound } from './errors.ts'
import type { StoreSummary } from './store-types.ts'

/** Fewest digits that are taken for the beginning of an id: below, everything would be ambiguous. */
export const MIN_ID_DIGITS = 4
/** As much of a reference as an error repeats; paths have no longest. */
const SHOWN_CHARS = 256
/** Candidates listed for an ambiguous reference. */
const CANDIDATES_SHOWN = 8

/** What a path calls a store: its name, or the beginning of its id where it has none. */
export function pathSegment(name: string, id: StoreId): string {
  return name === '' ? shortId(id) : name
}

/** A store among those with the same parent. */
export interface Sibling {
  readonly id: StoreId
  readonly name: string
  /** It is gone but for its tombstone, and leaves its name to others. */
  readonly isGone: boolean
}

/** What makes a name look like one that is told apart by an id. */
const MARKED = /~[0-9a-f]{12}$/
const SHORT_MARKED = /~[0-9a-f]{4,11}$/

/**
 * What paths call stores with the same parent, in their order. A name that several have is told apart by the beginning of
 * the id, as in `notes~1a2b3c4d5e6f`; so is a name that looks like that, which then means no other store.
 */
export function pathSegments(siblings: readonly Sibling[]): string[] {
  const living = new Map<string, number>()
  const all = new Map<string, number>()
  const count = (counts: Map<string, number>, segment: string): void => {
    counts.set(segment, (counts.get(segment) ?? 0) + 1)
  }
  for (const { id, name, isGone } of siblings) {
    const segment = pathSegment(name, id)
    count(all, segment)
    if (!isGone) count(living, segment)
  }
  return siblings.map(({ id, name, isGone }) => {
    const segment = pathSegment(name, id)
    const sharers = (isGone ? all : living).get(segment) ?? 0
    return sharers > 1 || MARKED.test(segment) ? `${segment}~${shortId(id)}` : segment
  })
}

/** Finds the one store that `reference` means. Throws `STORE_NOT_FOUND` or `STORE_AMBIGUOUS`. */
export function resolveReference(reference: string, stores: readonly StoreSummary[]): StoreSummary {
  const shown = reference.slice(0, SHOWN_CHARS)
  const wanted = reference.trim()
  // In order of how exact they are: the first kind that means anything decides.
  for (const match of [
    byId(wanted),
    byPath(wanted),
    byUnmarkedPath(wanted),
    byShortMark(wanted),
    byName(wanted),
    byIdPrefix(wanted),
  ]) {
    const matching = stores.filter(match)
    const living = matching.filter(({ state }) => state !== 'destroyed')
    // A tombstone is meant only by what means nothing else.
    const found = living.length > 0 ? living : matching
    const [only] = found
    if (only !== undefined && found.length === 1) return only
    if (found.length > 1) throw storeAmbiguous(shown, found.slice(0, CANDIDATES_SHOWN).map(describeCandidate))
  }
  throw storeNotFound(shown)
}

type Match = (store: StoreSummary) => boolean

/** A whole id: nothing that is named like it can stand in its way. */
function byId(wanted: string): Match {
  const digits = wanted.toLowerCase()
  return (store) => toHex(store.id) === digits
}

function byPath(wanted: string): Match {
  const path = wanted.replace(/^\/+|\/+$/g, '')
  return (store) => path !== '' && store.path === path
}

/** A path without what tells names apart: it means one store, or says what it could mean. */
function byUnmarkedPath(wanted: string): Match {
  const path = wanted.replace(/^\/+|\/+$/g, '')
  return (store) => path.includes('/') && store.path.replace(/~[0-9a-f]{12}(?=\/|$)/g, '') === path
}

/** With fewer digits of the id than are shown: `team/notes~1a2b`, or without what is above, `notes~1a2b`. */
function byShortMark(wanted: string): Match {
  const segments = wanted.replace(/^\/+|\/+$/g, '').split('/')
  return ({ path }) => {
    const own = path.split('/')
    const compared = segments.length === 1 ? own.slice(-1) : own
    return compared.length === segments.length && compared.every((each, index) => isShortMark(segments[index], each))
  }
}

function isShortMark(wanted: string | undefined, segment: string): boolean {
  if (wanted === undefined || wanted === segment) return wanted !== undefined
  return SHORT_MARKED.test(wanted) && MARKED.test(segment) && segment.startsWith(wanted)
}

function byName(wanted: string): Match {
  return (store) => wanted !== '' && store.name === wanted
}

function byIdPrefix(wanted: string): Match {
  const digits = wanted.toLowerCase()
  const isPrefix =
    digits.length >= MIN_ID_DIGITS &&
    digits.length <= 2 * HASH_BYTES &&
    fromHex(digits.slice(0, digits.length & ~1)) !== undefined
  return (store) => isPrefix && toHex(store.id).startsWith(digits)
}

function describeCandidate(store: StoreSummary): string {
  const id = shortId(store.id)
  return store.path.endsWith(id) ? store.path : `${store.path} ${id}`
}
