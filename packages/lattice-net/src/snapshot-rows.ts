/**
 * The rows of a state, from all who serve it.
 *
 * With one peer they come page after page. With several, one of them outlines where the next pages end, and each is asked of
 * whoever is free; one that takes too long is asked of another as well. What several sent and does not come to the root is
 * fetched once more from one alone.
 *
 * @module
 */
import { assert, type Crypto, type IdKey } from '@lattice/model'
import type { RowPlace, WriterSnapshot } from '@lattice/net-types'
import { BOOTSTRAP_HELD_BYTES, type NetworkLimits, OUTLINE_PAGES, SNAPSHOT_REQUESTS_OPEN } from './limits.ts'
import { comparePlaces } from './row-places.ts'
import { createRowTrace, type RowTrace } from './row-trace.ts'
import { createRowWindow, type RowWindow, type Stretch } from './row-window.ts'
import type { RowsRequest, SnapshotAnswer, SnapshotRequest } from './snapshot-client.ts'
import type { WriterWork } from './snapshot-effect.ts'
import { type Came, type FetchView, isOf, type OpenAsk, type SnapshotMember } from './snapshot-member.ts'

/** Stretches left to ask for below which the next outline is asked for. */
const STRETCHES_LOW = OUTLINE_PAGES / 4

export interface RowFetchOptions {
  readonly crypto: Crypto
  readonly target: WriterSnapshot
  /** The last row that is here already. */
  readonly after: RowPlace | undefined
  readonly nowMs: () => number
  readonly limits: Pick<NetworkLimits, 'bootstrapOverdueMs'>
}

export interface RowFetch {
  readonly target: WriterSnapshot
  readonly came: (answer: Extract<SnapshotAnswer, { kind: 'rows' | 'outline' }>, came: Came) => void
  readonly refused: (work: WriterWork, code: string, view: FetchView) => void
  readonly askMore: (view: FetchView) => void
  readonly nextWork: (view: FetchView) => WriterWork | undefined
  readonly forget: (peer: IdKey) => void
  /** The peer sent what it should not have: what else it sent is not to stay. */
  readonly purge: (peer: IdKey) => void
  /** Nothing more is needed from anybody. */
  readonly isAllHere: () => boolean
  /** What is here is to be dropped first. */
  readonly isDropping: () => boolean
  /** Who sent rows that turned out to be wrong. */
  readonly liars: () => ReadonlySet<IdKey>
  readonly progress: (offered: number) => { readonly done: number; readonly total: number }
}

export function createRowFetch(options: RowFetchOptions): RowFetch {
  return new Rows(options)
}

class Rows implements RowFetch {
  readonly target: WriterSnapshot
  readonly #options: RowFetchOptions
  readonly #asked = new Map<RowsRequest, Stretch>()
  #window: RowWindow
  #trace: RowTrace
  /** What several sent, and came to another root. */
  #doubted: RowTrace | undefined
  #doubtedFrom: RowPlace | undefined
  /** From whom alone the rows are taken then. */
  #sole: IdKey | undefined
  /** Up to here are rows of somebody unknown: they were taken in before a restart. */
  #begunWith: RowPlace | undefined
  #isDropDue = false
  #isOutlining = false
  #lastSender: IdKey | undefined
  #done = 0

  constructor(options: RowFetchOptions) {
    this.#options = options
    this.target = options.target
    this.#window = createRowWindow(options.after)
    this.#trace = createRowTrace(options.crypto)
    this.#begunWith = options.after
  }

  progress(offered: number): { readonly done: number; readonly total: number } {
    return { done: this.#done, total: Math.max(this.#done, offered) }
  }
  isAllHere(): boolean {
    return this.#window.rest() === undefined && this.#window.openCount() === 0 && !this.#isDropDue
  }
  isDropping(): boolean {
    return this.#isDropDue
  }
  liars(): ReadonlySet<IdKey> {
    return this.#doubted?.differing(this.#trace) ?? new Set()
  }

  came(answer: Parameters<RowFetch['came']>[0], { member, ask, view }: Came): void {
    const { request } = ask
    if (answer.kind === 'outline') {
      this.#isOutlining = false
      if (request.kind === 'outline') this.#plan(answer.ends, request.after)
      return
    }
    assert(request.kind === 'rows', 'rows answer a request for rows')
    const stretch = this.#asked.get(request)
    this.#asked.delete(request)
    // It was begun anew, or another peer was faster.
    if (stretch === undefined || stretch.isWhole || !samePlace(stretch.next, request.after)) return
    stretch.askedOf.delete(member.key)
    if (stretch.through !== undefined && !answer.isLast && isAt(answer.rows.at(-1), stretch.through)) {
      return view.bar(member.key, 'snapshot_page_without_end')
    }
    this.#window.came(stretch, { rows: answer.rows, from: member.key, isLast: answer.isLast })
  }
  #plan(ends: readonly RowPlace[], after: RowPlace | undefined): void {
    const rest = this.#window.rest()
    if (rest === undefined || !samePlace(rest.after, after)) return
    this.#window.plan(ends, ends.length < OUTLINE_PAGES)
  }

  refused(work: WriterWork, code: string, view: FetchView): void {
    const [only, ...others] = this.#trace.senders()
    const isOnly = others.length === 0 && this.#begunWith === undefined
    if (work.kind === 'finish' && !isOnly) {
      // Somebody of several sent what is wrong: all of it comes once more, from one.
      this.#doubted = this.#trace
      this.#doubtedFrom = this.#begunWith
    }
    this.#again()
    // A page that is not taken is of who sent it; the root is of all of them, where one sent them all.
    const guilty = work.kind === 'finish' && isOnly ? only : work.kind === 'rows' ? this.#lastSender : undefined
    if (guilty !== undefined) view.bar(guilty, `snapshot_${code}`)
  }

  /** From the first row on; at the same places, where somebody is looked for who sent other rows. */
  #again(): void {
    this.#sole = undefined
    this.#window = createRowWindow(undefined)
    this.#trace = createRowTrace(this.#options.crypto)
    const ends = [...(this.#doubtedFrom === undefined ? [] : [this.#doubtedFrom]), ...(this.#doubted?.ends() ?? [])]
    if (ends.length > 0) this.#window.plan(ends, false)
    this.#asked.clear()
    this.#begunWith = undefined
    this.#isOutlining = false
    this.#isDropDue = true
    this.#done = 0
  }

  askMore(view: FetchView): void {
    const usable = this.#usable(view)
    if (this.#isDropDue) return
    for (const member of usable) {
      while (member.asks.length < SNAPSHOT_REQUESTS_OPEN) {
        const request = this.#wanted(member, usable)
        if (request === undefined) break
        view.ask(member, request)
      }
    }
  }
  /** Whom to ask: all who serve the state, or, where something was wrong, one of them from the first row to the last. */
  #usable(view: FetchView): readonly SnapshotMember[] {
    const usable = view.members().filter(({ offer }) => isOf(offer, this.target))
    if (this.#doubted === undefined) return usable
    const sole = usable.find(({ key }) => key === this.#sole)
    if (sole !== undefined) return [sole]
    const [next] = usable
    if (next === undefined) return []
    // What another began alone tells nothing of who comes after it.
    if (this.#sole !== undefined) this.#again()
    this.#sole = next.key
    return [next]
  }

  #wanted(member: SnapshotMember, usable: readonly SnapshotMember[]): SnapshotRequest | undefined {
    const window = this.#window
    const isFull = window.heldBytes() > BOOTSTRAP_HELD_BYTES / 2
    const rest = window.rest()
    const isLow = window.openCount() < STRETCHES_LOW
    if (rest !== undefined && usable.length === 1 && window.openCount() === 0 && !this.#isOutlining) window.takeRest()
    else if (rest !== undefined && usable.length > 1 && isLow && !this.#isOutlining && !isFull) {
      this.#isOutlining = true
      return { kind: 'outline', target: this.target, after: rest.after }
    }
    const stretch = window.pick((each) => this.#isOverdue(each, usable) && !each.askedOf.has(member.key))
    if (stretch === undefined || (isFull && !window.isFront(stretch))) return undefined
    stretch.askedOf.add(member.key)
    const request: RowsRequest = {
      kind: 'rows',
      target: this.target,
      after: stretch.next,
      through: stretch.through,
    }
    this.#asked.set(request, stretch)
    return request
  }
  /** All whom a stretch is asked of have had long enough. */
  #isOverdue(stretch: Stretch, usable: readonly SnapshotMember[]): boolean {
    const { nowMs, limits } = this.#options
    const asks = usable.flatMap(({ asks: open }) => open.filter((ask) => this.#isOf(ask, stretch)))
    return asks.every(({ atMs }) => nowMs() - atMs >= limits.bootstrapOverdueMs)
  }
  #isOf({ request }: OpenAsk, stretch: Stretch): boolean {
    return request.kind === 'rows' && this.#asked.get(request) === stretch
  }

  nextWork(): WriterWork | undefined {
    if (this.#isDropDue) {
      this.#isDropDue = false
      return { kind: 'drop_rows' }
    }
    for (let page = this.#window.take(); page !== undefined; page = this.#window.take()) {
      this.#trace.note(page)
      // The end of a stretch may bring none.
      if (page.rows.length === 0) continue
      this.#lastSender = page.from
      this.#done += page.rows.length
      return { kind: 'rows', rows: page.rows }
    }
    return this.#window.isDone() ? { kind: 'finish' } : undefined
  }

  purge(peer: IdKey): void {
    if (this.#trace.senders().has(peer) || this.#window.hasFrom(peer)) this.#again()
  }
  forget(peer: IdKey): void {
    this.#window.forget(peer)
    // Whoever was to outline it may be the one.
    this.#isOutlining = false
  }
}

function samePlace(a: RowPlace | undefined, b: RowPlace | undefined): boolean {
  return a === undefined || b === undefined ? a === b : comparePlaces(a, b) === 0
}

function isAt(row: RowPlace | undefined, place: RowPlace): boolean {
  return row !== undefined && comparePlaces(row, place) === 0
}
