/**
 * Reads of a conflict-domain table.
 *
 * Values belong to whoever asked: views of rows that the table gave away, or
 * copies of rows that it kept. A scan decodes a row when it is asked for and not
 * before, and of it no more than the value.
 *
 * @module
 */
import { compareBytes, createByteSlab, type IntentionId, prefixRange, type ReadTable } from '@lattice/model'
import { type KvValue, readValue } from './read-value.ts'
import { decodeHeads, type KvHead } from './value-codec.ts'

/** A key that reads as something: it has a value, or is deleted while another write of it stands. */
export interface KvEntry extends KvValue {
  readonly key: Uint8Array
}

/** Which keys: those with `prefix` that are in `[gte, lt)`; each part may be left out. */
export interface KvRange {
  readonly prefix?: Uint8Array
  readonly gte?: Uint8Array
  readonly lt?: Uint8Array
  /** Go on after this key, exclusive, in the direction of the scan. */
  readonly after?: Uint8Array
  /** From the last key to the first. */
  readonly reverse?: boolean
}

/** What `key` means; undefined when it was never written. A deleted key has no value. */
export function get(read: ReadTable, key: Uint8Array): KvValue | undefined {
  if (read.peek === undefined) {
    const stored = read.get(key)
    return stored === undefined ? undefined : readValue(stored)
  }
  const kept = read.peek(key)
  if (kept === undefined) return undefined
  const { value, conflicted } = readValue(kept)
  return { value: value === undefined ? undefined : copy(value), conflicted }
}

const copy = createByteSlab()

/** Every write of `key` that stands, the winner first; empty when it was never written. */
export function heads(read: ReadTable, key: Uint8Array): readonly KvHead[] {
  const stored = read.get(key)
  return stored === undefined ? [] : decodeHeads(stored)
}

/** What a write of `keys` has to cite to replace all that stands: every winner first, then the losers. May repeat ids. */
export function headIds(read: ReadTable, keys: Iterable<Uint8Array>): IntentionId[] {
  const winners: IntentionId[] = []
  const losers: IntentionId[] = []
  for (const key of keys) {
    const stored = read.peek === undefined ? read.get(key) : read.peek(key)
    if (stored === undefined) continue
    const [winner, ...rest] = decodeHeads(stored)
    winners.push(winner.id)
    for (const loser of rest) losers.push(loser.id)
  }
  return [...winners, ...losers]
}

/**
 * Entries in key order, lazily: take as many as are needed. A key that is only
 * deleted is left out; one that is deleted in conflict comes without a value.
 * Writing to the table while a scan is open is a bug.
 */
export function* scan(read: ReadTable, range: KvRange): Generator<KvEntry, void, undefined> {
  const bounds = rangeBounds(range)
  if (bounds === undefined) return
  for (const row of read.scan(bounds)) {
    const { value, conflicted } = readValue(row.value)
    if (value !== undefined || conflicted) yield { key: row.key, value, conflicted }
  }
}

/** The intersection of all parts of a range; undefined when it is empty. */
function rangeBounds({
  prefix,
  gte,
  lt,
  after,
  reverse = false,
}: KvRange): { readonly gte?: Uint8Array; readonly lt?: Uint8Array; readonly reverse: boolean } | undefined {
  const within: { readonly gte?: Uint8Array; readonly lt?: Uint8Array } =
    prefix === undefined ? {} : prefixRange(prefix)
  const next = after === undefined || reverse ? undefined : successor(after)
  const low = extreme([within.gte, gte, next], 1)
  const high = extreme([within.lt, lt, reverse ? after : undefined], -1)
  if (low !== undefined && high !== undefined && compareBytes(low, high) >= 0) return undefined
  return { ...(low && { gte: low }), ...(high && { lt: high }), reverse }
}

/** The first key after `key`. */
function successor(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1)
  next.set(key)
  return next
}

/** The greatest (`sign` 1) or least (`sign` -1) of the bounds that are there. */
function extreme(bounds: readonly (Uint8Array | undefined)[], sign: 1 | -1): Uint8Array | undefined {
  return bounds
    .filter((bound) => bound !== undefined)
    .reduce<Uint8Array | undefined>(
      (best, bound) => (best === undefined || compareBytes(bound, best) * sign > 0 ? bound : best),
      undefined,
    )
}
