/**
 * Intentions with their place in this node's log.
 *
 * @module
 */
import {
  encodeWitnessContent,
  type Hash,
  type Hlc,
  type ParsedIntention,
  type StoreId,
  toWitnessSeq,
} from '@lattice/model'

/** What the rules need to know of a witnessed intention. */
export interface IntentionMeta {
  readonly seq: number
  /** The interned author. */
  readonly author: number
  /** The branch of its author's chain. */
  readonly lane: number
  readonly position: number
  readonly generation: number
  readonly timestamp: Hlc
}

/** A record of the log. */
export interface LogEntry {
  readonly parsed: ParsedIntention
  readonly meta: IntentionMeta
  readonly witnessedMs: number
  readonly chainHash: Hash
  /** Empty inside a commit group. */
  readonly witnessSignature: Uint8Array
}

/** The content of the record, as it was hashed. */
export function contentOf(
  storeId: StoreId,
  prevHash: Hash,
  entry: Pick<LogEntry, 'parsed' | 'meta' | 'witnessedMs'>,
): Uint8Array {
  return encodeWitnessContent({
    storeId,
    seq: toWitnessSeq(entry.meta.seq),
    intentionId: entry.parsed.id,
    wallTime: entry.witnessedMs,
    prevHash,
  })
}
