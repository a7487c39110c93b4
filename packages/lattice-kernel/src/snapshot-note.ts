/**
 * What a snapshot says of itself beside its rows: the epoch that it is the state at, or how far its making has come.
 *
 * It is kept in the cursor, and changes in the transaction that changes the rows. The cursor counts what was applied; its
 * hash is the id of the epoch. A snapshot that was loaded has no mark of how it was made.
 *
 * @module
 */
import { equalBytes, HASH_BYTES, type IntentionId, toHash, toIntentionId, ZERO_HASH } from '@lattice/model'
import type { StateCursor } from '@lattice/storage'

export type SnapshotNote =
  /** Nothing was applied to it. */
  | { readonly kind: 'empty' }
  /** Exactly what lies below the epoch; `cuts` tells with which cuts. */
  | { readonly kind: 'whole'; readonly epoch: IntentionId; readonly cuts: Uint8Array | undefined }
  | ({ readonly kind: 'part' } & SnapshotPart)

/** What lies below `base`, and of what lies below `epoch` besides all that was witnessed up to a record. */
export interface SnapshotPart {
  readonly epoch: IntentionId
  readonly cuts: Uint8Array
  /** Undefined where it was begun with nothing. */
  readonly base: IntentionId | undefined
  readonly lastSeq: number
}

const WHOLE = 1
const PART = 2
const CUTS_AT = 1
const BASE_AT: number = CUTS_AT + HASH_BYTES
const SEQ_AT: number = BASE_AT + HASH_BYTES
const PART_BYTES: number = SEQ_AT + 8

export function wholeMark(cuts: Uint8Array): Uint8Array {
  return Uint8Array.of(WHOLE, ...cuts)
}

export function partMark({ cuts, base, lastSeq }: SnapshotPart): Uint8Array {
  const bytes = new Uint8Array(PART_BYTES)
  bytes[0] = PART
  bytes.set(cuts, CUTS_AT)
  bytes.set(base ?? ZERO_HASH, BASE_AT)
  new DataView(bytes.buffer).setFloat64(SEQ_AT, lastSeq)
  return bytes
}

/** Undefined for what no snapshot says. */
export function readNote({ seq, chainHash, madeWith }: StateCursor): SnapshotNote | undefined {
  if (seq === 0) return { kind: 'empty' }
  const epoch = toIntentionId(toHash(chainHash))
  if (madeWith === undefined) return { kind: 'whole', epoch, cuts: undefined }
  const cuts = madeWith.slice(CUTS_AT, BASE_AT)
  if (madeWith[0] === WHOLE && madeWith.length === BASE_AT) return { kind: 'whole', epoch, cuts }
  if (madeWith[0] !== PART || madeWith.length !== PART_BYTES) return undefined
  const base = madeWith.slice(BASE_AT, SEQ_AT)
  const lastSeq = new DataView(madeWith.buffer, madeWith.byteOffset).getFloat64(SEQ_AT)
  if (!Number.isSafeInteger(lastSeq) || lastSeq < 0) return undefined
  return {
    kind: 'part',
    epoch,
    cuts,
    base: equalBytes(base, ZERO_HASH) ? undefined : toIntentionId(base),
    lastSeq,
  }
}
