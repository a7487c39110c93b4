/**
 * Takes out of the table what is only there to say that a key was deleted.
 *
 * A tombstone has to be found by every write of its key that was made without knowing of the deletion. Once everybody who
 * writes has seen it no such write is to come, and whoever prunes names it in a purge. That is an operation like any other,
 * so when a tombstone goes is a fact of the DAG: one stands while nothing that has it in its past replaces it or purges it.
 * A purge drops no value, and adds nothing.
 *
 * Pure but for the table.
 *
 * @module
 */
import {
  compareBytes,
  type Hlc,
  type IdKey,
  idKey,
  type IntentionId,
  type ReadTable,
  type WriteTable,
} from '@lattice/model'
import { readsTheSame, type Resolved, resolveHeads } from './resolve.ts'
import { decodeHeads, encodeHeads, type KvHead } from './value-codec.ts'

/** Tombstones of one key. */
export interface KvPurge {
  /** 1 to 4,096 bytes. */
  readonly key: Uint8Array
  /** Ids of the writes that left them. Sorted, unique. */
  readonly tombstones: readonly IntentionId[]
}

/** A key that reads differently than before, as it reads now. */
export interface KvPurged {
  readonly key: Uint8Array
  readonly after: Resolved
}

/** Rows looked at before others get a turn, and about how many bytes of them: a few hundred microseconds. */
export const PURGE_SLICE_ROWS = 256
const PURGE_SLICE_BYTES = 1_048_576
/** About how many bytes of purges are written at once: some 300 short keys, applied in a few milliseconds. */
export const PURGE_WRITE_BYTES = 16_384
/** Tombstones named of one key: only who cites nothing leaves more, and the rest goes the next time. */
export const PURGE_KEY_TOMBSTONES = 64

/** What an id takes in a purge. */
const ID_BYTES = 34

/**
 * Drops those of the named tombstones that `covers` holds for: what the purge cites, or what lies below an epoch in its
 * past. Answers what a reader sees of it, which is nothing where the key is only deleted.
 */
export function applyPurge(
  table: WriteTable,
  { key, tombstones, covers }: KvPurge & { readonly covers: (id: IntentionId, at: Hlc) => boolean },
): KvPurged | undefined {
  const stored = table.get(key)
  if (stored === undefined) return undefined
  const named = new Set<IdKey>(tombstones.map(idKey))
  const heads = decodeHeads(stored)
  const kept = heads.filter(
    ({ id, timestamp, state }) => state.kind === 'value' || !named.has(idKey(id)) || !covers(id, timestamp),
  )
  if (kept.length === heads.length) return undefined
  const [winner, ...losers] = kept
  if (winner === undefined) {
    table.delete(key)
    return undefined
  }
  table.set(key, encodeHeads([winner, ...losers]))
  const after = resolveHeads([winner, ...losers])
  return readsTheSame(resolveHeads(heads), after) ? undefined : { key, after }
}

/**
 * Looks through the table for keys that are deleted and nothing else, by writes that `isSeen` holds for. Yields as many as
 * are to be written at once, or undefined after a slice of the table: rows may change between two steps.
 */
export function* findPurges(
  read: ReadTable,
  isSeen: (id: IntentionId) => boolean,
): Generator<readonly KvPurge[] | undefined, void, undefined> {
  let found: KvPurge[] = []
  let bytes = 0
  for (let from: Uint8Array | undefined = new Uint8Array(); from !== undefined;) {
    const slice = readSlice(read, from, isSeen)
    for (const purge of slice.purges) {
      const size = purge.key.length + ID_BYTES * purge.tombstones.length
      if (bytes > 0 && bytes + size > PURGE_WRITE_BYTES) {
        yield found
        found = []
        bytes = 0
      }
      found.push(purge)
      bytes += size
    }
    from = slice.next
    yield undefined
  }
  if (found.length > 0) yield found
}

/** `next`: where the next slice begins; undefined at the end of the table. */
function readSlice(
  read: ReadTable,
  from: Uint8Array,
  isSeen: (id: IntentionId) => boolean,
): { readonly purges: readonly KvPurge[]; readonly next: Uint8Array | undefined } {
  const purges: KvPurge[] = []
  let rows = 0
  let bytes = 0
  for (const { key, value } of read.scan({ gte: from, limit: PURGE_SLICE_ROWS + 1 })) {
    if (rows === PURGE_SLICE_ROWS || bytes > PURGE_SLICE_BYTES) return { purges, next: key }
    rows += 1
    bytes += key.length + value.length
    const heads = decodeHeads(value)
    if (isDeleted(heads, isSeen)) purges.push({ key, tombstones: idsOf(heads) })
  }
  return { purges, next: undefined }
}

function isDeleted(heads: readonly KvHead[], isSeen: (id: IntentionId) => boolean): boolean {
  return heads.every(({ id, state }) => state.kind === 'tombstone' && isSeen(id))
}

function idsOf(heads: readonly KvHead[]): readonly IntentionId[] {
  return heads
    .slice(0, PURGE_KEY_TOMBSTONES)
    .map(({ id }) => id)
    .toSorted(compareBytes)
}
