import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { equalBytes } from '@lattice/model'
import { EMPTY_ACCUMULATOR, FINGERPRINT_BYTES, fingerprintOf } from '../src/accumulator.ts'
import { MAX_MESSAGE_BYTES } from '../src/index.ts'
import {
  drawSets,
  idSet,
  minus,
  ourSide,
  ROUNDS_MAX,
  type SetsOptions,
  runSession,
  type Side,
  type SideStep,
  theirResponder,
  theirSide,
} from './oracle.ts'

// The library's varints hold 31 bits, so timestamps stay below; larger ones are in reconciler.test.ts.
const sets: fc.Arbitrary<SetsOptions> = fc.record({
  seed: fc.nat(),
  shared: fc.nat({ max: 600 }),
  onlyA: fc.oneof(fc.nat({ max: 3 }), fc.nat({ max: 300 })),
  onlyB: fc.oneof(fc.nat({ max: 3 }), fc.nat({ max: 300 })),
  timestamps: fc.constantFrom(1, 2, 40, 2 ** 31 - 1),
})
const frames = fc.constantFrom(4096, 4400, 6000, MAX_MESSAGE_BYTES)

/** Equality that names the first differing byte rather than printing megabytes. `free` bytes at the end may differ. */
function expectSameBytes(ours: Uint8Array | undefined, theirs: Uint8Array | undefined, free = 0): void {
  const compared = ours?.subarray(0, ours.length - free)
  const differsAt = compared?.findIndex((byte, offset) => byte !== theirs?.[offset])
  expect({ length: ours?.length, differsAt }).toEqual({ length: theirs?.length, differsAt: ours && -1 })
}

/**
 * Bytes at the end of an answer to `message` in which we differ on purpose: asked about a range in which the peer has
 * nothing, with an answer that does not fit, our closing fingerprint sums from where that range begins. Theirs sums from
 * behind it, which such a peer can take for equality.
 */
function freeBytes(message: Uint8Array): number {
  const closing = message.subarray(-FINGERPRINT_BYTES)
  return equalBytes(closing, fingerprintOf(EMPTY_ACCUMULATOR)) ? FINGERPRINT_BYTES : 0
}

/** Both implementations on both sides: every message and every report must be the same. */
function compareSession(initiators: readonly [Side, Side], responders: readonly [Side, Side]): void {
  const [ours, theirs] = initiators
  let message = ours.start()
  expectSameBytes(message, theirs.start())
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const [reply, expectedReply] = responders.map((side) => side.receive(message).reply)
    expectSameBytes(reply, expectedReply, freeBytes(message))
    const step = ours.receive(reply ?? new Uint8Array(0))
    const expected = theirs.receive(reply ?? new Uint8Array(0))
    expect(step.have).toEqual(expected.have)
    expect(step.need).toEqual(expected.need)
    expectSameBytes(step.reply, expected.reply, freeBytes(reply ?? new Uint8Array(0)))
    if (step.reply === undefined) return
    message = step.reply
  }
  throw new Error('a session between honest peers ends')
}

describe('against an independent implementation', () => {
  test('every message and report of both roles is the same, with and without frame limits', () => {
    fc.assert(
      fc.property(sets, frames, frames, (options, frameA, frameB) => {
        const { a, b } = drawSets(options)
        compareSession(
          [ourSide('initiator', a, { frameBytesMax: frameA }), theirSide(a, frameA)],
          [ourSide('responder', b, { frameBytesMax: frameB }), theirResponder(b, frameB)],
        )
      }),
      { numRuns: 150 },
    )
  })

  test('an answer that does not fit is closed so that a peer with nothing in the range asks on', () => {
    const { a, b } = drawSets({ seed: 2090644821, shared: 444, onlyA: 5, onlyB: 123, timestamps: 1 })
    compareSession(
      [ourSide('initiator', a, { frameBytesMax: 6000 }), theirSide(a, 6000)],
      [ourSide('responder', b, { frameBytesMax: 6000 }), theirResponder(b, 6000)],
    )
  })

  test.for([4096, MAX_MESSAGE_BYTES])(
    'every message is the same for thousands of differences, frames of %i',
    (frame) => {
      const { a, b } = drawSets({ seed: 7, shared: 4000, onlyA: 1500, onlyB: 1500, timestamps: 100_000 })
      compareSession(
        [ourSide('initiator', a, { frameBytesMax: frame }), theirSide(a, frame)],
        [ourSide('responder', b, { frameBytesMax: frame }), theirResponder(b, frame)],
      )
    },
  )

  test('a first message that is finer towards the end is answered alike, and leads to the exact difference', () => {
    fc.assert(
      fc.property(sets, frames, frames, (options, frameA, frameB) => {
        const { a, b } = drawSets(options)
        const initiator = ourSide('initiator', a, { frameBytesMax: frameA, split: 'recent' })
        const ours = ourSide('responder', b, { frameBytesMax: frameB })
        const theirs = theirResponder(b, frameB)
        const answer = (message: Uint8Array): SideStep => {
          const step = ours.receive(message)
          expectSameBytes(step.reply, theirs.receive(message).reply, freeBytes(message))
          return step
        }
        const report = runSession(initiator, { ...ours, receive: answer })
        expect([...report.have].sort()).toEqual(minus(idSet(a), idSet(b)))
        expect([...report.need].sort()).toEqual(minus(idSet(b), idSet(a)))
        const unmodified = runSession(
          ourSide('initiator', a, { frameBytesMax: frameA, split: 'recent' }),
          theirSide(b, frameB),
        )
        expect([...new Set([...unmodified.have, ...unmodified.responderNeed])].sort()).toEqual(
          minus(idSet(a), idSet(b)),
        )
        expect([...new Set([...unmodified.need, ...unmodified.responderHave])].sort()).toEqual(
          minus(idSet(b), idSet(a)),
        )
      }),
      { numRuns: 40 },
    )
  })

  test('our initiator and their unmodified responder find the exact difference between them', () => {
    fc.assert(
      fc.property(sets, frames, frames, (options, frameA, frameB) => {
        const { a, b } = drawSets(options)
        const report = runSession(ourSide('initiator', a, { frameBytesMax: frameA }), theirSide(b, frameB))
        // Their responder learns from our lists and does not answer them, so either side reports each range.
        expect([...new Set([...report.have, ...report.responderNeed])].sort()).toEqual(minus(idSet(a), idSet(b)))
        expect([...new Set([...report.need, ...report.responderHave])].sort()).toEqual(minus(idSet(b), idSet(a)))
      }),
      { numRuns: 60 },
    )
  })

  test('their unmodified initiator learns the exact difference from our responder', () => {
    fc.assert(
      fc.property(sets, frames, frames, (options, frameA, frameB) => {
        const { a, b } = drawSets(options)
        const report = runSession(theirSide(a, frameA), ourSide('responder', b, { frameBytesMax: frameB }))
        expect([...report.have].sort()).toEqual(minus(idSet(a), idSet(b)))
        expect([...report.need].sort()).toEqual(minus(idSet(b), idSet(a)))
      }),
      { numRuns: 60 },
    )
  })
})
