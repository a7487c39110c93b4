/**
 * Intentions with their place in this node's log.
 *
 * @module
 */
import {
  type Crypto,
  encodeWitnessContent,
  type Hash,
  hashWitnessContent,
  type Hlc,
  type ParsedIntention,
  type StoreId,
  toWitnessSeq,
  type WitnessContent,
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

/** What is known of an intention whose record may be gone. */
export interface LogTip {
  readonly parsed: Pick<ParsedIntention, 'id'>
  readonly meta: IntentionMeta
}

/** What a record's content is made of, beside the log it is in. */
type Witnessing = Pick<LogEntry, 'parsed' | 'meta' | 'witnessedMs'>

/** The content of the record, as it was hashed. */
export function contentOf(storeId: StoreId, prevHash: Hash, entry: Witnessing): Uint8Array {
  return encodeWitnessContent(contentFields(storeId, prevHash, entry))
}

/** The hash of the content of the record that follows the head of a log. */
export function chainHashOf(
  crypto: Crypto,
  { storeId, headHash }: { readonly storeId: StoreId; readonly headHash: Hash },
  entry: Witnessing,
): Hash {
  return hashWitnessContent(crypto, contentFields(storeId, headHash, entry))
}

function contentFields(storeId: StoreId, prevHash: Hash, { parsed, meta, witnessedMs }: Witnessing): WitnessContent {
  return { storeId, seq: toWitnessSeq(meta.seq), intentionId: parsed.id, wallTime: witnessedMs, prevHash }
}
