/**
 * Serves the log to peers that fetch: witness pages and intentions by id or by chain, each within bounds.
 *
 * One request at a time per stream, answered in frames that are read from the log only as fast as the peer takes them; a
 * few more may wait, so that a round trip costs the peer no pause. Every request names its store and is checked anew. What
 * is not here is left out of an answer, and no answer says why but that the base is told: below it nothing is kept. A chain
 * that is here and counts for nothing, as its author was removed, is refused: an empty answer would say that this node
 * never had what it may have handed on before.
 *
 * @module
 */
import {
  assert,
  equalBytes,
  type IntentionId,
  readIntentionId,
  readStoreId,
  type SignedIntention,
} from '@lattice/model'
import type { IntentionsRead } from '@lattice/net-types'
import type { net } from '@lattice/proto'
import { sameBase } from './claimed-digest.ts'
import { type Frame, readCount, toWire } from './frame.ts'
import {
  FETCH_CHAIN_MAX,
  FETCH_IDS_MAX,
  INTENTIONS_FRAME_BYTES,
  LOG_REQUESTS_AHEAD,
  WITNESS_PAGE_RECORDS_LONG,
} from './limits.ts'
import type { SessionAnswer, SessionCall, SessionStore } from './session-call.ts'
import {
  type Effect,
  type Effects,
  type Fail,
  finish,
  noSuchStore,
  pruned,
  send,
  type SessionMachine,
  unexpected,
  violation,
} from './session.ts'

/** What was served on one stream. */
export interface ServedLog {
  readonly pages: number
  readonly intentions: number
}

export interface ServeLogOptions {
  /** The store as the peer may use it; undefined for any other. */
  readonly resolve: (storeId: Uint8Array) => SessionStore | undefined
  /** What is answered of a store that the peer may not use. */
  readonly refusal?: (storeId: Uint8Array) => Fail
  /** Witness pages are served too: the bootstrap protocol. */
  readonly pages: boolean
}

/** Waits for requests until the peer ends its side. */
export function createLogServer(options: ServeLogOptions): SessionMachine<ServedLog> {
  const server = new LogServer(options)
  return {
    start: () => [],
    receive: (frame) => server.receive(frame),
    answered: (answer) => server.answered(answer),
    ended: () => [finish(server.served())],
  }
}

class LogServer {
  readonly #options: ServeLogOptions
  /** The store of the request being answered. */
  #served: SessionStore | undefined
  #serving: SessionStore | undefined
  /** What the log began with when a page of it was read last. */
  #paged: { readonly base: IntentionId | undefined } | undefined
  /** Requests that came meanwhile, oldest first. */
  readonly #waiting: Frame[] = []
  /** Whose chain is being read. */
  #target: IntentionId | undefined
  #pages = 0
  #intentions = 0

  constructor(options: ServeLogOptions) {
    this.#options = options
  }

  served(): ServedLog {
    return { pages: this.#pages, intentions: this.#intentions }
  }

  receive(frame: Frame): Effects<ServedLog> {
    if (this.#serving === undefined) return this.#begin(frame)
    if (this.#waiting.length >= LOG_REQUESTS_AHEAD) return [violation('too_many_requests')]
    this.#waiting.push(frame)
    return []
  }

  answered(answer: SessionAnswer): Effects<ServedLog> {
    const effects = this.#answer(answer)
    const next = this.#serving === undefined ? this.#waiting.shift() : undefined
    return next === undefined ? effects : [...effects, ...this.#begin(next)]
  }

  #begin(frame: Frame): Effects<ServedLog> {
    if (frame.case === 'witnessPageRequest' && this.#options.pages) return this.#page(frame.value)
    if (frame.case === 'fetchIntentions') return this.#fetch(frame.value)
    if (frame.case === 'fetchChain') return this.#chain(frame.value)
    return [unexpected(frame)]
  }

  #answer(answer: SessionAnswer): Effects<ServedLog> {
    if (answer.kind === 'loaded') return this.#loaded(answer.read)
    const [store, target] = [this.#serving, this.#target]
    const base = store?.base()?.epoch
    this.#serving = undefined
    if (answer.kind === 'chain') {
      const isEmpty = answer.intentions.length === 0
      // What is below the base is told by the base.
      const isKept = isEmpty && base === undefined && target !== undefined && store?.missing([target]).length === 0
      if (isKept) return [noSuchStore()]
      this.#intentions += answer.intentions.length
      return intentionFrames(answer.intentions, true, base)
    }
    assert(answer.kind === 'page', 'a log server reads only')
    if (answer.page.isPruned === true) return [pruned()]
    this.#paged = { base }
    this.#pages += 1
    const records = answer.page.records.map(({ content, signature }) => ({ content, signature }))
    return [send({ case: 'witnessPage', value: { records, headSeq: BigInt(answer.page.headSeq) } })]
  }

  /** The one that was served before: a log that takes its place may name the same in another order. */
  #find(bytes: Uint8Array): SessionStore | undefined {
    const storeId = readStoreId(bytes)
    if (storeId === undefined) return undefined
    const isServed = this.#served !== undefined && equalBytes(this.#served.id, storeId)
    const store = isServed ? this.#served : this.#options.resolve(storeId)
    this.#served = store
    return store?.allowed() === true ? store : undefined
  }
  #refusal(bytes: Uint8Array): Fail {
    const storeId = readStoreId(bytes)
    return (storeId && this.#options.refusal?.(storeId)) ?? noSuchStore()
  }
  #pull(store: SessionStore, call: SessionCall): Effects<ServedLog> {
    this.#serving = store
    return [{ kind: 'pull', call }]
  }
  #page(request: net.WitnessPageRequest): Effects<ServedLog> {
    const store = this.#find(request.storeId)
    if (store === undefined) return [this.#refusal(request.storeId)]
    const fromSeq = readCount(request.fromSeq)
    if (fromSeq === undefined || fromSeq < 1) return [violation('page_from_out_of_range')]
    const limit = Math.min(request.limit, WITNESS_PAGE_RECORDS_LONG)
    if (limit < 1) return [violation('page_limit_out_of_range')]
    return this.#pull(store, { kind: 'read_page', store, fromSeq, limit })
  }
  #fetch(request: net.FetchIntentions): Effects<ServedLog> {
    const store = this.#find(request.storeId)
    if (store === undefined) return [this.#refusal(request.storeId)]
    if (request.ids.length < 1 || request.ids.length > FETCH_IDS_MAX) return [violation('fetch_ids_out_of_range')]
    const ids: IntentionId[] = []
    for (const bytes of request.ids) {
      const id = readIntentionId(bytes)
      if (id === undefined) return [violation('fetch_id_malformed')]
      ids.push(id)
    }
    return this.#pull(store, { kind: 'read', store, ids, maxBytes: INTENTIONS_FRAME_BYTES })
  }
  #chain(request: net.FetchChain): Effects<ServedLog> {
    const store = this.#find(request.storeId)
    if (store === undefined) return [this.#refusal(request.storeId)]
    const target = readIntentionId(request.target)
    const since = readIntentionId(request.since)
    if (target === undefined || (since === undefined && request.since.length > 0)) {
      return [violation('chain_id_malformed')]
    }
    const limit = Math.min(request.limit, FETCH_CHAIN_MAX)
    if (limit < 1) return [violation('chain_limit_out_of_range')]
    // Up to where the peer has it nothing is left to read.
    this.#target = since !== undefined && equalBytes(since, target) ? undefined : target
    return this.#pull(store, { kind: 'read_chain', store, target, since, limit })
  }
  #isCutSincePaged(store: SessionStore): boolean {
    return this.#paged !== undefined && !sameBase(this.#paged.base, store.base()?.epoch)
  }
  #loaded({ intentions, rest }: IntentionsRead): Effects<ServedLog> {
    const store = this.#serving
    assert(store !== undefined, 'a read answers a request')
    assert(intentions.length > 0 || rest.length === 0, 'a read that leaves something makes progress')
    // A page named what is gone by now.
    if (this.#isCutSincePaged(store)) return [pruned()]
    this.#intentions += intentions.length
    if (rest.length > 0) {
      const more = this.#pull(store, { kind: 'read', store, ids: rest, maxBytes: INTENTIONS_FRAME_BYTES })
      return [...intentionFrames(intentions, false), ...more]
    }
    this.#serving = undefined
    return intentionFrames(intentions, true, store.base()?.epoch)
  }
}

/** `intentions` in frames of bounded payload; with `last`, the last frame says so, and names the base. At least one frame. */
export function intentionFrames(
  intentions: readonly SignedIntention[],
  last: boolean,
  base?: IntentionId,
): Effect<never>[] {
  const frames: Effect<never>[] = []
  let batch: SignedIntention[] = []
  let bytes = 0
  for (const intention of intentions) {
    const size = intention.bytes.length + intention.signature.length
    if (batch.length > 0 && bytes + size > INTENTIONS_FRAME_BYTES) {
      frames.push(send({ case: 'intentions', value: { intentions: toWire(batch), last: false } }))
      batch = []
      bytes = 0
    }
    batch.push(intention)
    bytes += size
  }
  const told = base === undefined ? {} : { base }
  return [...frames, send({ case: 'intentions', value: { intentions: toWire(batch), last, ...told } })]
}
