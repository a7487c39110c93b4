/**
 * Answers one message: walks its ranges in order beside the own index and writes the reply.
 *
 * A pass keeps nothing from earlier messages. What it reports and what it writes are bounded by the frame limit and the
 * id budget, whatever the message claims, and a range that does not fit is asked for again rather than dropped.
 *
 * @module
 */
import { assert, equalBytes, HASH_BYTES, idKey, type IdKey, toHash } from '@lattice/model'
import { EMPTY_ACCUMULATOR, type Fingerprint, fingerprintOf } from './accumulator.ts'
import { type Bound, boundAt, FIRST_BOUND, type Id, INFINITY_BOUND } from './item.ts'
import type { WireRange } from './message-reader.ts'
import { createMessageWriter } from './message-writer.ts'
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

export interface ReconcilePass {
  /** Handles the next range; does nothing once the reply is full. */
  readonly take: (range: WireRange) => void
  readonly finish: () => PassOutcome
}

/** Room kept at the end of a frame: the end of an id list, one skip and the closing fingerprint. */
const FRAME_MARGIN_BYTES = 200
const EMPTY_FINGERPRINT: Fingerprint = fingerprintOf(EMPTY_ACCUMULATOR)

/** Starts the answer to one message. */
export function createPass({ index, role, frameBytesMax, idsPerMessageMax }: PassContext): ReconcilePass {
  const size = index.size()
  const out = createMessageWriter()
  const softMax = frameBytesMax - FRAME_MARGIN_BYTES
  const have: Id[] = []
  const need: Id[] = []
  let idBudget = idsPerMessageMax
  let full = false
  // Where the last range ended. Its rank is looked up when a range needs it: skips cost nothing.
  let lastBound = FIRST_BOUND
  let lastRank: number | undefined = 0
  let skipPending = false

  function rankOf(bound: Bound): number {
    return bound.timestamp === Infinity ? size : index.lowerBound(bound)
  }

  function ownFingerprint(begin: number, end: number): Fingerprint {
    return begin === end ? EMPTY_FINGERPRINT : fingerprintOf(index.accumulate(begin, end))
  }

  function flushSkip(): void {
    if (skipPending) out.skip(lastBound)
    skipPending = false
  }

  /** Closes a full reply: everything from rank `begin` on is asked about in the next round. */
  function closeWith(begin: number): void {
    out.fingerprint(INFINITY_BOUND, ownFingerprint(begin, size))
    full = true
  }

  function takeFingerprint(range: OwnRange, theirs: Fingerprint): void {
    if (equalBytes(theirs, ownFingerprint(range.begin, range.end))) {
      skipPending = true
      return
    }
    const mark = out.mark()
    flushSkip()
    splitRange(out, index, range)
    if (out.length() <= softMax) return
    // The closing fingerprint stands for all behind the last range sent, this one included. Like other implementations
    // it sums from behind this range: that cannot match while the peer has items in here, and so asks again. Only a
    // peer with none could take it for equality; for it the sum starts at the range itself.
    out.rollback(mark)
    closeWith(equalBytes(theirs, EMPTY_FINGERPRINT) ? range.begin : range.end)
  }

  /** Initiator: the peer's whole list for a range decides it. */
  function learnFrom(range: OwnRange, ids: Uint8Array): void {
    const count = range.end - range.begin
    if (count > idBudget) {
      const mark = out.mark()
      flushSkip()
      askAgain(out, index, { range, itemsMax: idsPerMessageMax })
      if (out.length() <= softMax) return
      out.rollback(mark)
      closeWith(range.begin)
      return
    }
    idBudget -= count
    skipPending = true
    const theirs = new Map<IdKey, number>()
    for (let offset = 0; offset < ids.length; offset += HASH_BYTES) {
      const key = idKey(ids.subarray(offset, offset + HASH_BYTES))
      if (!theirs.has(key)) theirs.set(key, offset)
    }
    for (const item of index.items(range.begin, range.end)) {
      if (!theirs.delete(idKey(item.id))) have.push(item.id)
    }
    // Copies: the message belongs to the caller.
    for (const offset of theirs.values()) need.push(toHash(ids.slice(offset, offset + HASH_BYTES)))
  }

  /** Responder: answers a list with the own list, as much of it as fits. */
  function answerList(range: OwnRange): void {
    const fitting = Math.floor((softMax - out.length()) / HASH_BYTES) + 1
    const end = Math.min(range.end, range.begin + fitting)
    flushSkip()
    const bound = end === range.end ? range.bound : boundAt(index.at(end))
    out.idList(bound, end - range.begin, index.items(range.begin, end))
    if (out.length() > softMax) closeWith(end)
    assert(full || end === range.end, 'a shortened list fills the frame')
  }

  function take(wire: WireRange): void {
    if (full) return
    if (wire.mode === 'skip') {
      skipPending = true
      lastBound = wire.bound
      lastRank = undefined
      return
    }
    const begin = lastRank ?? rankOf(lastBound)
    const range: OwnRange = { begin, end: rankOf(wire.bound), bound: wire.bound }
    assert(range.begin <= range.end, 'ranks ascend with bounds')
    if (wire.mode === 'fingerprint') takeFingerprint(range, wire.fingerprint)
    else if (role === 'initiator') learnFrom(range, wire.ids)
    else answerList(range)
    lastBound = wire.bound
    lastRank = range.end
  }

  return {
    take,
    finish: () => {
      assert(out.length() <= frameBytesMax, 'a reply fits the frame limit')
      return { reply: out.finish(), have, need }
    },
  }
}
