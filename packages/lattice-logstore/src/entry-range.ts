/**
 * Which entries a read covers, checked, and walked through with bounded work.
 *
 * @module
 */
import { compareBytes, equalBytes, MAX_WALL_MS, PUBLIC_KEY_BYTES, type ReadTable, type TableRow } from '@lattice/model'
import type { log } from '@lattice/proto'
import { InvalidArgument } from '@lattice/store-base'
import { authorOfKey, wallBound } from './entry-key.ts'

export interface EntryRange {
  /** Inclusive. */
  readonly gte?: Uint8Array
  /** Exclusive. */
  readonly lt?: Uint8Array
  /** Of everybody when absent. */
  readonly author?: Uint8Array
}

/** Throws `InvalidArgument` for a range that is none. */
export function toEntryRange(range: log.LogRange | undefined): EntryRange {
  if (range === undefined) return {}
  const { from, to, author } = range
  // Beyond the last possible time nothing begins; what ends there ends nowhere.
  if (from > BigInt(MAX_WALL_MS))
    throw new InvalidArgument('the range begins after the last possible time: give milliseconds since 1970')
  if (to !== 0n && from > to)
    throw new InvalidArgument('the range is upside down: give a beginning that is not after the end')
  return {
    ...(from > 0n && { gte: wallBound(from) }),
    ...(to > 0n && to <= BigInt(MAX_WALL_MS) && { lt: wallBound(to) }),
    ...(author.length > 0 && { author: checkAuthor(author) }),
  }
}

export function checkAuthor(author: Uint8Array): Uint8Array {
  if (author.length !== PUBLIC_KEY_BYTES)
    throw new InvalidArgument(
      `an author is a public key of ${PUBLIC_KEY_BYTES} bytes, this one has ${author.length}: give the author of an entry`,
    )
  return author
}

export function isWithin({ gte, lt }: EntryRange, key: Uint8Array): boolean {
  return (gte === undefined || compareBytes(key, gte) >= 0) && (lt === undefined || compareBytes(key, lt) < 0)
}

export function isOfAuthor({ author }: EntryRange, key: Uint8Array): boolean {
  return author === undefined || equalBytes(authorOfKey(key), author)
}

export interface WalkOptions {
  /** Go on after this key, exclusive, in the direction of the walk. */
  readonly after?: Uint8Array
  readonly reverse: boolean
}

/** Every row of the range, those of other authors too: whoever walks counts what it costs. */
export function walkRange(
  read: ReadTable,
  { gte, lt }: EntryRange,
  { after, reverse }: WalkOptions,
): IterableIterator<TableRow> {
  const low = after === undefined || reverse ? gte : successor(after)
  const high = after !== undefined && reverse ? after : lt
  return read.scan({ ...(low && { gte: low }), ...(high && { lt: high }), reverse })
}

/** The first key after `key`. */
export function successor(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1)
  next.set(key)
  return next
}
