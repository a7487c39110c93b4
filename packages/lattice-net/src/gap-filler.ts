/**
 * Whom to ask for the causes that are lacking, one peer at a time.
 *
 * What floats names what it lacks. The author of what floats is asked first, then whoever sent it, then a few that are
 * known to hold more; what an author wrote before is asked for as a stretch of its chain, anything else by id. An id is
 * wanted once, however many arrivals lack it. What was fetched may lack causes in its turn; that goes on for a bounded number
 * of rounds and ids, so a chain of invented causes ends. When nobody has an id, or there is too much of it, a reconcile
 * session takes over. Who sent something and does not have its causes is scored: an honest peer sends what it witnessed.
 *
 * Pure and synchronous: events in, effects out.
 *
 * @module
 */
import {
  assert,
  equalBytes,
  type IdKey,
  idKey,
  idKeyBytes,
  type IntentionId,
  type PublicKey,
  toIntentionId,
} from '@lattice/model'
import {
  FETCH_CHAIN_MAX,
  GAP_FETCH_IDS,
  GAP_FETCHES_MAX,
  GAP_GIVEN_UP_MAX,
  GAP_IDS_MAX,
  GAP_ROUNDS_MAX,
  GAP_SOURCES_MAX,
} from './limits.ts'
import type { LogRequest } from './log-client.ts'
import type { SessionStore } from './session-call.ts'

/** An intention that waits for causes nobody here has. */
export interface Floating {
  readonly author: PublicKey
  readonly storePrev: Uint8Array
  readonly missing: readonly IntentionId[]
}

/** What one peer sent, as far as it floats. */
export interface GapReport {
  readonly sender: PublicKey
  readonly floating: readonly Floating[]
  /** It cut its history: what it did not have may be gone, and is no fault of its. */
  readonly isGone?: boolean
}

export type GapEffect =
  /** Call `due` after the usual pause: what is in flight may arrive by itself. One at a time. */
  | { readonly kind: 'wait' }
  /** Ask this peer; answered by `answered` or `failed`. One at a time. */
  | { readonly kind: 'fetch'; readonly peer: PublicKey; readonly request: GapRequest }
  /** Reconcile with this peer instead. */
  | { readonly kind: 'session'; readonly peer: PublicKey }
  /** It sent what it does not have the causes of. */
  | { readonly kind: 'score'; readonly peer: PublicKey; readonly why: GapFault }
  /** Nothing is wanted any more of what this peer sent. */
  | { readonly kind: 'filled'; readonly peer: PublicKey }

export type GapRequest = Exclude<LogRequest, { readonly kind: 'page' }>
export type GapFault = 'cause_withheld' | 'causes_endless'

export interface GapFillerOptions {
  readonly store: Pick<SessionStore, 'missing' | 'tipOf' | 'base'>
  /** The peer is connected and may use the store. */
  readonly isUsable: (peer: PublicKey) => boolean
  /** Connected peers that are known to hold more than is here, the most first. */
  readonly others: () => readonly PublicKey[]
}

export interface GapFiller {
  readonly report: (report: GapReport) => readonly GapEffect[]
  /** These came, by whatever way. */
  readonly arrived: (ids: readonly IntentionId[]) => void
  readonly due: () => readonly GapEffect[]
  /** The peer answered, and what came was taken in; `report` is what floats of it. */
  readonly answered: (report: GapReport) => readonly GapEffect[]
  /** The peer did not answer, or broke the protocol. */
  readonly failed: () => readonly GapEffect[]
  /** A reconcile session with the peer has ended well, and brought so many intentions. */
  readonly reconciled: (peer: PublicKey, witnessed: number) => readonly GapEffect[]
  /** Ids wanted now. */
  readonly wanted: () => number
}

/** An id that is lacking. */
interface Want {
  readonly id: IntentionId
  readonly author: PublicKey
  /** It is of its author's own chain. */
  readonly isChain: boolean
  /** Who sent what lacks it, the first first. */
  readonly senders: PublicKey[]
  /** Who sent what this began with. */
  readonly origin: PublicKey
  readonly round: number
  readonly tried: Set<IdKey>
  /** Senders that answered without it. */
  readonly withheldBy: Set<IdKey>
}

interface OpenFetch {
  readonly peer: PublicKey
  readonly wants: readonly Want[]
}

/** Starts with nothing wanted. */
export function createGapFiller(options: GapFillerOptions): GapFiller {
  return new Filler(options)
}

class Filler implements GapFiller {
  readonly #options: GapFillerOptions
  readonly #wants = new Map<IdKey, Want>()
  /** Ids that nobody had, by who began it; the oldest first. */
  readonly #givenUp = new Map<IdKey, { readonly origin: PublicKey; readonly isEndless: boolean }>()
  #open: OpenFetch | undefined
  #isWaiting = false
  /** Since something was lacking first. */
  #fetches = 0
  #origin: PublicKey | undefined

  constructor(options: GapFillerOptions) {
    this.#options = options
  }

  wanted(): number {
    return this.#wants.size
  }

  report(report: GapReport): readonly GapEffect[] {
    const effects = this.#want(report, { origin: report.sender, round: 1 })
    return [...effects, ...this.#wait()]
  }

  arrived(ids: readonly IntentionId[]): void {
    for (const id of ids) {
      const key = idKey(id)
      this.#givenUp.delete(key)
      this.#wants.delete(key)
    }
  }

  due(): readonly GapEffect[] {
    this.#isWaiting = false
    return this.#next()
  }

  answered(report: GapReport): readonly GapEffect[] {
    const open = this.#open
    assert(open !== undefined, 'a fetch is open')
    this.#open = undefined
    const key = idKey(open.peer)
    for (const want of open.wants) {
      const isSender = want.senders.some((sender) => equalBytes(sender, open.peer))
      const isWithheld = isSender && report.isGone !== true && this.#wants.has(idKey(want.id))
      if (isWithheld) want.withheldBy.add(key)
    }
    const [first] = open.wants
    assert(first !== undefined, 'something was asked for')
    const round = 1 + Math.max(...open.wants.map((want) => want.round))
    return unique([...this.#want(report, { origin: first.origin, round }), ...this.#next()])
  }

  failed(): readonly GapEffect[] {
    assert(this.#open !== undefined, 'a fetch is open')
    this.#open = undefined
    return this.#next()
  }

  reconciled(peer: PublicKey, witnessed: number): readonly GapEffect[] {
    if (witnessed > 0) return []
    const isStill = [...this.#givenUp].some(
      ([key, { origin, isEndless }]) =>
        isEndless && equalBytes(origin, peer) && this.#isMissing(toIntentionId(idKeyBytes(key))),
    )
    for (const [key, { origin, isEndless }] of this.#givenUp) {
      if (isEndless && equalBytes(origin, peer)) this.#givenUp.set(key, { origin, isEndless: false })
    }
    return isStill ? [{ kind: 'score', peer, why: 'causes_endless' }] : []
  }

  #want(report: GapReport, { origin, round }: Pick<Want, 'origin' | 'round'>): readonly GapEffect[] {
    const chains = new Set(report.floating.map(({ storePrev }) => idKey(storePrev)))
    let isTooMuch = false
    for (const { author, missing } of report.floating) {
      for (const id of missing) {
        const key = idKey(id)
        const known = this.#wants.get(key)
        if (known !== undefined) addSender(known, report.sender)
        else if (this.#givenUp.has(key)) isTooMuch = true
        else if (!this.#isMissing(id)) continue
        else if (this.#wants.size >= GAP_IDS_MAX || round > GAP_ROUNDS_MAX) {
          isTooMuch = true
          this.#giveUp(key, origin, round > GAP_ROUNDS_MAX)
        } else {
          this.#wants.set(key, {
            id,
            author,
            isChain: chains.has(key),
            senders: [report.sender],
            origin,
            round,
            tried: new Set(),
            withheldBy: new Set(),
          })
        }
      }
    }
    if (!isTooMuch) return []
    // The session will tell whether anything is lacking.
    this.#origin = undefined
    return [{ kind: 'session', peer: origin }]
  }

  #wait(): readonly GapEffect[] {
    if (this.#wants.size === 0 || this.#isWaiting || this.#open !== undefined) return []
    this.#isWaiting = true
    return [{ kind: 'wait' }]
  }

  /** The next request; ids that nobody is left for are given up on the way. */
  #next(): readonly GapEffect[] {
    if (this.#open !== undefined || this.#isWaiting) return []
    const effects: GapEffect[] = []
    const others = this.#options.others().slice(0, GAP_SOURCES_MAX)
    for (const [key, want] of this.#wants) {
      if (!this.#isMissing(want.id)) {
        this.#wants.delete(key)
        continue
      }
      const peer = this.#fetches < GAP_FETCHES_MAX ? this.#sourceOf(want, others) : undefined
      if (peer === undefined) effects.push(...this.#abandon(key, want))
      else return [...effects, this.#fetch(peer, want, others)]
    }
    this.#fetches = 0
    const origin = this.#origin
    this.#origin = undefined
    return origin !== undefined && effects.length === 0 ? [{ kind: 'filled', peer: origin }] : unique(effects)
  }
  #fetch(peer: PublicKey, want: Want, others: readonly PublicKey[]): GapEffect {
    const wants: Want[] = [want]
    if (!want.isChain) {
      for (const other of this.#wants.values()) {
        if (wants.length === GAP_FETCH_IDS) break
        if (other === want || other.isChain || !this.#isMissing(other.id)) continue
        const source = this.#sourceOf(other, others)
        if (source !== undefined && equalBytes(source, peer)) wants.push(other)
      }
    }
    for (const { tried } of wants) tried.add(idKey(peer))
    this.#open = { peer, wants }
    this.#fetches += 1
    this.#origin = want.origin
    const request: GapRequest = want.isChain
      ? { kind: 'chain', target: want.id, since: this.#options.store.tipOf(want.author), limit: FETCH_CHAIN_MAX }
      : { kind: 'ids', ids: wants.map(({ id }) => id) }
    return { kind: 'fetch', peer, request }
  }
  #sourceOf(want: Want, others: readonly PublicKey[]): PublicKey | undefined {
    const sources = [want.author, ...want.senders, ...others]
    return sources.find((peer) => !want.tried.has(idKey(peer)) && this.#options.isUsable(peer))
  }
  #abandon(key: IdKey, want: Want): readonly GapEffect[] {
    this.#wants.delete(key)
    this.#giveUp(key, want.origin, false)
    // What lies below a base is nobody's to give: who has it only referred to, as after a return, is as honest.
    const isWhole = this.#options.store.base() === undefined
    const scores = want.senders
      .filter((sender) => isWhole && want.withheldBy.has(idKey(sender)))
      .map((peer): GapEffect => ({ kind: 'score', peer, why: 'cause_withheld' }))
    return [...scores, { kind: 'session', peer: want.origin }]
  }
  #giveUp(key: IdKey, origin: PublicKey, isEndless: boolean): void {
    this.#givenUp.set(key, { origin, isEndless })
    for (const oldest of this.#givenUp.keys()) {
      if (this.#givenUp.size <= GAP_GIVEN_UP_MAX) break
      this.#givenUp.delete(oldest)
    }
  }
  #isMissing(id: IntentionId): boolean {
    return this.#options.store.missing([id]).length > 0
  }
}

function addSender(want: Want, sender: PublicKey): void {
  const isKnown = want.senders.some((other) => equalBytes(other, sender))
  if (!isKnown && want.senders.length < GAP_SOURCES_MAX) want.senders.push(sender)
}

/** Each effect once per peer. */
function unique(effects: readonly GapEffect[]): readonly GapEffect[] {
  const seen = new Set<string>()
  return effects.filter((effect) => {
    if (effect.kind === 'wait' || effect.kind === 'fetch') return true
    const key = `${effect.kind} ${idKey(effect.peer)}`
    if (seen.has(key)) return false
    seen.add(key)
    return true
  })
}
