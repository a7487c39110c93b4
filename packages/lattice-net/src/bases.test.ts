import { type IntentionId, type NumberedEpoch, toIntentionId } from '@lattice/model'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type BaseChoice, type BaseQuestion, chooseBase } from './bases.ts'

const idOf = (fill: number): IntentionId => toIntentionId(new Uint8Array(32).fill(fill))
const baseOf = (fill: number, seq: number): NumberedEpoch => ({ epoch: idOf(fill), seq: BigInt(seq) })

const EARLY = baseOf(1, 3)
const LATE = baseOf(2, 7)
const BESIDE = baseOf(9, 7)

const over = (base: NumberedEpoch | undefined): BaseChoice => ({ kind: 'over', base: base?.epoch })
const disagree = (returning: 'us' | 'peer'): BaseChoice => ({ kind: 'disagree', returning })

describe('the base of a session', () => {
  test.each<[string, BaseQuestion, BaseChoice]>([
    ['none on either side', of(undefined, undefined, false, undefined), over(undefined)],
    ['the same on both sides', of(LATE, LATE, false, undefined), over(LATE)],
    ['theirs, which is here, and nothing is cut here', of(undefined, LATE, true, undefined), over(LATE)],
    ['theirs, which is here and later', of(EARLY, LATE, true, undefined), over(LATE)],
    ['theirs, also where the peer was asked before', of(EARLY, LATE, true, false), over(LATE)],
    ['theirs, which is not here, and nothing is cut here', of(undefined, LATE, false, undefined), disagree('us')],
    ['ours, which the peer may have', of(LATE, undefined, false, undefined), { kind: 'ask' }],
    ['ours, which the peer may have, though it has another', of(LATE, EARLY, false, undefined), { kind: 'ask' }],
    ['ours, which the peer has', of(LATE, EARLY, false, true), over(LATE)],
    ['ours, which the peer has, though it cut nothing', of(LATE, undefined, false, true), over(LATE)],
    ['ours, which the peer does not have, and it cut nothing', of(LATE, undefined, false, false), disagree('peer')],
    ['unknown to each other, ours later', of(LATE, EARLY, false, false), disagree('peer')],
    ['unknown to each other, theirs later', of(EARLY, LATE, false, false), disagree('us')],
    ['unknown to each other, of one number: the lower id stands', of(LATE, BESIDE, false, false), disagree('peer')],
    ['and the higher gives way', of(BESIDE, LATE, false, false), disagree('us')],
  ])('%s', (_, question, choice) => {
    expect(chooseBase(question)).toEqual(choice)
  })

  test('is found alike by both sides, whatever each knows', () => {
    const bases = fc.constantFrom(undefined, EARLY, LATE, BESIDE)
    fc.assert(
      fc.property(bases, bases, fc.boolean(), fc.boolean(), (ours, theirs, isTheirsHere, isOursThere) => {
        const [here, there] = [theirs !== undefined && isTheirsHere, ours !== undefined && isOursThere]
        // Neither can have what the other cut below, if it cut later itself: at most one knows the other's.
        if (here && there) return
        const mine = chooseBase({ ours, theirs, isTheirsHere: here, isOursThere: there })
        const yours = chooseBase({ ours: theirs, theirs: ours, isTheirsHere: there, isOursThere: here })
        if (mine.kind === 'over') expect(yours).toEqual(mine)
        else {
          expect(mine.kind).toBe('disagree')
          const mirror = { us: 'peer', peer: 'us' } as const
          expect(yours).toEqual({ kind: 'disagree', returning: mirror[(mine as { returning: 'us' }).returning] })
        }
      }),
    )
  })
})

function of(
  ours: NumberedEpoch | undefined,
  theirs: NumberedEpoch | undefined,
  isTheirsHere: boolean,
  isOursThere: boolean | undefined,
): BaseQuestion {
  return { ours, theirs, isTheirsHere, isOursThere }
}
