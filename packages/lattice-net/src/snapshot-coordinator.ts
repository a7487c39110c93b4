/**
 * Fetching a pruned store: what is asked of whom, what is believed, what goes to the writer when.
 *
 * All peers are asked what they serve. One of them, whose base is the latest, gives the foundation, which proves the state at
 * its base: a quorum of the store's own peers signed it. That all go on from there whoever asked sees later. That state then comes from all who serve it, in stretches
 * that one of them outlines. What is wrong with a foundation is the fault of who gave it. Wrong rows show at the end, against
 * the root: where several sent them, they are fetched once more from one peer alone, which tells who it was
 * (`row-trace.ts`). Whoever sent something wrong is out, and nothing of it is left.
 *
 * What is served may be cut again meanwhile: then it is begun anew, a few times. A peer that is lost costs its open requests.
 * One that is silent costs some seconds where another can be used; while nobody can, those are asked again who had nothing:
 * they may be about to begin anew behind the cut themselves.
 *
 * Pure and synchronous: events in, effects out; time comes with the clock that is given.
 *
 * @module
 */
import {
  assert,
  compareEpochs,
  type Crypto,
  type IdKey,
  idKey,
  type IntentionId,
  type NumberedEpoch,
  type PublicKey,
} from '@lattice/model'
import type { WriterPosition, WriterRefused, WriterSnapshot } from '@lattice/net-types'
import { sameBase } from './claimed-digest.ts'
import { BOOTSTRAP_PEERS, type NetworkLimits, SNAPSHOT_RESTARTS_MAX } from './limits.ts'
import type { FetchCoordinator } from './fetch-effect.ts'
import { createPeerRoster, type PeerRoster } from './peer-roster.ts'
import type { BaseOffer, SnapshotAnswer, SnapshotRequest } from './snapshot-client.ts'
import type { SnapshotEffect, SnapshotState, WriterWork } from './snapshot-effect.ts'
import { createItemFetch, type ItemFetch } from './snapshot-items.ts'
import { type FetchView, isOf, type SnapshotMember } from './snapshot-member.ts'
import { createRowFetch, type RowFetch } from './snapshot-rows.ts'

export interface SnapshotCoordinatorOptions {
  readonly crypto: Crypto
  /** In the order in which they are tried. */
  readonly peers: readonly PublicKey[]
  /** This node's own base, which one that is worth fetching goes before; undefined without one. */
  readonly above: NumberedEpoch | undefined
  /** And that one itself. */
  readonly orSame: boolean
  /** Who has cut nothing is of use as well, where it has the state at some epoch. */
  readonly orWhole: boolean
  /** What is taken in already. */
  readonly position: WriterPosition | undefined
  readonly nowMs: () => number
  readonly limits: Pick<NetworkLimits, 'bootstrapOverdueMs'>
}

/** What became of a piece of work. */
export type WriterResult = WriterRefused | WriterSnapshot | undefined

export interface SnapshotCoordinator extends FetchCoordinator<SnapshotAnswer, SnapshotEffect> {
  /** The peer broke the protocol, was told so, and is out: nothing that it sent stays. */
  readonly broke: (peer: PublicKey) => readonly SnapshotEffect[]
  /** The peer does not serve any more what it was asked for; it is connected, and its session over. */
  readonly moved: (peer: PublicKey) => readonly SnapshotEffect[]
  /** The work under way is done, or refused. */
  readonly worked: (result: WriterResult) => readonly SnapshotEffect[]
  readonly state: () => SnapshotState
}

/** Starts with nobody connected. Events that come after the end change nothing. */
export function createSnapshotCoordinator(options: SnapshotCoordinatorOptions): SnapshotCoordinator {
  const run = new Coordinator(options)
  return {
    start: () => run.step(() => undefined),
    connected: (peer) => run.step(() => run.connected(idKey(peer))),
    gone: (peer) => run.step(() => run.gone(idKey(peer))),
    broke: (peer) => run.step(() => run.broke(idKey(peer))),
    lost: (peer) => run.step(() => run.lost(idKey(peer))),
    restarted: (peer) => run.step(() => run.restarted(idKey(peer))),
    moved: (peer) => run.step(() => run.moved(idKey(peer))),
    answered: (peer, answer) => run.step(() => run.answered(idKey(peer), answer)),
    worked: (result) => run.step(() => run.worked(result)),
    tick: () => run.step(() => run.tick()),
    state: () => run.state(),
  }
}

type Stage =
  | { readonly kind: 'choosing' }
  | { readonly kind: 'items'; readonly fetch: ItemFetch }
  | { readonly kind: 'rows'; readonly base: IntentionId; readonly fetch: RowFetch }

const NOTHING_CUT: BaseOffer = { base: undefined, snapshot: undefined }

class Coordinator implements FetchView {
  readonly #options: SnapshotCoordinatorOptions
  readonly #roster: PeerRoster
  readonly #members = new Map<IdKey, SnapshotMember>()
  readonly #barred = new Set<IdKey>()
  #resume: WriterPosition | undefined
  #stage: Stage = { kind: 'choosing' }
  #work: WriterWork | undefined
  #restarts = 0
  #bytes = 0
  /** What the writer took in is of somebody who sent what it should not have. */
  #isDropDue = false
  #isWakeDue = false
  #isOver = false
  #hasWhole = false
  /** So has one that has made room for others. */
  #hasCut = false
  /** Why what a peer serves cannot be taken yet. */
  #pending: string | undefined
  #effects: SnapshotEffect[] = []

  constructor(options: SnapshotCoordinatorOptions) {
    this.#options = options
    this.#resume = options.position
    this.#roster = createPeerRoster(options.peers, BOOTSTRAP_PEERS)
  }

  state(): SnapshotState {
    const shared = { bytes: this.#bytes, peers: this.#members.size }
    const stage = this.#stage
    if (stage.kind === 'rows') return { stage: 'rows', ...stage.fetch.progress(this.#rowsOffered()), ...shared }
    const progress = stage.kind === 'items' ? stage.fetch.progress() : { done: 0, total: 0 }
    return { stage: 'foundation', ...progress, ...shared }
  }
  #rowsOffered(): number {
    return Math.max(0, ...this.members().map(({ offer }) => offer?.snapshot?.rows ?? 0))
  }

  /** Takes an event in, then does whatever can be done. */
  step(event: () => void): readonly SnapshotEffect[] {
    if (this.#isOver) return []
    event()
    if (!this.#isOver) this.#goOn()
    const effects = this.#effects
    this.#effects = []
    return effects
  }

  connected(key: IdKey): void {
    if (this.#roster.connected(key) !== undefined) this.#members.set(key, { key, asks: [], offer: undefined, moves: 0 })
  }
  gone(key: IdKey): void {
    this.#roster.remove(key)
    this.#members.delete(key)
    this.#forgetAsks(key)
    const stage = this.#stage
    if (stage.kind === 'items' && stage.fetch.server === key && !this.#roster.isExpected(key)) this.#chooseAnew()
  }
  broke(key: IdKey): void {
    this.#barred.add(key)
    const stage = this.#stage
    if (stage.kind === 'rows') stage.fetch.purge(key)
    else if (stage.kind === 'items' && stage.fetch.server === key) {
      this.#isDropDue = true
      this.#chooseAnew()
    }
    this.gone(key)
  }
  lost(key: IdKey): void {
    this.#roster.remove(key)
    this.#members.delete(key)
    if (!this.#barred.has(key)) this.#roster.readmit(key)
    this.gone(key)
  }
  restarted(key: IdKey): void {
    this.#members.get(key)?.asks.splice(0)
    this.#forgetAsks(key)
  }
  moved(key: IdKey): void {
    this.restarted(key)
    const member = this.#members.get(key)
    if (member === undefined) return
    member.offer = undefined
    member.moves += 1
    const stage = this.#stage
    if (member.moves > SNAPSHOT_RESTARTS_MAX) this.gone(key)
    else if (stage.kind === 'items' && stage.fetch.server === key) this.#chooseAnew()
  }
  #forgetAsks(key: IdKey): void {
    if (this.#stage.kind !== 'choosing') this.#stage.fetch.forget(key)
  }
  #chooseAnew(): void {
    this.#stage = { kind: 'choosing' }
    this.#resume = undefined
  }

  answered(key: IdKey, answer: SnapshotAnswer): void {
    const member = this.#members.get(key)
    const ask = member?.asks.shift()
    // One that is out may have more on its way.
    if (member === undefined || ask === undefined) return
    if (answer.kind === 'base') {
      member.offer = this.#isOfUse(answer.offer) ? answer.offer : NOTHING_CUT
      this.#hasWhole ||= member.offer.base === undefined
    } else if (answer.kind === 'items') {
      if (this.#stage.kind === 'items') this.#stage.fetch.came(answer, { member, ask, view: this })
    } else if (this.#stage.kind === 'rows') this.#stage.fetch.came(answer, { member, ask, view: this })
  }

  /** What this node's own base goes before it has. */
  #isOfUse({ base }: BaseOffer): boolean {
    const { above, orSame, orWhole } = this.#options
    if (above === undefined) return true
    if (base === undefined) return orWhole
    return sameBase(base.epoch, above.epoch) ? orSame : compareEpochs(base, above) < 0
  }

  worked(result: WriterResult): void {
    const work = this.#work
    assert(work !== undefined, 'a piece of work is under way')
    this.#work = undefined
    const stage = this.#stage
    if (work.kind === 'begin') this.#resume = undefined
    if (result !== undefined && 'code' in result) return this.#refused(work, result)
    this.#bytes += bytesOf(work)
    if (stage.kind === 'items' && work.kind === 'items') stage.fetch.took(work.items.length)
    else if (stage.kind === 'items' && work.kind === 'end_items') {
      assert(result !== undefined, 'a foundation vouches for a state')
      this.#beginRows(stage.fetch.base, result, undefined)
    } else if (stage.kind === 'rows' && work.kind === 'finish') this.#finish(stage)
  }
  #refused(work: WriterWork, { code, isPending = false }: WriterRefused): void {
    const stage = this.#stage
    if (stage.kind === 'items') {
      // Nothing of it is left, whoever goes on.
      const { server } = stage.fetch
      this.#chooseAnew()
      if (!isPending) return this.bar(server, `foundation_${code}`)
      this.#pending = code
      this.#hasCut = true
      this.gone(server)
    } else if (stage.kind === 'rows') stage.fetch.refused(work, code, this)
  }
  #beginRows(base: IntentionId, target: WriterSnapshot, after: WriterPosition['after']): void {
    const fetch = createRowFetch({ ...this.#options, target, after })
    this.#stage = { kind: 'rows', base, fetch }
  }
  #finish({ base, fetch }: Extract<Stage, { kind: 'rows' }>): void {
    for (const key of fetch.liars()) this.bar(key, 'snapshot_altered')
    this.#isOver = true
    this.#effects.push({ kind: 'done', base })
  }

  tick(): void {
    this.#isWakeDue = false
    if (this.#stage.kind !== 'choosing') return
    for (const member of this.members()) {
      const hasNothing = member.offer !== undefined && !this.#isUsable(member.offer)
      if (hasNothing && member.asks.length === 0) this.ask(member, { kind: 'base' })
    }
  }

  members(): readonly SnapshotMember[] {
    return [...this.#members.values()]
  }
  ask(member: SnapshotMember, request: SnapshotRequest): void {
    member.asks.push({ request, atMs: this.#options.nowMs() })
    this.#effects.push({ kind: 'ask', peer: this.#roster.peerOf(member.key), request })
  }
  /** Also one that is gone meanwhile: what it sent is judged when its turn comes. */
  bar(key: IdKey, why: string): void {
    if (this.#barred.has(key)) return
    this.#effects.push({ kind: 'bar', peer: this.#roster.peerOf(key), why })
    this.broke(key)
  }

  #goOn(): void {
    for (const enlisted of this.#roster.enlist(this.#members.size)) this.#effects.push({ kind: 'connect', ...enlisted })
    for (const member of this.members()) {
      const isAsked = member.asks.some(({ request }) => request.kind === 'base')
      if (member.offer === undefined && !isAsked) this.ask(member, { kind: 'base' })
    }
    if (this.#isDropDue && this.#work === undefined) {
      this.#isDropDue = false
      this.#start({ kind: 'drop' })
    }
    if (this.#stage.kind === 'items' && this.#isCrowdedOut(this.#stage.fetch.server)) this.#chooseAnew()
    if (this.#stage.kind === 'choosing' && this.#work === undefined) this.#choose()
    if (this.#stage.kind === 'rows' && this.#isLeftAlone(this.#stage.fetch)) this.#leaveRows()
    const stage = this.#stage
    if (stage.kind !== 'choosing') {
      stage.fetch.askMore(this)
      if (this.#work === undefined) this.#start(stage.fetch.nextWork(this))
    }
    this.#wakeLater()
    if (this.#work !== undefined || this.#isOver || !this.#isStuck()) return
    if (this.#roster.expected() === 0 || this.#isWhole()) this.#fail()
    else this.#makeRoom()
  }
  #start(work: WriterWork | undefined): void {
    if (work === undefined) return
    this.#work = work
    this.#effects.push({ kind: 'write', work })
  }
  #wakeLater(): void {
    const isAsking = this.members().some(({ asks }) => asks.length > 0)
    if (this.#isWakeDue || !isAsking) return
    this.#isWakeDue = true
    this.#effects.push({ kind: 'wake', afterMs: this.#options.limits.bootstrapOverdueMs / 2 })
  }

  /**
   * Whose foundation to take, once all who are there have said what they serve, or had time to: the base that goes
   * before the others.
   */
  #choose(): void {
    const resume = this.#resume
    if (resume?.snapshot !== undefined) return this.#beginRows(resume.base, resume.snapshot, resume.after)
    if (this.members().some(({ offer, asks }) => offer === undefined && !this.#isOverdue(asks))) return
    const usable = this.members().filter(({ offer }) => offer !== undefined && this.#isUsable(offer))
    const before = resume && usable.find(({ key }) => key === idKey(resume.peer))
    if (before !== undefined && resume !== undefined && sameBase(before.offer?.snapshot?.epoch, resume.base)) {
      this.#stage = { kind: 'items', fetch: createItemFetch(before.key, resume.base, resume.items) }
      return
    }
    // Whose numbering it was may still come, unless others that can be used are in its place.
    const isComing = resume !== undefined && this.#roster.isExpected(idKey(resume.peer))
    if (isComing && (usable.length === 0 || this.#roster.connecting() > 0)) return
    const [server] = usable.toSorted(byBase)
    // What a log begins with is asked for where the state is: a later epoch than that of the cut, or the same.
    const base = server?.offer?.snapshot?.epoch
    if (server === undefined || base === undefined) return
    this.#stage = { kind: 'items', fetch: createItemFetch(server.key, base, 0) }
    this.#start({ kind: 'begin', base, peer: this.#roster.peerOf(server.key) })
  }
  #isUsable({ base, snapshot }: BaseOffer): boolean {
    return snapshot !== undefined && (base !== undefined || this.#options.orWhole)
  }
  #isOverdue(asks: SnapshotMember['asks']): boolean {
    const { nowMs, limits } = this.#options
    return asks.some(({ atMs }) => nowMs() - atMs >= limits.bootstrapOverdueMs)
  }
  /** It was lost, and others are in its place. */
  #isCrowdedOut(key: IdKey): boolean {
    return !this.#members.has(key) && !this.#roster.isConnecting(key)
  }
  #isAwaitingOffers(): boolean {
    return this.members().some(({ offer }) => offer === undefined)
  }

  /** Nobody who is there serves the state any more, or is still to say so; whoever else may has no room. */
  #isLeftAlone(fetch: RowFetch): boolean {
    if (this.#work !== undefined || this.#isAwaitingOffers() || this.#roster.connecting() > 0) return false
    if (fetch.isDropping() || fetch.isAllHere()) return false
    return !this.members().some(({ offer }) => isOf(offer, fetch.target))
  }
  #leaveRows(): void {
    this.#restarts += 1
    if (this.#restarts > SNAPSHOT_RESTARTS_MAX) this.#members.clear()
    this.#chooseAnew()
    this.#choose()
  }
  /** Nobody who is there has anything to begin with. */
  #isStuck(): boolean {
    if (this.#roster.connecting() > 0 || this.#isAwaitingOffers()) return false
    return this.#stage.kind === 'choosing'
  }
  #isWhole(): boolean {
    return this.#hasWhole && !this.#hasCut && this.members().every(({ offer }) => offer?.base === undefined)
  }
  /** For those who wait for it. */
  #makeRoom(): void {
    this.#hasCut ||= this.members().some(({ offer }) => offer?.base !== undefined)
    for (const { key } of this.members()) this.gone(key)
    this.#goOn()
  }
  #fail(): void {
    this.#isOver = true
    if (this.#isWhole()) this.#effects.push({ kind: 'unpruned' })
    else
      this.#effects.push({
        kind: 'failed',
        why: this.#pending ?? (this.#hasCut || this.#members.size > 0 ? 'no_state_is_served' : undefined),
      })
  }
}

/** What nobody has cut comes last. */
function byBase({ offer: a }: SnapshotMember, { offer: b }: SnapshotMember): number {
  if (a?.base === undefined || b?.base === undefined)
    return Number(a?.base === undefined) - Number(b?.base === undefined)
  return compareEpochs(a.base, b.base)
}

function bytesOf(work: WriterWork): number {
  if (work.kind === 'items') return work.items.reduce((sum, item) => sum + item.length, 0)
  return work.kind === 'rows' ? work.rows.reduce((sum, { key, value }) => sum + key.length + value.length, 0) : 0
}
