/**
 * How a peer that was removed from a store learns by what: it asks, and is shown the epochs that removed it with their past.
 *
 * That is all a removed peer is served. What comes is taken in as from anybody, so a lie about a removal brings nothing: an
 * epoch counts here by its own bytes and those of its causes.
 *
 * @module
 */
import {
  assert,
  type IntentionId,
  MAX_SIGNED_INTENTION_BYTES,
  type PublicKey,
  readIntentionId,
  readPublicKey,
  readStoreId,
} from '@lattice/model'
import type { PastReader } from '@lattice/net-types'
import type { net } from '@lattice/proto'
import { type Frame, fromWire, signedBytes } from './frame.ts'
import {
  INTENTIONS_FRAME_BYTES,
  MAX_INVALID_PER_SESSION,
  MAX_REVOKING_EPOCHS,
  MAX_SESSION_BYTES,
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
  unexpected,
  violation,
} from './session.ts'

/** A store as a peer that was removed from it may see it. */
export interface RevokedStore {
  readonly epochs: readonly IntentionId[]
  readonly readPast: (epochs: readonly IntentionId[], known: readonly IntentionId[]) => PastReader
  /** Whether that is so now: asked again at every frame. */
  readonly allowed: () => boolean
}

export interface RevocationServerOptions {
  /** Undefined where the peer was not removed. */
  readonly resolve: (storeId: Uint8Array) => RevokedStore | undefined
  /** What removed another peer, for one that may use the store: nothing did where there are no epochs. Undefined for any other. */
  readonly about: (storeId: Uint8Array, peer: PublicKey | undefined) => RevokedStore | undefined
}

/** Answers one request. Finishes with the intentions sent. */
export function createRevocationServer(options: RevocationServerOptions): SessionMachine<number> {
  let serving: { readonly store: RevokedStore; readonly reader: PastReader } | undefined
  let sent = 0

  const pull = (reader: PastReader): Effect<never> => ({
    kind: 'pull',
    call: { kind: 'read_past', reader, maxBytes: INTENTIONS_FRAME_BYTES },
  })
  function begin({ storeId: bytes, known, peer: about }: net.RevocationRequest): Effects<number> {
    if (serving !== undefined) return [violation('revocation_repeated')]
    const storeId = readStoreId(bytes)
    const ids = known.flatMap((id) => readIntentionId(id) ?? [])
    const peer = readPublicKey(about)
    if (storeId === undefined || ids.length < known.length) return [violation('revocation_malformed')]
    if (peer === undefined && about.length > 0) return [violation('revocation_malformed')]
    if (ids.length > REVOCATION_KNOWN_MAX) return [violation('revocation_known_too_many')]
    const store = (peer === undefined ? options.resolve(storeId) : undefined) ?? options.about(storeId, peer)
    if (store === undefined) return [noSuchStore()]
    const epochs = store.epochs.slice(0, MAX_REVOKING_EPOCHS)
    serving = { store, reader: store.readPast(epochs, ids) }
    return [send({ case: 'revocation', value: { epochs: [...epochs] } }), pull(serving.reader)]
  }
  return {
    start: () => [],
    receive: (frame) => (frame.case === 'revocationRequest' ? begin(frame.value) : [unexpected(frame)]),
    answered: (answer) => {
      assert(answer.kind === 'past' && serving !== undefined, 'a revocation server reads the past only')
      const { store, reader } = serving
      if (!store.allowed()) return [noSuchStore()]
      const { intentions } = answer
      sent += intentions.length
      return intentions.length === 0
        ? [...intentionFrames([], true), finish(sent)]
        : [...intentionFrames(intentions, false), pull(reader)]
    },
  }
}

/** What the peer said, and what it showed of it. */
export interface RevocationOutcome {
  readonly epochs: readonly IntentionId[]
  /** Of what came, how much is witnessed now and was not before. */
  readonly witnessed: number
}

/** Asks by what this node was removed, or the peer `about`, and takes in what is shown. */
export function createRevocationAsker(
  store: SessionStore,
  known: readonly IntentionId[],
  about?: PublicKey,
): SessionMachine<RevocationOutcome> {
  const asker = new Asker(store)
  return {
    start: () => {
      const whose = about === undefined ? {} : { peer: about }
      const value = { storeId: store.id, known: known.slice(0, REVOCATION_KNOWN_MAX), ...whose }
      return [send({ case: 'revocationRequest', value })]
    },
    receive: (frame) => asker.receive(frame),
    answered: (answer) => asker.answered(answer),
  }
}

class Asker {
  readonly #store: SessionStore
  #epochs: readonly IntentionId[] | undefined
  #bytes = 0
  #calls = 0
  #witnessed = 0
  #invalid = 0
  #isLast = false

  constructor(store: SessionStore) {
    this.#store = store
  }

  receive(frame: Frame): Effects<RevocationOutcome> {
    if (this.#epochs === undefined) return frame.case === 'revocation' ? this.#begin(frame.value) : [unexpected(frame)]
    return frame.case === 'intentions' ? this.#take(frame.value) : [unexpected(frame)]
  }
  answered(answer: SessionAnswer): Effects<RevocationOutcome> {
    assert(answer.kind === 'ingested', 'what is shown is taken in only')
    this.#calls -= 1
    for (const { kind } of answer.outcomes) {
      if (kind === 'witnessed') this.#witnessed += 1
      else if (kind === 'invalid') this.#invalid += 1
    }
    if (this.#invalid > MAX_INVALID_PER_SESSION) return [violation('too_many_invalid_intentions')]
    return this.#end()
  }

  #begin({ epochs }: net.Revocation): Effects<RevocationOutcome> {
    const ids = epochs.flatMap((id) => readIntentionId(id) ?? [])
    if (ids.length < epochs.length || ids.length > MAX_REVOKING_EPOCHS) return [violation('revocation_malformed')]
    this.#epochs = ids
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
    return [finish({ epochs: this.#epochs ?? [], witnessed: this.#witnessed })]
  }
}
