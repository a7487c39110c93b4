/**
 * Fetching a store from several peers at once: what is asked of whom, what is believed, what goes to the store when.
 *
 * One peer serves pages of its witness log, which name the intentions in causal order; all of them serve the intentions. A
 * page is believed as a whole or not at all: its chain links to the page before, the first record is the genesis that names
 * the store, and its server's own signature closes it. Only what a page names is taken in, each intention once, in the
 * order of the log; so forged, reordered, withheld or repeated input ends with the peer that sent it and leaves nothing.
 * The server has what its log names; others may lack some and are not blamed. A request that takes too long is asked of
 * others as well, a peer that is lost costs its open requests, and another log takes over from the position kept for it.
 *
 * Pure and synchronous: events in, effects out; time comes with the clock that is given.
 *
 * @module
 */
import { assert, type Crypto, type IdKey, idKey, type IngestOutcome, type PublicKey } from '@lattice/model'
import type { net } from '@lattice/proto'
import type { BootstrapEffect, BootstrapState } from './bootstrap-effect.ts'
import { nextSeq, readServedPage, type ServedLog } from './bootstrap-page.ts'
import { createBootstrapWindow, type WindowUnit } from './bootstrap-window.ts'
import type { FetchedIntention } from './fetched-answer.ts'
import {
  BOOTSTRAP_FLOATING_MAX,
  BOOTSTRAP_HELD_BYTES,
  BOOTSTRAP_IDS_AHEAD,
  BOOTSTRAP_PAGES_AHEAD,
  BOOTSTRAP_PEERS,
  BOOTSTRAP_REQUESTS_OPEN,
  BOOTSTRAP_SHARE_MIN,
  BOOTSTRAP_UNCAUSED_MAX,
  BOOTSTRAP_UNIT_BYTES,
  BOOTSTRAP_UNIT_IDS,
  BOOTSTRAP_UNITS_OPEN,
  type NetworkLimits,
  WITNESS_PAGE_RECORDS,
  WITNESS_PAGE_RECORDS_LONG,
} from './limits.ts'
import { type BootstrapMember, createMembers, type OpenIds } from './bootstrap-members.ts'
import type { FetchCoordinator } from './fetch-effect.ts'
import { judgeIngest } from './ingest-verdict.ts'
import type { LogAnswer, LogRequest } from './log-client.ts'
import type { BootstrapPosition, SessionStore } from './session-call.ts'

export interface BootstrapCoordinatorOptions {
  readonly crypto: Crypto
  readonly store: Pick<SessionStore, 'id' | 'missing' | 'digest'>
  /** In the order in which they are tried. */
  readonly peers: readonly PublicKey[]
  /** Where the log of a peer was left. */
  readonly position: (peer: PublicKey) => BootstrapPosition | undefined
  readonly nowMs: () => number
  readonly limits: Pick<NetworkLimits, 'bootstrapShareMs' | 'bootstrapOverdueMs'>
}

export interface BootstrapCoordinator extends FetchCoordinator<LogAnswer, BootstrapEffect> {
  /** The store has looked at the ingest of this number. */
  readonly ingested: (number: number, outcomes: readonly IngestOutcome[]) => readonly BootstrapEffect[]
  readonly advanced: () => readonly BootstrapEffect[]
  readonly state: () => BootstrapState
}

/** Starts with nobody connected. Events that come after `done` or `failed` change nothing. */
export function createBootstrapCoordinator(options: BootstrapCoordinatorOptions): BootstrapCoordinator {
  const run = new Coordinator(options)
  return {
    start: () => run.step(() => undefined),
    connected: (peer) => run.step(() => run.connected(peer)),
    gone: (peer) => run.step(() => run.gone(idKey(peer))),
    lost: (peer) => run.step(() => run.lost(idKey(peer))),
    restarted: (peer) => run.step(() => run.restarted(idKey(peer))),
    answered: (peer, answer) => run.step(() => run.answered(idKey(peer), answer)),
    ingested: (number, outcomes) => run.step(() => run.ingested(number, outcomes)),
    advanced: () => run.step(() => run.advanced()),
    tick: () => run.step(() => run.tick()),
    state: () => run.state(),
  }
}

/** On its way to the store. */
interface Ingest {
  readonly number: number
  readonly unit: WindowUnit
  /** One before it was refused in part: what floats of this may lack that. */
  isAfterInvalid: boolean
}

class Coordinator {
  readonly #options: BootstrapCoordinatorOptions
  readonly #window = createBootstrapWindow({ maxBytes: BOOTSTRAP_HELD_BYTES })
  readonly #members
  readonly #barred = new Set<IdKey>()
  #log: ServedLog | undefined
  /** In the order in which they were handed over. */
  readonly #ingests: Ingest[] = []
  #isAdvancing = false
  #handedOver = 0
  #isWakeDue = false
  #isOver = false
  #effects: BootstrapEffect[] = []
  #pages = 0
  #fetched = 0
  #bytes = 0
  #uncaused = 0

  constructor(options: BootstrapCoordinatorOptions) {
    this.#options = options
    const { crypto, peers, nowMs, limits } = options
    this.#members = createMembers({ crypto, peers, nowMs, limits, max: BOOTSTRAP_PEERS })
  }

  state(): BootstrapState {
    const isFull = this.#isWorking() && this.#window.heldBytes() > BOOTSTRAP_HELD_BYTES / 2
    return { peers: this.#members.up().length, bytes: this.#bytes, isFull }
  }

  /** Takes an event in, then does whatever can be done. */
  step(event: () => void): readonly BootstrapEffect[] {
    if (this.#isOver) return []
    event()
    if (!this.#isOver) this.#goOn()
    const effects = this.#effects
    this.#effects = []
    return effects
  }

  connected(peer: PublicKey): void {
    this.#members.connected(idKey(peer))
  }

  gone(key: IdKey): void {
    for (const ask of this.#members.remove(key)) this.#letGo(ask)
    if (this.#log?.member.key === key) this.#leaveLog()
  }
  lost(key: IdKey): void {
    this.gone(key)
    if (!this.#barred.has(key)) this.#members.readmit(key)
  }
  restarted(key: IdKey): void {
    for (const ask of this.#members.restart(key)) this.#letGo(ask)
  }

  answered(key: IdKey, answer: LogAnswer): void {
    const member = this.#members.get(key)
    // One that is out may have more on its way.
    const [ask] = member?.asks ?? []
    if (member === undefined || ask === undefined) return
    if (ask.kind === 'page') {
      assert(answer.kind === 'page', 'answers come in the order of the requests')
      this.#members.finished(member, 0)
      if (this.#log?.member !== member) return
      // Each page costs a round trip: from a peer that answers fast, longer ones are taken.
      const isFast = this.#options.nowMs() - ask.atMs < this.#options.limits.bootstrapShareMs
      if (isFast) this.#log.pageLimit = Math.min(2 * this.#log.pageLimit, WITNESS_PAGE_RECORDS_LONG)
      this.#takePage(answer.page, this.#log)
      return
    }
    assert(answer.kind === 'intentions', 'answers come in the order of the requests')
    this.#takeIntentions(answer, { member, ask })
  }

  ingested(number: number, outcomes: readonly IngestOutcome[]): void {
    const at = this.#ingests.findIndex((each) => each.number === number)
    const [ingest] = at < 0 ? [] : this.#ingests.splice(at, 1)
    assert(ingest?.unit.places.length === outcomes.length, 'that ingest is under way')
    const { from, places, intentions } = ingest.unit
    const { invalid, refused, uncaused } = judgeIngest(outcomes, ingest.isAfterInvalid)
    if (invalid !== undefined) for (const later of this.#ingests.slice(at)) later.isAfterInvalid = true
    this.#window.settle(places.filter((_, index) => !refused.has(index)))
    this.#window.putBack(places.filter((_, index) => refused.has(index)))
    for (const [index, { bytes, signature }] of intentions.entries()) {
      if (refused.has(index)) continue
      this.#fetched += 1
      this.#bytes += bytes.length + signature.length
    }
    this.#uncaused += uncaused
    if (invalid !== undefined) this.#bar(from, `invalid_intention_${invalid.code}`)
    else if (this.#uncaused > BOOTSTRAP_UNCAUSED_MAX && this.#log !== undefined) {
      this.#uncaused = 0
      this.#bar(this.#log.member.key, 'log_not_causal')
    }
  }

  advanced(): void {
    assert(this.#isAdvancing, 'an advance is under way')
    this.#isAdvancing = false
  }

  tick(): void {
    this.#isWakeDue = false
    if (this.#members.up().length < 2) return
    for (const { member, ask } of this.#members.overdue()) {
      if (ask.kind === 'ids') this.#window.reopen(ask.answer.pending)
      else if (this.#log?.member === member) this.#leaveLog()
    }
  }
  /** What was asked for is to be asked of others, unless it was already. */
  #letGo(ask: BootstrapMember['asks'][number]): void {
    // Also what came and was not kept.
    if (ask.kind === 'ids' && !ask.isOverdue) this.#window.reopen(ask.answer.asked)
  }

  #goOn(): void {
    for (const enlisted of this.#members.enlist()) this.#effects.push({ kind: 'connect', ...enlisted })
    this.#log ??= this.#takeOverLog()
    this.#startWork()
    for (const member of this.#members.up()) this.#askOf(member)
    if (!this.#isWakeDue && this.#members.hasOpen()) {
      this.#isWakeDue = true
      this.#effects.push({ kind: 'wake', afterMs: this.#options.limits.bootstrapOverdueMs / 2 })
    }
    const log = this.#log
    if (log?.isAtEnd === true && !this.#isWorking() && this.#window.pages() === 0) {
      this.#isOver = true
      const outcome = { peer: log.member.peer, pages: this.#pages, fetched: this.#fetched }
      this.#effects.push({ kind: 'done', outcome })
    } else if (!this.#isWorking() && this.#members.isEmpty()) {
      this.#isOver = true
      this.#effects.push({ kind: 'failed' })
    }
  }

  /** The log of the peer that has served none for the longest. */
  #takeOverLog(): ServedLog | undefined {
    const member = this.#members.nextServer()
    return (
      member && { member, pulled: this.#options.position(member.peer), isAtEnd: false, pageLimit: WITNESS_PAGE_RECORDS }
    )
  }
  #leaveLog(): void {
    this.#log = undefined
    this.#window.clear()
  }
  /** Also one that is gone meanwhile: what it sent is judged when its turn comes. */
  #bar(key: IdKey, why: string): void {
    this.#window.purge(key)
    if (this.#barred.has(key)) return
    this.#barred.add(key)
    this.#effects.push({ kind: 'bar', peer: this.#members.peerOf(key), why })
    this.gone(key)
  }

  #startWork(): void {
    const log = this.#log
    if (log === undefined) return
    const page = this.#isAdvancing ? undefined : this.#window.takePage()
    if (page !== undefined) {
      const { end: position, headSeq: total } = page
      this.#isAdvancing = true
      this.#effects.push({ kind: 'advance', peer: log.member.peer, position, total })
    }
    while (this.#ingests.length < BOOTSTRAP_UNITS_OPEN) {
      const unit = this.#window.takeUnit(BOOTSTRAP_UNIT_IDS, BOOTSTRAP_UNIT_BYTES)
      if (unit === undefined) return
      const { from, intentions } = unit
      this.#handedOver += 1
      this.#ingests.push({ number: this.#handedOver, unit, isAfterInvalid: false })
      this.#effects.push({ kind: 'ingest', number: this.#handedOver, peer: this.#members.peerOf(from), intentions })
    }
  }
  #isWorking(): boolean {
    return this.#isAdvancing || this.#ingests.length > 0
  }

  #askOf(member: BootstrapMember): void {
    while (member.asks.length < BOOTSTRAP_REQUESTS_OPEN) {
      const request = this.#pageWanted(member) ?? this.#idsWanted(member)
      if (request === undefined) return
      this.#members.asked(member, request)
      this.#effects.push({ kind: 'ask', peer: member.peer, request })
    }
  }
  #pageWanted(member: BootstrapMember): LogRequest | undefined {
    const log = this.#log
    if (log === undefined || !this.#isPulling(member)) return undefined
    if (member.asks.some(({ kind }) => kind === 'page')) return undefined
    return { kind: 'page', fromSeq: nextSeq(log.pulled), limit: log.pageLimit }
  }
  /** Its log is taken in, and there is room for more pages of it. */
  #isPulling(member: BootstrapMember): boolean {
    if (this.#log?.member !== member || this.#log.isAtEnd) return false
    return this.#window.pages() < BOOTSTRAP_PAGES_AHEAD && this.#window.size() < BOOTSTRAP_IDS_AHEAD
  }
  #idsWanted(member: BootstrapMember): LogRequest | undefined {
    // With much waiting, only what lets it go on is asked for.
    const isFull = this.#window.heldBytes() > BOOTSTRAP_HELD_BYTES / 2
    if (isFull && this.#window.isFrontHeld()) return undefined
    const max = isFull ? BOOTSTRAP_SHARE_MIN : this.#members.shareOf(member)
    const others = this.#members.up().filter((other) => other !== member)
    // While there is room for pages, the server has those to send; intentions that others have are left to them.
    const isReserved = this.#isPulling(member) && others.length > 0
    const ids = this.#window.pick(max, ({ key, lackedBy }) => {
      if (lackedBy?.has(member.key) === true) return false
      if (isReserved && !others.every((other) => lackedBy?.has(other.key) === true)) return false
      return !member.asks.some((ask) => ask.kind === 'ids' && ask.answer.pending.has(key))
    })
    return ids.length === 0 ? undefined : { kind: 'ids', ids }
  }

  #takePage(frame: net.WitnessPage, log: ServedLog): void {
    const { crypto, store } = this.#options
    const { member, pulled } = log
    const read = readServedPage(frame, { crypto, storeId: store.id, witness: member.peer, pulled })
    if (read.kind === 'fault') return this.#bar(member.key, read.why)
    if (read.kind === 'end') {
      log.isAtEnd = true
      return
    }
    const { ids, groupEnds, end, headSeq } = read
    const isRepeated = ids.some((id) => this.#window.find(idKey(id)) !== undefined)
    if (isRepeated || new Set(ids.map(idKey)).size < ids.length) {
      return this.#bar(member.key, 'page_repeats_intention')
    }
    const lacking = store.missing(ids).filter((id) => !this.#isUnderWay(idKey(id)))
    if (end.seq > this.#namedAtMost() + lacking.length) return this.#bar(member.key, 'log_repeats_intentions')
    this.#pages += 1
    log.pulled = end
    log.isAtEnd = end.seq >= headSeq
    this.#window.addPage({ end, headSeq }, lacking, groupEnds)
    for (const { asks } of this.#members.up()) {
      for (const ask of asks) if (ask.kind === 'ids' && !ask.isOverdue) this.#window.markAsked(ask.answer.pending)
    }
  }
  /** Intentions that a log can have named so far, each once: those that are here, on their way, or lacking. */
  #namedAtMost(): number {
    const underWay = this.#ingests.reduce((sum, { unit }) => sum + unit.places.length, 0)
    return this.#options.store.digest().witnessCount + underWay + this.#window.size() + BOOTSTRAP_FLOATING_MAX
  }
  /** On its way to the store: not witnessed yet, and not lacking. */
  #isUnderWay(key: IdKey): boolean {
    return this.#ingests.some(({ unit }) => unit.keys.has(key))
  }

  #takeIntentions(
    { intentions, last, base }: Extract<LogAnswer, { kind: 'intentions' }>,
    { member, ask }: { readonly member: BootstrapMember; readonly ask: OpenIds },
  ): void {
    const step = ask.answer.take(intentions, last)
    if (step.kind === 'fault') return this.#bar(member.key, step.fault)
    for (const run of step.runs) {
      const fault = this.#takeRun(run, { member, ask })
      if (fault !== undefined) return this.#bar(member.key, fault)
    }
    for (const { bytes, signature } of intentions) ask.bytes += bytes.length + signature.length
    this.#window.trim()
    if (!last) return
    for (const key of ask.answer.pending) {
      const place = this.#window.find(key)
      if (place === undefined || place.held !== undefined) continue
      // What its own log names it has, unless that was cut since it was read, as over a connection before this one.
      if (this.#log?.member === member) {
        return base === undefined ? this.#bar(member.key, 'intentions_withheld') : this.gone(member.key)
      }
      place.lackedBy = (place.lackedBy ?? new Set()).add(member.key)
    }
    this.#letGo(ask)
    this.#members.finished(member, ask.bytes)
  }

  /** Keeps a run for its turn. Answers what is wrong with it. */
  #takeRun(
    run: readonly FetchedIntention[],
    { member, ask }: { readonly member: BootstrapMember; readonly ask: OpenIds },
  ): string | undefined {
    const isServer = this.#log?.member === member
    const isNamed = ({ key, isAsked, parsed }: FetchedIntention): boolean =>
      isAsked || this.#window.find(key) !== undefined || this.#isKnown(key, parsed.id)
    if (!run.every(isNamed)) {
      const lacking = run.flatMap(({ key, isAsked }) => {
        const place = isAsked ? this.#window.find(key) : undefined
        return place === undefined || place.held !== undefined ? [] : [place]
      })
      // Its author signed the run twice, in two lengths. The server's is the one that its log names.
      if (isServer && lacking.length > 0) return 'intention_substituted'
      for (const place of lacking) place.lackedBy = (place.lackedBy ?? new Set()).add(member.key)
      this.#window.reopen(lacking.map(({ key }) => key))
      return undefined
    }
    for (const { key, parsed, isAsked } of run) {
      const place = this.#window.find(key)
      if (isServer && place !== undefined && isAsked) {
        if (place.index < ask.lastIndex) return 'intentions_reordered'
        ask.lastIndex = place.index
      }
      // What no place is waiting for may be named by the log that takes over, unless the store has it.
      const isWanted = place !== undefined || (isAsked && !this.#isKnown(key, parsed.id))
      if (isWanted) this.#window.hold(key, { signed: parsed, from: member.key })
    }
    return undefined
  }
  /** Not lacking any more: it is here, or on its way to the store. */
  #isKnown(key: IdKey, id: FetchedIntention['parsed']['id']): boolean {
    return this.#isUnderWay(key) || this.#options.store.missing([id]).length === 0
  }
}
