/**
 * How a peer that was removed from a store learns by what: it asks, and is shown the epochs that removed it with their past.
 * One that was admitted again says so as it asks, and is asked for that in the same way: whoever was away may not know.
 *
 * That is all a removed peer is served. What comes is taken in as from anybody, so a lie about a removal brings nothing: an
 * epoch counts here by its own bytes and those of its causes. Where these were cut everywhere, or somebody who may not has
 * admitted it since, it is shown the foundation of the store, which proves itself, and no state.
 *
 * @module
 */
import {
  assert,
  equalBytes,
  type IntentionId,
  MAX_SIGNED_INTENTION_BYTES,
  type PublicKey,
  readIntentionId,
  readPublicKey,
  readStoreId,
  type StoreId,
} from '@lattice/model'
import type { FoundationRead, PastReader, RemovalProof } from '@lattice/net-types'
import type { net } from '@lattice/proto'
import { type Frame, fromWire, readCount, signedBytes } from './frame.ts'
import {
  INTENTIONS_FRAME_BYTES,
  MAX_INVALID_PER_SESSION,
  MAX_REVOKING_EPOCHS,
  MAX_SESSION_BYTES,
  REVOCATION_ADMITTED_BY_MAX,
  REVOCATION_KNOWN_MAX,
} from './limits.ts'
import { intentionFrames } from './serve-log.ts'
import type { SessionAnswer, SessionStore } from './session-call.ts'
import {
  type Effect,
  type Effects,
  finish,
  noSuchStore,
  send,
  type SessionMachine,
  snapshotGone,
  unexpected,
  violation,
} from './session.ts'
import { createProofTaker, type ProofStep, type ProofTaker } from './take-proof.ts'

/** A store as a peer that was removed from it may see it. */
export interface RevokedStore {
  readonly epochs: readonly IntentionId[]
  /** Where their past was cut: at which epoch a foundation shows them. */
  readonly foundation: IntentionId | undefined
  readonly readFoundation: SessionStore['readFoundation']
  readonly readPast: (epochs: readonly IntentionId[], known: readonly IntentionId[]) => PastReader
  /** Whether that is so now: asked again at every frame. */
  readonly allowed: () => boolean
}

export interface RevocationServerOptions {
  /** Undefined where the peer was not removed. `admittedBy`: who admitted it again, by its own account. */
  readonly resolve: (storeId: Uint8Array, admittedBy: readonly PublicKey[]) => RevokedStore | undefined
  /**
   * What removed another peer, and let it in again, for one that may use the store: nothing did where there are no epochs.
   * Undefined for any other.
   */
  readonly about: (storeId: Uint8Array, peer: PublicKey | undefined) => RevokedStore | undefined
}

/**
 * Answers one request, and then those for the foundation that it named, if it did. Finishes with the intentions sent.
 */
export function createRevocationServer(options: RevocationServerOptions): SessionMachine<number> {
  const server = new Server(options)
  return {
    start: () => [],
    receive: (frame) => server.receive(frame),
    answered: (answer) => server.answered(answer),
    ended: () => server.ended(),
  }
}

interface Serving {
  readonly store: RevokedStore
  readonly storeId: StoreId
  readonly reader: PastReader
}

class Server {
  readonly #options: RevocationServerOptions
  #serving: Serving | undefined
  #sent = 0
  /** All intentions are on their way. */
  #isShown = false
  /** The page that is being read begins after this item. */
  #after: number | undefined

  constructor(options: RevocationServerOptions) {
    this.#options = options
  }

  receive(frame: Frame): Effects<number> {
    if (frame.case === 'revocationRequest') return this.#begin(frame.value)
    return frame.case === 'foundationRequest' ? this.#foundation(frame) : [unexpected(frame)]
  }
  answered(answer: SessionAnswer): Effects<number> {
    const serving = this.#serving
    assert(serving !== undefined, 'a revocation server reads what was asked for')
    if (!serving.store.allowed()) return [noSuchStore()]
    if (answer.kind === 'foundation') return this.#page(serving, answer.read)
    assert(answer.kind === 'past', 'a revocation server reads the past, or a foundation')
    const { intentions } = answer
    this.#sent += intentions.length
    if (intentions.length > 0) return [...intentionFrames(intentions, false), this.#pull(serving.reader)]
    this.#isShown = true
    const last = intentionFrames([], true)
    return serving.store.foundation === undefined ? [...last, finish(this.#sent)] : last
  }
  ended(): Effects<number> {
    return this.#isShown ? [finish(this.#sent)] : [{ kind: 'fail', failure: { kind: 'lost', why: 'nobody listens' } }]
  }

  #begin({ storeId: bytes, known, peer: about, admittedBy: keys }: net.RevocationRequest): Effects<number> {
    if (this.#serving !== undefined) return [violation('revocation_repeated')]
    const storeId = readStoreId(bytes)
    const ids = known.flatMap((id) => readIntentionId(id) ?? [])
    const peer = readPublicKey(about)
    const admittedBy = keys.flatMap((key) => readPublicKey(key) ?? [])
    if (storeId === undefined || ids.length < known.length || admittedBy.length < keys.length) {
      return [violation('revocation_malformed')]
    }
    if (peer === undefined && about.length > 0) return [violation('revocation_malformed')]
    if (ids.length > REVOCATION_KNOWN_MAX) return [violation('revocation_known_too_many')]
    if (keys.length > REVOCATION_ADMITTED_BY_MAX) return [violation('revocation_admitted_by_too_many')]
    const { resolve, about: removalOf } = this.#options
    const store = (peer === undefined ? resolve(storeId, admittedBy) : undefined) ?? removalOf(storeId, peer)
    if (store === undefined) return [noSuchStore()]
    const epochs = store.epochs.slice(0, MAX_REVOKING_EPOCHS)
    const { foundation } = store
    this.#serving = { store, storeId, reader: store.readPast(epochs, ids) }
    const value = { epochs: [...epochs], ...(foundation === undefined ? {} : { foundation }) }
    return [send({ case: 'revocation', value }), this.#pull(this.#serving.reader)]
  }
  #pull(reader: PastReader): Effect<never> {
    return { kind: 'pull', call: { kind: 'read_past', reader, maxBytes: INTENTIONS_FRAME_BYTES } }
  }

  #foundation(frame: Extract<Frame, { case: 'foundationRequest' }>): Effects<number> {
    const { storeId, base, after: from } = frame.value
    const { store, storeId: served } = this.#serving ?? {}
    const after = readCount(from)
    if (store?.foundation === undefined || served === undefined || !this.#isShown || this.#after !== undefined) {
      return [unexpected(frame)]
    }
    if (after === undefined || !equalBytes(storeId, served) || !equalBytes(base, store.foundation)) {
      return [violation('foundation_request_malformed')]
    }
    this.#after = after
    return [{ kind: 'pull', call: { kind: 'read_foundation', store, base: store.foundation, after } }]
  }
  #page({ store }: Serving, read: FoundationRead | undefined): Effects<number> {
    const [base, after] = [store.foundation, this.#after]
    assert(base !== undefined && after !== undefined, 'a page was asked for')
    this.#after = undefined
    // There is a later base by now: whoever asks anew is told of that.
    if (read === undefined) return [snapshotGone()]
    const { items, total } = read
    if (after > total) return [violation('foundation_after_its_end')]
    const value = { base, after: BigInt(after), items: [...items], total: BigInt(total) }
    return [send({ case: 'foundationPage', value })]
  }
}

/** What the peer said, and what it showed of it. */
export interface RevocationOutcome {
  readonly epochs: readonly IntentionId[]
  /** Of what came, how much is witnessed now and was not before. */
  readonly witnessed: number
  /** Whether a foundation showed it; undefined where none was taken. */
  readonly isShown: boolean | undefined
}

export interface RevocationQuestion {
  /** Where the chains here end: they and their past need not come. */
  readonly known: readonly IntentionId[]
  /** Whom it is about; this node itself unless told. */
  readonly about?: PublicKey
  /** Who admitted this node again. */
  readonly admittedBy?: readonly PublicKey[]
  /** Takes in a foundation, where the epochs do not come or do not tell all; undefined where none is taken now. */
  readonly openProof?: () => RemovalProof | undefined
}

/** Asks by what this node was removed, or the peer `about`, and takes in what is shown. */
export function createRevocationAsker(
  store: SessionStore,
  { known, about, admittedBy = [], openProof }: RevocationQuestion,
): SessionMachine<RevocationOutcome> {
  const asker = new Asker(store, openProof)
  return {
    start: () => {
      const whose = about === undefined ? {} : { peer: about }
      const value = {
        storeId: store.id,
        known: known.slice(0, REVOCATION_KNOWN_MAX),
        admittedBy: admittedBy.slice(0, REVOCATION_ADMITTED_BY_MAX),
        ...whose,
      }
      return [send({ case: 'revocationRequest', value })]
    },
    receive: (frame) => asker.receive(frame),
    answered: (answer) => asker.answered(answer),
  }
}

class Asker {
  readonly #store: SessionStore
  readonly #openProof: RevocationQuestion['openProof']
  #epochs: readonly IntentionId[] | undefined
  #foundation: IntentionId | undefined
  #proof: ProofTaker | undefined
  #bytes = 0
  #calls = 0
  #witnessed = 0
  #invalid = 0
  #isLast = false

  constructor(store: SessionStore, openProof: RevocationQuestion['openProof']) {
    this.#store = store
    this.#openProof = openProof
  }

  receive(frame: Frame): Effects<RevocationOutcome> {
    if (this.#proof !== undefined) {
      return frame.case === 'foundationPage' ? this.#prove(this.#proof.receive(frame.value)) : [unexpected(frame)]
    }
    if (this.#epochs === undefined) return frame.case === 'revocation' ? this.#begin(frame.value) : [unexpected(frame)]
    return frame.case === 'intentions' ? this.#take(frame.value) : [unexpected(frame)]
  }
  answered(answer: SessionAnswer): Effects<RevocationOutcome> {
    if (this.#proof !== undefined) return this.#prove(this.#proof.answered(answer))
    assert(answer.kind === 'ingested', 'what is shown is taken in only')
    this.#calls -= 1
    for (const { kind } of answer.outcomes) {
      if (kind === 'witnessed') this.#witnessed += 1
      else if (kind === 'invalid') this.#invalid += 1
    }
    if (this.#invalid > MAX_INVALID_PER_SESSION) return [violation('too_many_invalid_intentions')]
    return this.#end()
  }

  #begin({ epochs, foundation }: net.Revocation): Effects<RevocationOutcome> {
    const ids = epochs.flatMap((id) => readIntentionId(id) ?? [])
    const base = readIntentionId(foundation)
    if (ids.length < epochs.length || ids.length > MAX_REVOKING_EPOCHS) return [violation('revocation_malformed')]
    if (base === undefined && foundation.length > 0) return [violation('revocation_malformed')]
    this.#epochs = ids
    this.#foundation = base
    return []
  }
  #take({ intentions: wire, last }: net.Intentions): Effects<RevocationOutcome> {
    const intentions = fromWire(wire)
    if (this.#isLast) return [violation('intentions_after_last')]
    if (intentions.length === 0 && !last) return [violation('intentions_empty')]
    if (intentions.length > 0 && this.#epochs?.length === 0) return [violation('intentions_without_epoch')]
    for (const signed of intentions) {
      const size = signedBytes(signed)
      if (size > MAX_SIGNED_INTENTION_BYTES) return [violation('intention_too_large')]
      this.#bytes += size
    }
    if (this.#bytes > MAX_SESSION_BYTES) return [violation('more_bytes_than_a_session_takes')]
    this.#isLast = last
    if (intentions.length === 0) return this.#end()
    if (!this.#store.allowed()) return [noSuchStore()]
    this.#calls += 1
    return [{ kind: 'call', call: { kind: 'ingest', store: this.#store, intentions } }]
  }
  #end(): Effects<RevocationOutcome> {
    if (!this.#isLast || this.#calls > 0) return []
    const base = this.#foundation
    const proof = base && this.#openProof?.()
    if (base === undefined || proof === undefined) return [this.#finish(undefined)]
    this.#proof = createProofTaker({ storeId: this.#store.id, base, proof })
    return this.#prove(this.#proof.start())
  }
  #prove(step: ProofStep): Effects<RevocationOutcome> {
    return step.kind === 'effects' ? step.effects : [this.#finish(step.isShown)]
  }
  #finish(isShown: boolean | undefined): Effect<RevocationOutcome> {
    return finish({ epochs: this.#epochs ?? [], witnessed: this.#witnessed, isShown })
  }
}
