/**
 * Fetching a store from one peer: its witness log page by page, then the intentions that are lacking.
 *
 * A page is believed as a whole or not at all: its chain links to the page before, the first record is the genesis that
 * names the store, and the peer's own signature closes it. An intention is taken in only when its hash is one that was
 * asked for, in the order of the log; so substituted, reordered, withheld or repeated input ends the session before it
 * reaches the store. The position moves on once everything up to it is durable, and a later session goes on from there.
 *
 * @module
 */
import {
  assert,
  checkWitnessPage,
  type Crypto,
  equalBytes,
  type Hash,
  type IngestOutcome,
  type IntentionId,
  intentionId,
  isSigned,
  type PublicKey,
  type SignedIntention,
  toWitnessSeq,
  type WitnessSeq,
  ZERO_HASH,
} from '@lattice/model'
import type { net } from '@lattice/proto'
import { fromWire, readCount } from './frame.ts'
import { FETCH_IDS_MAX, WITNESS_PAGE_RECORDS } from './limits.ts'
import type { BootstrapPosition, SessionStore } from './session-call.ts'
import { type Effects, type Fail, finish, send, type SessionMachine, unexpected } from './session.ts'

/** What was fetched from one peer. */
export interface FetchedLog {
  readonly pages: number
  readonly fetched: number
  /** The last record taken in; undefined for an empty log. */
  readonly position: BootstrapPosition | undefined
}

export interface BootstrapOptions {
  readonly crypto: Crypto
  readonly store: SessionStore
  /** The serving peer, whose log it is. */
  readonly witness: PublicKey
  /** Where an earlier session with this peer stopped. */
  readonly position: BootstrapPosition | undefined
}

interface Batch {
  readonly ids: readonly IntentionId[]
  /** How many of them have come, in order. */
  arrived: number
  /** How many have been handed to the store and not answered. */
  ingesting: number
  last: boolean
}

/** Fetches until the end of the peer's log as it is when reached. */
export function createBootstrap(options: BootstrapOptions): SessionMachine<FetchedLog> {
  const { crypto, store, witness } = options
  let position = options.position
  let headSeq = 0
  let pages = 0
  let fetched = 0
  let state: 'page' | 'fetch' | 'advance' = 'page'
  // The page being taken in: where it ends, and what it still lacks.
  let pageEnd: BootstrapPosition | undefined
  let lacking: readonly IntentionId[] = []
  let batch: Batch | undefined

  const nextSeq = (): WitnessSeq => toWitnessSeq((position?.seq ?? 0) + 1)

  function requestPage(): Effects<FetchedLog> {
    state = 'page'
    return [
      send({
        case: 'witnessPageRequest',
        value: { storeId: store.id, fromSeq: BigInt(nextSeq()), limit: WITNESS_PAGE_RECORDS },
      }),
    ]
  }
  function takePage(frame: net.WitnessPage): Effects<FetchedLog> {
    const head = readCount(frame.headSeq)
    if (head === undefined || frame.records.length > WITNESS_PAGE_RECORDS) return [broken('page_malformed')]
    if (frame.records.length === 0) {
      // An empty page is the end of the log, and says the same.
      if (head >= nextSeq()) return [broken('log_truncated')]
      return position === undefined ? [broken('log_empty')] : [finish({ pages, fetched, position })]
    }
    const checked = checkWitnessPage({
      crypto,
      storeId: store.id,
      witness,
      fromSeq: nextSeq(),
      prevHash: prevHashOf(position),
      records: frame.records,
    })
    if (!checked.ok) return [broken(checked.error.code)]
    const { entries, lastHash } = checked.value
    const last = entries.at(-1)
    assert(last !== undefined, 'a checked page has records')
    if (head < last.seq) return [broken('page_beyond_head')]
    headSeq = head
    pages += 1
    pageEnd = { seq: last.seq, hash: lastHash }
    lacking = store.missing(entries.map((entry) => entry.intentionId))
    return fetchNext()
  }
  function fetchNext(): Effects<FetchedLog> {
    if (lacking.length === 0) {
      const end = pageEnd
      assert(end !== undefined, 'a page is being taken in')
      state = 'advance'
      return [{ kind: 'call', call: { kind: 'advance', position: end, done: end.seq, total: headSeq } }]
    }
    state = 'fetch'
    const ids = lacking.slice(0, FETCH_IDS_MAX)
    lacking = lacking.slice(ids.length)
    batch = { ids, arrived: 0, ingesting: 0, last: false }
    return [send({ case: 'fetchIntentions', value: { storeId: store.id, ids: [...ids] } })]
  }
  function takeIntentions(frame: net.Intentions, at: Batch): Effects<FetchedLog> {
    if (at.last) return [broken('intentions_after_last')]
    const intentions = fromWire(frame.intentions)
    const refusal = checkOrder(crypto, intentions, at)
    if (refusal !== undefined) return [refusal]
    at.last = frame.last
    if (at.last && at.arrived < at.ids.length) return [broken('intentions_withheld')]
    if (intentions.length === 0) return at.last ? [] : [broken('intentions_empty')]
    at.ingesting += intentions.length
    return [{ kind: 'call', call: { kind: 'ingest', store, intentions } }]
  }
  function ingested(outcomes: readonly IngestOutcome[], at: Batch): Effects<FetchedLog> {
    at.ingesting -= outcomes.length
    fetched += outcomes.length
    const invalid = outcomes.find((outcome) => outcome.kind === 'invalid')
    if (invalid !== undefined) return [broken(`invalid_intention_${invalid.code}`)]
    return at.last && at.ingesting === 0 ? fetchNext() : []
  }

  return {
    start: requestPage,
    receive: (frame) => {
      if (frame.case === 'witnessPage' && state === 'page') return takePage(frame.value)
      if (frame.case === 'intentions' && state === 'fetch' && batch !== undefined) {
        return takeIntentions(frame.value, batch)
      }
      return [unexpected(frame)]
    },
    answered: (answer) => {
      if (answer.kind === 'ingested') {
        assert(batch !== undefined, 'an ingest belongs to a batch')
        return ingested(answer.outcomes, batch)
      }
      assert(answer.kind === 'advanced' && state === 'advance' && pageEnd !== undefined, 'a page was taken in')
      position = pageEnd
      return position.seq < headSeq ? requestPage() : [finish({ pages, fetched, position })]
    },
  }
}

/** Checks that what came is exactly what was asked for, next in order; moves the batch on. */
function checkOrder(crypto: Crypto, intentions: readonly SignedIntention[], batch: Batch): Fail | undefined {
  for (const signed of intentions) {
    const expected = batch.ids[batch.arrived]
    if (expected === undefined) return broken('intentions_unasked')
    const id = intentionId(crypto, signed.bytes)
    if (!equalBytes(id, expected)) {
      const known = batch.ids.some((asked) => equalBytes(asked, id))
      return broken(known ? 'intentions_reordered' : 'intention_substituted')
    }
    if (isSigned(signed) && signed.signature.length !== 64) return broken('intention_bad_signature')
    batch.arrived += 1
  }
  return undefined
}

function prevHashOf(position: BootstrapPosition | undefined): Hash {
  return position?.hash ?? ZERO_HASH
}

function broken(why: string): Fail {
  return { kind: 'fail', failure: { kind: 'bootstrap', why } }
}
