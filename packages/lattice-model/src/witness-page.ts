/**
 * Checks a page of a peer's witness log before anything in it is believed.
 *
 * A page is a stretch of consecutive records that ends with a signed one: the chain of hashes makes that one signature
 * cover all of them. Pure, and bounded by the page: each record is decoded and hashed once, and one signature verified.
 *
 * @module
 */
import { equalBytes } from './bytes.ts'
import type { Crypto } from './crypto-port.ts'
import { type Hash, type PublicKey, SIGNATURE_BYTES, type StoreId, type WitnessSeq } from './ids.ts'
import { err, ok, type Result } from './result.ts'
import { verifyTagged } from './signing.ts'
import {
  decodeWitnessContent,
  type WitnessContent,
  type WitnessContentError,
  witnessHash,
  type WitnessRecord,
} from './witness-content.ts'

/** Where the page must begin, and whose it must be. */
export interface WitnessPageCheck {
  readonly crypto: Crypto
  readonly storeId: StoreId
  /** The node whose log it is. */
  readonly witness: PublicKey
  readonly fromSeq: WitnessSeq
  /** Hash of the record before `fromSeq`; zero when that is 1. */
  readonly prevHash: Hash
  readonly records: readonly WitnessRecord[]
}

/** A page that holds together. */
export interface CheckedWitnessPage {
  readonly entries: readonly WitnessContent[]
  /** Hash of the last record: `prevHash` of the next page. */
  readonly lastHash: Hash
}

/** Why a page is refused as a whole. `index` counts its records from 0. */
export type WitnessPageError =
  | { readonly code: 'page_empty' }
  | { readonly code: 'page_malformed'; readonly index: number; readonly why: WitnessContentError }
  | { readonly code: 'page_wrong_store'; readonly index: number }
  | { readonly code: 'page_wrong_seq'; readonly index: number; readonly expected: number; readonly actual: number }
  | { readonly code: 'page_broken_chain'; readonly index: number }
  | { readonly code: 'page_wrong_genesis' }
  | { readonly code: 'page_bad_signature_length'; readonly index: number }
  | { readonly code: 'page_not_closed' }
  | { readonly code: 'page_bad_signature' }

/** Checks the records one by one, then the signature that closes the page. */
export function checkWitnessPage(check: WitnessPageCheck): Result<CheckedWitnessPage, WitnessPageError> {
  const { crypto, records } = check
  const entries: WitnessContent[] = []
  let lastHash = check.prevHash
  for (const [index, record] of records.entries()) {
    const entry = checkRecord(check, { record, index, prevHash: lastHash })
    if (!entry.ok) return entry
    entries.push(entry.value)
    lastHash = witnessHash(crypto, record.content)
  }
  const closer = records.at(-1)
  if (closer === undefined) return err({ code: 'page_empty' })
  if (closer.signature.length === 0) return err({ code: 'page_not_closed' })
  const closed = { tag: 'lattice/witness/v1', hash: lastHash, signature: closer.signature } as const
  if (!verifyTagged(crypto, check.witness, closed)) return err({ code: 'page_bad_signature' })
  return ok({ entries, lastHash })
}

function checkRecord(
  { storeId, fromSeq }: WitnessPageCheck,
  { record, index, prevHash }: { readonly record: WitnessRecord; readonly index: number; readonly prevHash: Hash },
): Result<WitnessContent, WitnessPageError> {
  const { length } = record.signature
  if (length !== 0 && length !== SIGNATURE_BYTES) return err({ code: 'page_bad_signature_length', index })
  const decoded = decodeWitnessContent(record.content)
  if (!decoded.ok) return err({ code: 'page_malformed', index, why: decoded.error })
  const entry = decoded.value
  if (!equalBytes(entry.storeId, storeId)) return err({ code: 'page_wrong_store', index })
  const expected = fromSeq + index
  if (entry.seq !== expected) return err({ code: 'page_wrong_seq', index, expected, actual: entry.seq })
  if (!equalBytes(entry.prevHash, prevHash)) return err({ code: 'page_broken_chain', index })
  if (entry.seq === 1 && !equalBytes(entry.intentionId, storeId)) return err({ code: 'page_wrong_genesis' })
  return ok(entry)
}
