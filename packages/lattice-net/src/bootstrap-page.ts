/**
 * A page of a witness log, as its server sent it: believed as a whole or not at all.
 *
 * Its chain links to the page before, the first record of a log is the genesis that names the store, and the server's own
 * signature closes it. An empty page is the end of the log, and has to say the same.
 *
 * @module
 */
import {
  assert,
  checkWitnessPage,
  type Crypto,
  type IdKey,
  idKey,
  type IntentionId,
  type PublicKey,
  type StoreId,
  toWitnessSeq,
  ZERO_HASH,
} from '@lattice/model'
import type { net } from '@lattice/proto'
import type { BootstrapMember } from './bootstrap-members.ts'
import { readCount } from './frame.ts'
import { WITNESS_PAGE_RECORDS_MAX } from './limits.ts'
import type { BootstrapPosition } from './session-call.ts'

/** The log that is being taken in. */
export interface ServedLog {
  readonly member: BootstrapMember
  /** The last record of its pages so far. */
  pulled: BootstrapPosition | undefined
  isAtEnd: boolean
  /** Records of the next page. */
  pageLimit: number
}

export type ServedPage =
  | {
      readonly kind: 'page'
      /** In the order of the log. */
      readonly ids: readonly IntentionId[]
      /** Those whose record is signed: what the server committed at once ends there, and no run goes on beyond it. */
      readonly groupEnds: ReadonlySet<IdKey>
      readonly end: BootstrapPosition
      readonly headSeq: number
    }
  | { readonly kind: 'end' }
  | { readonly kind: 'fault'; readonly why: string }

export interface ServedPageOptions {
  readonly crypto: Crypto
  readonly storeId: StoreId
  /** Whose log it is. */
  readonly witness: PublicKey
  /** The last record before it. */
  readonly pulled: BootstrapPosition | undefined
}

/** Checks the page that was asked for after `pulled`. */
export function readServedPage(
  frame: net.WitnessPage,
  { crypto, storeId, witness, pulled }: ServedPageOptions,
): ServedPage {
  const headSeq = readCount(frame.headSeq)
  const { records } = frame
  const fromSeq = nextSeq(pulled)
  if (headSeq === undefined || records.length > WITNESS_PAGE_RECORDS_MAX) return fault('page_malformed')
  if (records.length === 0) {
    if (headSeq >= fromSeq) return fault('log_truncated')
    return pulled === undefined ? fault('log_empty') : { kind: 'end' }
  }
  const prevHash = pulled?.hash ?? ZERO_HASH
  const checked = checkWitnessPage({ crypto, storeId, witness, fromSeq: toWitnessSeq(fromSeq), prevHash, records })
  if (!checked.ok) return fault(checked.error.code)
  const { entries, lastHash } = checked.value
  const last = entries.at(-1)
  assert(last !== undefined, 'a checked page has records')
  if (headSeq < last.seq) return fault('page_beyond_head')
  const ids = entries.map((entry) => entry.intentionId)
  const groupEnds = new Set(ids.filter((_, index) => isClosed(records[index])).map(idKey))
  return { kind: 'page', ids, groupEnds, end: { seq: last.seq, hash: lastHash }, headSeq }
}

/** Where the log goes on. */
export function nextSeq(pulled: BootstrapPosition | undefined): number {
  return (pulled?.seq ?? 0) + 1
}

function isClosed(record: net.WitnessPage['records'][number] | undefined): boolean {
  return record !== undefined && record.signature.length > 0
}

function fault(why: string): ServedPage {
  return { kind: 'fault', why }
}
