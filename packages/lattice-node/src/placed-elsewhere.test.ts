import type { FloatingIntention } from '@lattice/kernel'
import {
  type Intention,
  type IntentionId,
  NO_HINTS,
  type PublicKey,
  toHash,
  toIntentionId,
  toPublicKey,
} from '@lattice/model'
import { expect, test } from 'vitest'
import { placedElsewhere } from './placed-elsewhere.ts'

const idOf = (byte: number): IntentionId => toIntentionId(toHash(new Uint8Array(32).fill(byte)))
const keyOf = (byte: number): PublicKey => toPublicKey(new Uint8Array(32).fill(byte))
const [liar, anna, bert, cleo] = [keyOf(1), keyOf(2), keyOf(3), keyOf(4)]

/** One that cites these, and lacks those. */
function floats(
  id: number,
  author: PublicKey,
  cites: readonly number[],
  lacks: readonly number[] = [],
): FloatingIntention {
  const intention: Intention = {
    author,
    timestamp: { wall: id, counter: 0 },
    storePrev: idOf(cites[0] ?? 0),
    causalDeps: cites.map(idOf),
    hints: NO_HINTS,
    ops: new Uint8Array(0),
  }
  const none = new Uint8Array(0)
  const parsed = { id: idOf(id), intention, op: { kind: 'unknown' } as const, bytes: none, signature: none }
  return { parsed, reason: 'missing_causes', missing: lacks.map(idOf) }
}

const root = floats(10, liar, [9], [9])
const asked = (floating: readonly FloatingIntention[], writers = [liar, anna, bert]): readonly IntentionId[] =>
  placedElsewhere(floating, { by: anna, writers })

test('what two of those that write built upon has a place, which the peer knows if it is one of them', () => {
  expect(asked([root, floats(11, anna, [10]), floats(12, bert, [10])])).toEqual([idOf(9)])
  expect(asked([floats(12, bert, [11]), floats(11, anna, [10]), root])).toEqual([idOf(9)])
  expect(asked([root, floats(11, cleo, [10]), floats(12, anna, [11]), floats(13, bert, [11])])).toEqual([idOf(9)])
  expect(
    placedElsewhere([root, floats(11, anna, [10]), floats(12, bert, [10])], { by: cleo, writers: [anna, bert, cleo] }),
  ).toEqual([])
})

test('so it has where they built upon what lacks it in several ways, or lack it themselves', () => {
  expect(asked([root, floats(11, anna, [9], [9]), floats(12, bert, [10])])).toEqual([idOf(9)])
  expect(asked([root, floats(11, bert, [9], [9]), floats(12, anna, [9], [9])])).toEqual([idOf(9)])
  expect(asked([floats(11, bert, [9], [9]), floats(12, anna, [9], [9])])).toEqual([])
  expect(asked([floats(11, bert, [9], [9]), floats(12, anna, [9], [9])], [anna, bert])).toEqual([idOf(9)])
})

test('the word of one, of its author, or of who does not write, shows nothing', () => {
  expect(asked([root])).toEqual([])
  expect(asked([root, floats(11, anna, [10]), floats(12, anna, [11])])).toEqual([])
  expect(asked([root, floats(11, liar, [10]), floats(12, anna, [11])])).toEqual([])
  expect(asked([root, floats(11, anna, [10]), floats(12, cleo, [10])])).toEqual([])
  expect(asked([root, floats(11, anna, [8]), floats(12, bert, [8])])).toEqual([])
})

test('where there is only one other that writes, its word is enough, unless it is the author', () => {
  const built = [root, floats(11, anna, [10])]
  expect(asked(built, [anna])).toEqual([idOf(9)])
  expect(asked(built, [anna, liar])).toEqual([idOf(9)])
  expect(asked(built, [anna, bert])).toEqual([])
  expect(asked([root, floats(11, bert, [10])], [anna])).toEqual([])
  expect(asked([root, floats(11, liar, [10])], [liar])).toEqual([])
  expect(placedElsewhere([root, floats(11, cleo, [10])], { by: cleo, writers: [anna] })).toEqual([])
  expect(placedElsewhere([root, floats(11, liar, [10])], { by: liar, writers: [liar] })).toEqual([])
  expect(asked(built, [])).toEqual([])
})

test('each that lacks something is looked at by itself', () => {
  const other = floats(20, liar, [19, 18], [19, 18])
  const built = [floats(11, anna, [10]), floats(12, bert, [10]), floats(21, anna, [20])]
  expect(asked([root, other, ...built])).toEqual([idOf(9)])
  expect(asked([root, other, ...built, floats(22, bert, [21])])).toEqual([idOf(9), idOf(19), idOf(18)])
})

test('however much floats, no more than so much is looked at, in the order of arrival', () => {
  const lies = Array.from({ length: 100 }, (_, n) => floats(100 + n, liar, [99], [99]))
  const built = Array.from({ length: 1000 }, () =>
    floats(
      255,
      cleo,
      Array.from({ length: 100 }, (_, n) => 100 + n),
    ),
  )
  const honest = [root, floats(11, anna, [10]), floats(12, bert, [10])]
  expect(asked([...honest, ...lies, ...built])).toEqual([idOf(9)])
  expect(asked([...lies, ...built, ...honest])).toEqual([])
})
