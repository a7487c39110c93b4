/**
 * Answers one message: walks its ranges in order beside the own index and writes the reply.
 *
 * A pass keeps nothing from earlier messages. What it reports and what it writes are bounded by the frame limit and the
 * id budget, whatever the message claims, and a range that does not fit is asked for again rather than dropped.
 *
 * @module
 */
import { assert, equalBytes, HASH_BYTES } from '@lattice/model'
import { EMPTY_ACCUMULATOR, type Fingerprint, fingerprintOf } from './accumulator.ts'
import { type Bound, boundAt, FIRST_BOUND, type Id, INFINITY_BOUND } from './item.ts'
import { listDifference } from './list-difference.ts'
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

export interface PassOutcome {
  readonly reply: Uint8Array
  readonly have: readonly Id[]
  readonly need: readonly Id[]
}

/** Room kept at the end of a frame: the end of an id list, one skip and the closing fingerprint. */
const FRAME_MARGIN_BYTES = 200
const EMPTY_FINGERPRINT: Fingerprint = fingerprintOf(EMPTY_ACCUMULATOR)

/** The answer to one message. */
export class ReconcilePass {
  readonly #context: PassContext
  readonly #size: number
  readonly #softMax: number
  readonly #out: MessageWriter = createMessageWriter()
  readonly #have: Id[] = []
  readonly #need: Id[] = []
  #idBudget: number
  #full = false
  #skipPending = false
  // Where the last range ended. Its rank is looked up when a range needs it: skips cost nothing.
  #lastBound: Bound = FIRST_BOUND
  #lastRank: number | undefined = 0

  constructor(context: PassContext) {
    this.#context = context
    this.#size = context.index.size()
    this.#softMax = context.frameBytesMax - FRAME_MARGIN_BYTES
    this.#idBudget = context.idsPerMessageMax
  }

  /** Handles the next range; does nothing once the reply is full. */
  take(wire: WireRange): void {
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
    else if (this.#context.role === 'initiator') this.#learnFrom(range, wire.ids)
    else this.#answerList(range)
    this.#lastBound = wire.bound
    this.#lastRank = range.end
  }

  finish(): PassOutcome {
    assert(this.#out.length() <= this.#context.frameBytesMax, 'a reply fits the frame limit')
    return { reply: this.#out.finish(), have: this.#have, need: this.#need }
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
  #learnFrom(range: OwnRange, ids: Uint8Array): void {
    const { index, idsPerMessageMax } = this.#context
    const count = range.end - range.begin
    if (count > this.#idBudget) {
      this.#writeOrClose(() => askAgain(this.#out, index, { range, itemsMax: idsPerMessageMax }), range.begin)
      return
    }
    this.#idBudget -= count
    this.#skipPending = true
    const difference = listDifference(index.items(range.begin, range.end), ids)
    for (const id of difference.have) this.#have.push(id)
    for (const id of difference.need) this.#need.push(id)
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
