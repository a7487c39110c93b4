/**
 * The shell of the gap filler: notes what floats, runs one fetch at a time per store, hands over to sessions.
 *
 * What arrives is seen as it is taken in, whichever protocol brought it; a gap is filled when gossip asks for it. State
 * exists only for registered stores, and notes only for connected peers: that is its bound.
 *
 * @module
 */
import {
  type AbortSignal,
  assert,
  type Cancel,
  type Crypto,
  type IdKey,
  idKey,
  type IngestOutcome,
  type IntentionId,
  isLatticeError,
  type Logger,
  parseSignedIntention,
  readIntentionId,
  type PublicKey,
  type Scheduler,
  type SignedIntention,
  type StoreId,
  toHex,
} from '@lattice/model'
import { net } from '@lattice/proto'
import { sameBase } from './claimed-digest.ts'
import { createDeadline } from './deadline.ts'
import { createFetchedAnswer } from './fetched-answer.ts'
import { createFetchedChain } from './fetched-chain.ts'
import {
  createGapFiller,
  type Floating,
  type GapEffect,
  type GapFault,
  type GapFiller,
  type GapReport,
  type GapRequest,
} from './gap-filler.ts'
import { lacksCauses } from './ingest-verdict.ts'
import { GAP_FETCH_MS, GAP_IDS_MAX, type NetworkLimits } from './limits.ts'
import { createLogClient, type LogAnswer } from './log-client.ts'
import type { SyncOutcome } from './network-event.ts'
import type { PeerLink } from './peer-link.ts'
import type { SessionAnswer, SessionCall, SessionStore } from './session-call.ts'
import { pairKey } from './session-slots.ts'
import { type Effect, violation } from './session.ts'

export interface GapRunnerDeps {
  readonly crypto: Crypto
  readonly scheduler: Scheduler
  readonly logger: Logger
  readonly limits: Pick<NetworkLimits, 'gapDelayMs'>
  readonly link: (peer: PublicKey) => PeerLink | undefined
  /** The store as the peer may use it; undefined for any other. */
  readonly resolve: (peer: PublicKey, storeId: StoreId) => SessionStore | undefined
  /** Aborts when the store is unregistered; undefined once it is. */
  readonly storeSignal: (storeId: StoreId) => AbortSignal | undefined
  /** Connected peers that are known to hold more of the store, the most first. */
  readonly others: (storeId: StoreId) => readonly PublicKey[]
  readonly perform: (link: PeerLink, call: SessionCall) => Promise<SessionAnswer>
  readonly requestSession: (peer: PublicKey, storeId: StoreId) => void
  /** Nothing is lacking any more of what the peer sent. */
  readonly onFilled: (peer: PublicKey, storeId: StoreId) => void
  readonly score: (link: PeerLink, why: GapFault) => void
  /** What is lacking lies below the epoch at which the peer cut its history, and that is not here. */
  readonly onReturning: (peer: PublicKey, storeId: StoreId, base: IntentionId) => void
}

export interface GapRunner {
  /** What became of intentions that a peer sent, before whoever ingested them is told. */
  readonly ingested: (peer: PublicKey, call: Extract<SessionCall, { kind: 'ingest' }>, outcomes: Outcomes) => void
  /** Looks for what the peer's last intentions lack. False when nothing is known to be lacking. */
  readonly fill: (peer: PublicKey, storeId: StoreId) => boolean
  readonly reconciled: (outcome: SyncOutcome) => void
  readonly forgetPeer: (peer: PublicKey) => void
  readonly forgetStore: (storeId: StoreId) => void
  /** Nothing more is looked for. */
  readonly close: () => void
}

type Outcomes = readonly IngestOutcome[]

interface StoreGaps {
  readonly filler: GapFiller
  /** Of the pause under way. */
  cancel: Cancel
}

interface Note {
  readonly peer: PublicKey
  readonly storeId: StoreId
  readonly floating: Floating[]
}

/** Starts with nothing noted. */
export function createGapRunner(deps: GapRunnerDeps): GapRunner {
  return new Runner(deps)
}

class Runner implements GapRunner {
  readonly #deps: GapRunnerDeps
  readonly #stores = new Map<IdKey, StoreGaps>()
  readonly #notes = new Map<string, Note>()

  constructor(deps: GapRunnerDeps) {
    this.#deps = deps
  }

  ingested(peer: PublicKey, { store, intentions }: Parameters<GapRunner['ingested']>[1], outcomes: Outcomes): void {
    this.#stores.get(idKey(store.id))?.filler.arrived(outcomes.flatMap((outcome) => heldId(outcome)))
    const floating = floatingOf(this.#deps.crypto, intentions, outcomes)
    if (floating.length === 0) return
    const key = pairKey(peer, store.id)
    const note = this.#notes.get(key) ?? { peer, storeId: store.id, floating: [] }
    this.#notes.set(key, note)
    note.floating.push(...floating.slice(0, GAP_IDS_MAX - note.floating.length))
  }

  fill(peer: PublicKey, storeId: StoreId): boolean {
    const key = pairKey(peer, storeId)
    const note = this.#notes.get(key)
    this.#notes.delete(key)
    const store = this.#deps.resolve(peer, storeId)
    if (note === undefined || store === undefined) return false
    // What it lacked may have come since: then something else is meant.
    if (store.missing(note.floating.flatMap(({ missing }) => missing)).length === 0) return false
    const gaps = this.#gapsOf(store)
    this.#carry(storeId, gaps, gaps.filler.report({ sender: peer, floating: note.floating }))
    return true
  }

  reconciled(outcome: SyncOutcome): void {
    // What floats after a session is not what the next arrivals lack.
    this.#notes.delete(pairKey(outcome.peer, outcome.storeId))
    const gaps = this.#stores.get(idKey(outcome.storeId))
    if (gaps === undefined || outcome.kind !== 'done') return
    this.#carry(outcome.storeId, gaps, gaps.filler.reconciled(outcome.peer, outcome.witnessed))
  }

  forgetPeer(peer: PublicKey): void {
    for (const [key, note] of this.#notes) if (idKey(note.peer) === idKey(peer)) this.#notes.delete(key)
  }
  forgetStore(storeId: StoreId): void {
    this.#stores.get(idKey(storeId))?.cancel()
    this.#stores.delete(idKey(storeId))
    for (const [key, note] of this.#notes) if (idKey(note.storeId) === idKey(storeId)) this.#notes.delete(key)
  }

  close(): void {
    for (const { cancel } of this.#stores.values()) cancel()
    this.#stores.clear()
    this.#notes.clear()
  }

  #gapsOf(store: SessionStore): StoreGaps {
    const known = this.#stores.get(idKey(store.id))
    if (known !== undefined) return known
    const { link, resolve, others } = this.#deps
    const filler = createGapFiller({
      store,
      isUsable: (peer) => link(peer) !== undefined && resolve(peer, store.id) !== undefined,
      others: () => others(store.id),
    })
    const gaps: StoreGaps = { filler, cancel: () => undefined }
    this.#stores.set(idKey(store.id), gaps)
    return gaps
  }

  #carry(storeId: StoreId, gaps: StoreGaps, effects: readonly GapEffect[]): void {
    for (const effect of effects) {
      // The store was unregistered, or is another now.
      if (this.#stores.get(idKey(storeId)) !== gaps) return
      this.#carryOne(storeId, gaps, effect)
    }
  }
  #carryOne(storeId: StoreId, gaps: StoreGaps, effect: GapEffect): void {
    const { scheduler, limits, requestSession, onFilled, score, link } = this.#deps
    switch (effect.kind) {
      case 'wait':
        gaps.cancel = scheduler.after(limits.gapDelayMs, () => this.#carry(storeId, gaps, gaps.filler.due()))
        return
      case 'fetch': {
        const source = link(effect.peer)
        const store = this.#deps.resolve(effect.peer, storeId)
        assert(source !== undefined && store !== undefined, 'only a usable peer is asked')
        source.spawn('gap', () => this.#fetch(source, { store, request: effect.request, gaps }))
        return
      }
      case 'session':
        requestSession(effect.peer, storeId)
        return
      case 'filled':
        onFilled(effect.peer, storeId)
        return
      case 'score': {
        const guilty = link(effect.peer)
        if (guilty !== undefined) score(guilty, effect.why)
        return
      }
    }
  }

  async #fetch(
    link: PeerLink,
    { store, request, gaps }: { readonly store: SessionStore; readonly request: GapRequest; readonly gaps: StoreGaps },
  ): Promise<void> {
    const { storeSignal, scheduler, perform, logger, crypto } = this.#deps
    const { peer } = link
    const floating: Floating[] = []
    const signal = storeSignal(store.id)
    const deadline = createDeadline({
      parents: signal === undefined ? [] : [signal],
      scheduler,
      afterMs: GAP_FETCH_MS,
      waitingFor: 'causes',
    })
    let isAnswered = false
    let cutAt: IntentionId | undefined
    try {
      await link.run({
        protocol: net.Protocol.FETCH,
        machine: createLogClient({
          storeId: store.id,
          requests: [request],
          onAnswer: takeInto(crypto, store, { request, onCut: (base) => (cutAt = base) }),
        }),
        perform: async (call) => {
          const answer = await perform(link, call)
          assert(call.kind === 'ingest' && answer.kind === 'ingested', 'a fetch ingests only')
          floating.push(...floatingOf(crypto, call.intentions, answer.outcomes))
          // What it lacks is told here, and not left for gossip to ask about.
          this.#notes.delete(pairKey(peer, store.id))
          return answer
        },
        signal: deadline.signal,
      })
      isAnswered = true
    } catch (error) {
      if (!isLatticeError(error)) logger.warn('fetching causes failed', { peer: toHex(peer), error })
    } finally {
      deadline.release()
    }
    const report: GapReport = { sender: peer, floating, isGone: cutAt !== undefined }
    if (this.#stores.get(idKey(store.id)) !== gaps) return
    if (cutAt !== undefined && !isBaseHere(store, cutAt)) this.#deps.onReturning(peer, store.id, cutAt)
    this.#carry(store.id, gaps, isAnswered ? gaps.filler.answered(report) : gaps.filler.failed())
  }
}

/** Checks each frame of an answer, and has it taken in; `onCut` is told where a peer that cut its history had not all. */
function takeInto(
  crypto: Crypto,
  store: SessionStore,
  { request, onCut }: { readonly request: GapRequest; readonly onCut: (base: IntentionId) => void },
): (answer: LogAnswer) => readonly (Effect<never> & { readonly kind: 'call' | 'fail' })[] {
  const check = request.kind === 'chain' ? createFetchedChain(crypto, request) : undefined
  const ids = request.kind === 'ids' ? createFetchedAnswer(crypto, request.ids) : undefined
  let oldest: SignedIntention | undefined
  let count = 0
  return (answer) => {
    assert(answer.kind === 'intentions', 'no page was asked for')
    const { intentions, last, base } = answer
    oldest ??= intentions[0]
    count += intentions.length
    const step = ids?.take(intentions, last)
    const fault = check?.take(intentions, last) ?? (step?.kind === 'fault' ? step.fault : undefined)
    if (fault !== undefined) return [violation(`fetched_${fault}`)]
    const isShort = ids === undefined ? isCutShort(crypto, store, { request, oldest, count }) : ids.pending.size > 0
    if (last && base !== undefined && isShort) onCut(base)
    return intentions.length === 0 ? [] : [{ kind: 'call', call: { kind: 'ingest', store, intentions } }]
  }
}

/** True when a stretch of a chain ends before what is here, although it might have been longer. */
function isCutShort(
  crypto: Crypto,
  store: SessionStore,
  { request, oldest, count }: { request: GapRequest; oldest: SignedIntention | undefined; count: number },
): boolean {
  if (oldest === undefined) return true
  const parsed = parseSignedIntention(crypto, oldest)
  if (!parsed.ok || (request.kind === 'chain' && count >= request.limit)) return false
  const prev = readIntentionId(parsed.value.intention.storePrev)
  return prev !== undefined && store.missing([prev]).length > 0
}

function isBaseHere(store: SessionStore, base: IntentionId): boolean {
  return sameBase(store.base()?.epoch, base) || store.over(base) !== undefined
}

/** Those that wait for causes nobody here has. */
function floatingOf(crypto: Crypto, intentions: readonly SignedIntention[], outcomes: Outcomes): Floating[] {
  return outcomes.flatMap((outcome, index): Floating[] => {
    const signed = intentions[index]
    if (!lacksCauses(outcome)) return []
    const parsed = signed === undefined ? undefined : parseSignedIntention(crypto, signed)
    if (parsed?.ok !== true) return []
    const { author, storePrev } = parsed.value.intention
    return [{ author, storePrev, missing: outcome.missing }]
  })
}

function heldId(outcome: IngestOutcome): readonly IntentionId[] {
  return outcome.kind === 'invalid' ? [] : [outcome.id]
}
