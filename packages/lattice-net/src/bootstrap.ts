/**
 * Fetching a store from one peer: its witness log page by page, then the intentions that are lacking.
 *
 * A page is believed as a whole or not at all: its chain links to the page before, the first record is the genesis that
 * names the store, and the peer's own signature closes it. An intention is taken in only when its hash is one
 * the page names and this side lacks; so substituted, reordered, withheld or repeated input ends the session before it
 * reaches the store. The position moves on once everything up to it is durable, and a later session goes on from there.
 *
 * @module
 */
import {
  assert,
  checkWitnessPage,
  type Crypto,
  type IdKey,
  idKey,
  idKeyBytes,
  type IngestOutcome,
  intentionId,
  isSigned,
  type PublicKey,
  SIGNATURE_BYTES,
  type SignedIntention,
  toWitnessSeq,
  type WitnessSeq,
  ZERO_HASH,
} from '@lattice/model'
import type { net } from '@lattice/proto'
import { type Frame, fromWire, readCount } from './frame.ts'
import { FETCH_IDS_MAX, WITNESS_PAGE_RECORDS, WITNESS_PAGE_RECORDS_MAX } from './limits.ts'
import type { BootstrapPosition, SessionAnswer, SessionStore } from './session-call.ts'
import { type Effect, type Effects, type Fail, finish, send, type SessionMachine, unexpected } from './session.ts'

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

/** The page being taken in. */
interface Page {
  readonly end: BootstrapPosition
  readonly headSeq: number
  /** The ids of the page, and their places in it. */
  readonly places: ReadonlyMap<IdKey, number>
  /** What was lacking and has not come yet, in order. */
  readonly awaited: Set<IdKey>
  /** Ids of the open request that have not come yet; undefined between requests. */
  asked: Set<IdKey> | undefined
  /** Handed to the store and not answered. */
  ingesting: number
}

/** Fetches until the end of the peer's log as it is when reached. */
export function createBootstrap(options: BootstrapOptions): SessionMachine<FetchedLog> {
  const run = new BootstrapRun(options)
  return {
    start: () => run.requestPage(),
    receive: (frame) => run.receive(frame),
    answered: (answer) => run.answered(answer),
  }
}

class BootstrapRun {
  readonly #options: BootstrapOptions
  #position: BootstrapPosition | undefined
  #page: Page | undefined
  #pages = 0
  #fetched = 0

  constructor(options: BootstrapOptions) {
    this.#options = options
    this.#position = options.position
  }

  requestPage(): Effects<FetchedLog> {
    this.#page = undefined
    const value = {
      storeId: this.#options.store.id,
      fromSeq: BigInt(this.#nextSeq()),
      limit: WITNESS_PAGE_RECORDS,
    }
    return [send({ case: 'witnessPageRequest', value })]
  }

  receive(frame: Frame): Effects<FetchedLog> {
    const page = this.#page
    if (frame.case === 'witnessPage' && page === undefined) return this.#takePage(frame.value)
    if (frame.case === 'intentions' && page?.asked !== undefined) return this.#takeIntentions(frame.value, page)
    return [unexpected(frame)]
  }

  answered(answer: SessionAnswer): Effects<FetchedLog> {
    const page = this.#page
    assert(page !== undefined, 'calls are made for a page')
    if (answer.kind === 'ingested') return this.#ingested(answer.outcomes, page)
    assert(answer.kind === 'advanced', 'a bootstrap ingests and advances')
    this.#position = page.end
    return page.end.seq < page.headSeq ? this.requestPage() : [this.#finish()]
  }

  #takePage(frame: net.WitnessPage): Effects<FetchedLog> {
    const headSeq = readCount(frame.headSeq)
    if (headSeq === undefined || frame.records.length > WITNESS_PAGE_RECORDS_MAX) return [broken('page_malformed')]
    if (frame.records.length === 0) {
      // An empty page is the end of the log, and says the same.
      if (headSeq >= this.#nextSeq()) return [broken('log_truncated')]
      return [this.#position === undefined ? broken('log_empty') : this.#finish()]
    }
    const { crypto, store, witness } = this.#options
    const prevHash = this.#position?.hash ?? ZERO_HASH
    const { records } = frame
    const checked = checkWitnessPage({
      crypto,
      storeId: store.id,
      witness,
      fromSeq: this.#nextSeq(),
      prevHash,
      records,
    })
    if (!checked.ok) return [broken(checked.error.code)]
    const { entries, lastHash } = checked.value
    const last = entries.at(-1)
    assert(last !== undefined, 'a checked page has records')
    if (headSeq < last.seq) return [broken('page_beyond_head')]
    this.#pages += 1
    const ids = entries.map((entry) => entry.intentionId)
    const places = new Map(ids.map((id, place) => [idKey(id), place]))
    if (places.size < ids.length) return [broken('page_repeats_intention')]
    this.#page = {
      end: { seq: last.seq, hash: lastHash },
      headSeq,
      places,
      awaited: new Set(store.missing(ids).map(idKey)),
      asked: undefined,
      ingesting: 0,
    }
    return this.#fetchNext(this.#page)
  }

  /** Asks for the next of what is lacking; with nothing lacking, the page is done. */
  #fetchNext(page: Page): Effects<FetchedLog> {
    const asked: IdKey[] = []
    for (const key of page.awaited) {
      if (asked.length === FETCH_IDS_MAX) break
      asked.push(key)
    }
    if (asked.length === 0) {
      page.asked = undefined
      const { end, headSeq } = page
      return [{ kind: 'call', call: { kind: 'advance', position: end, done: end.seq, total: headSeq } }]
    }
    page.asked = new Set(asked)
    const value = { storeId: this.#options.store.id, ids: asked.map(idKeyBytes) }
    return [send({ case: 'fetchIntentions', value })]
  }

  #takeIntentions(frame: net.Intentions, page: Page): Effects<FetchedLog> {
    const intentions = fromWire(frame.intentions)
    const refusal = takeArrivals(this.#options.crypto, intentions, page)
    if (refusal !== undefined) return [refusal]
    if (frame.last) {
      if (page.asked !== undefined && page.asked.size > 0) return [broken('intentions_withheld')]
      page.asked = undefined
    }
    if (intentions.length === 0) return frame.last ? this.#afterBatch(page) : [broken('intentions_empty')]
    page.ingesting += intentions.length
    return [{ kind: 'call', call: { kind: 'ingest', store: this.#options.store, intentions } }]
  }

  #ingested(outcomes: readonly IngestOutcome[], page: Page): Effects<FetchedLog> {
    page.ingesting -= outcomes.length
    this.#fetched += outcomes.length
    const invalid = outcomes.find((outcome) => outcome.kind === 'invalid')
    return invalid === undefined ? this.#afterBatch(page) : [broken(`invalid_intention_${invalid.code}`)]
  }

  #afterBatch(page: Page): Effects<FetchedLog> {
    return page.asked === undefined && page.ingesting === 0 ? this.#fetchNext(page) : []
  }
  #finish(): Effect<FetchedLog> {
    return finish({ pages: this.#pages, fetched: this.#fetched, position: this.#position })
  }
  #nextSeq(): WitnessSeq {
    return toWitnessSeq((this.#position?.seq ?? 0) + 1)
  }
}

/**
 * Checks that what came is of the page and lacking here, in the order of the log within one frame. Closers of what was
 * asked may come along before they are asked for.
 */
function takeArrivals(crypto: Crypto, intentions: readonly SignedIntention[], page: Page): Fail | undefined {
  let lastPlace = -1
  for (const signed of intentions) {
    const key = idKey(intentionId(crypto, signed.bytes))
    const place = page.places.get(key)
    if (place === undefined) return broken('intention_substituted')
    if (place < lastPlace) return broken('intentions_reordered')
    if (!page.awaited.delete(key)) return broken('intention_repeated')
    if (isSigned(signed) && signed.signature.length !== SIGNATURE_BYTES) return broken('intention_bad_signature')
    page.asked?.delete(key)
    lastPlace = place
  }
  return undefined
}

function broken(why: string): Fail {
  return { kind: 'fail', failure: { kind: 'bootstrap', why } }
}
