/**
 * Answers one message: walks its ranges in order beside the own index and writes the reply.
 *
 * A pass keeps nothing from earlier messages. What it reports and what it writes are bounded by the frame limit and the
 * id budget, whatever the message claims, and a range that does not fit is asked for again rather than dropped.
 *
 * It may pause between two ranges, and within a long list of own items; the index may change meanwhile. So what it keeps
 * over a pause are bounds, never ranks.
 *
 * @module
 */
import { assert, equalBytes, HASH_BYTES } from '@lattice/model'
import { EMPTY_ACCUMULATOR, type Fingerprint, fingerprintOf } from './accumulator.ts'
import { type CountedIndex, countWork, ITEMS_PER_WORK } from './counted-index.ts'
import { type Bound, boundAt, FIRST_BOUND, type Id, INFINITY_BOUND } from './item.ts'
import { createListDifference, type ListDifference } from './list-difference.ts'
import type { WireRange } from './message-reader.ts'
import { createMessageWriter, type MessageWriter } from './message-writer.ts'
import type { RangeIndex } from './range-index.ts'
import { askAgain, type OwnRange, splitRange } from './split-range.ts'

/** The side that starts and learns the difference, or the side that answers. */
export type Role = 'initiator' | 'responder'

/** What stays the same over a session. */
export interface PassContext {
  readonly index: RangeIndex
  readonly role: Role
  readonly frameBytesMax: number
  readonly idsPerMessageMax: number
}

/** Ids that turned out to differ. */
export interface FoundIds {
  readonly have: readonly Id[]
  readonly need: readonly Id[]
}

/** A range of own items that is being compared with the peer's list. */
interface Comparison {
  readonly list: ListDifference
  /** Where it goes on. */
  readonly from: Bound
  readonly bound: Bound
}

/** Room kept at the end of a frame: the end of an id list, one skip and the closing fingerprint. */
const FRAME_MARGIN_BYTES = 200
/** Ranges of a message that are read for the price of one question to the index. */
const RANGES_PER_WORK = 16
const EMPTY_FINGERPRINT: Fingerprint = fingerprintOf(EMPTY_ACCUMULATOR)

/** The answer to one message. */
export class ReconcilePass {
  readonly #context: PassContext
  readonly #counted: CountedIndex
  readonly #softMax: number
  readonly #out: MessageWriter = createMessageWriter()
  #size: number
  #work = 0
  #have: Id[] = []
  #need: Id[] = []
  #comparison: Comparison | undefined
  #idBudget: number
  #full = false
  #skipPending = false
  // Where the last range ended. Its rank is looked up when a range needs it: skips cost nothing.
  #lastBound: Bound = FIRST_BOUND
  #lastRank: number | undefined = 0

  constructor(context: PassContext) {
    this.#counted = countWork(context.index)
    this.#context = { ...context, index: this.#counted.index }
    this.#size = context.index.size()
    this.#softMax = context.frameBytesMax - FRAME_MARGIN_BYTES
    this.#idBudget = context.idsPerMessageMax
  }

  /** What was done so far: questions to the index, or as much. */
  get work(): number {
    return this.#work + this.#counted.work()
  }

  /** True while own items are left to compare with the peer's list: no range is taken until there are none. */
  get isComparing(): boolean {
    return this.#comparison !== undefined
  }

  /** After a pause: the index may be another. */
  resume(): void {
    this.#size = this.#context.index.size()
    this.#lastRank = undefined
  }

  /** Handles the next range, or begins to; does nothing once the reply is full. */
  take(wire: WireRange): void {
    assert(this.#comparison === undefined, 'ranges are taken one after the other')
    this.#work += 1 / RANGES_PER_WORK
    if (this.#full) return
    if (wire.mode === 'skip') {
      this.#skipPending = true
      this.#lastBound = wire.bound
      this.#lastRank = undefined
      return
    }
    const begin = this.#lastRank ?? this.#rankOf(this.#lastBound)
    const range: OwnRange = { begin, end: this.#rankOf(wire.bound), bound: wire.bound }
    assert(range.begin <= range.end, 'ranks ascend with bounds')
    if (wire.mode === 'fingerprint') this.#takeFingerprint(range, wire.fingerprint)
    else if (this.#context.role === 'initiator') this.#learnFrom(range, { from: this.#lastBound, ids: wire.ids })
    else this.#answerList(range)
    this.#lastBound = wire.bound
    this.#lastRank = range.end
  }

  /** Goes on with the list at hand, for as many own items as cost `workMax` or so; at least one. */
  compare(workMax: number): void {
    assert(this.#comparison !== undefined, 'a list is at hand')
    const { list, from, bound } = this.#comparison
    const { index } = this.#context
    const [begin, end] = [this.#rankOf(from), this.#rankOf(bound)]
    const pauseAt = Math.min(end, begin + Math.max(1, workMax * ITEMS_PER_WORK))
    for (const id of list.take(index.items(begin, pauseAt))) this.#have.push(id)
    if (pauseAt < end) {
      this.#comparison = { list, bound, from: boundAt(index.at(pauseAt)) }
      return
    }
    this.#comparison = undefined
    for (const id of list.rest()) this.#need.push(id)
  }

  /** What was found since this was last asked. */
  found(): FoundIds {
    const found = { have: this.#have, need: this.#need }
    this.#have = []
    this.#need = []
    return found
  }

  reply(): Uint8Array {
    assert(this.#comparison === undefined, 'a reply follows the last range')
    assert(this.#out.length() <= this.#context.frameBytesMax, 'a reply fits the frame limit')
    return this.#out.finish()
  }

  #takeFingerprint(range: OwnRange, theirs: Fingerprint): void {
    if (equalBytes(theirs, this.#ownFingerprint(range.begin, range.end))) {
      this.#skipPending = true
      return
    }
    // When the split does not fit, the closing fingerprint stands for all behind the last range sent, this one
    // included. Like other implementations it sums from behind this range: that cannot match while the peer has items
    // in here, and so asks again. Only a peer with none could take it for equality; for it the sum starts here.
    const resumeAt = equalBytes(theirs, EMPTY_FINGERPRINT) ? range.begin : range.end
    this.#writeOrClose(() => splitRange(this.#out, this.#context.index, range), resumeAt)
  }

  /** Initiator: the peer's whole list for a range decides it, within the budget of own ids to look at. */
  #learnFrom(range: OwnRange, { from, ids }: { readonly from: Bound; readonly ids: Uint8Array }): void {
    const { index, idsPerMessageMax } = this.#context
    const count = range.end - range.begin
    if (count > this.#idBudget) {
      this.#writeOrClose(() => askAgain(this.#out, index, { range, itemsMax: idsPerMessageMax }), range.begin)
      return
    }
    this.#idBudget -= count
    this.#skipPending = true
    this.#work += ids.length / HASH_BYTES / ITEMS_PER_WORK
    this.#comparison = { list: createListDifference(ids), from, bound: range.bound }
  }

  /** Responder: answers a list with the own list, as much of it as fits. */
  #answerList(range: OwnRange): void {
    const { index } = this.#context
    const fitting = Math.floor((this.#softMax - this.#out.length()) / HASH_BYTES) + 1
    const end = Math.min(range.end, range.begin + fitting)
    this.#flushSkip()
    const bound = end === range.end ? range.bound : boundAt(index.at(end))
    this.#out.idList(bound, end - range.begin, index.items(range.begin, end))
    if (this.#out.length() > this.#softMax) this.#closeWith(end)
    assert(this.#full || end === range.end, 'a shortened list fills the frame')
  }

  /** Writes a range's answer, or takes it back and closes the reply when it does not fit. */
  #writeOrClose(write: () => void, resumeAt: number): void {
    const mark = this.#out.mark()
    this.#flushSkip()
    write()
    if (this.#out.length() <= this.#softMax) return
    this.#out.rollback(mark)
    this.#closeWith(resumeAt)
  }

  /** Closes a full reply: everything from rank `begin` on is asked about in the next round. */
  #closeWith(begin: number): void {
    this.#out.fingerprint(INFINITY_BOUND, this.#ownFingerprint(begin, this.#size))
    this.#full = true
  }

  #flushSkip(): void {
    if (this.#skipPending) this.#out.skip(this.#lastBound)
    this.#skipPending = false
  }

  #rankOf(bound: Bound): number {
    return bound.timestamp === Infinity ? this.#size : this.#context.index.lowerBound(bound)
  }

  #ownFingerprint(begin: number, end: number): Fingerprint {
    return begin === end ? EMPTY_FINGERPRINT : fingerprintOf(this.#context.index.accumulate(begin, end))
  }
}
