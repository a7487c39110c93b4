import { type IntentionId, MAX_CAUSAL_DEPS, toIntentionId } from '@lattice/model'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MAX_FOLDED_DEPS } from './limits.ts'
import { planCitations, unfoldCitations } from './plan-citations.ts'

const idOf = (number: number): IntentionId => {
  const id = new Uint8Array(32)
  new DataView(id.buffer).setUint32(0, number)
  return toIntentionId(id)
}
const range = (from: number, count: number): IntentionId[] => Array.from({ length: count }, (_, at) => idOf(from + at))

describe('planCitations', () => {
  test('what fits is cited directly, sorted and once', () => {
    const plan = planCitations({ wanted: [...range(2, 13), idOf(3)].reverse(), required: [idOf(1), idOf(2)] })
    expect(plan).toEqual({ ack: [], direct: range(1, 14) })
  })

  test('more than an intention holds is folded into one ack', () => {
    expect(planCitations({ wanted: range(1, 16), required: [] })).toEqual({ ack: [], direct: range(1, 16) })
    expect(planCitations({ wanted: range(1, 17), required: [] })).toEqual({ ack: range(1, 17), direct: [] })
    expect(planCitations({ wanted: range(1, 16), required: [idOf(99)] })).toEqual({
      ack: range(1, 16),
      direct: [idOf(99)],
    })
  })

  test('nothing that was wanted is lost, and every part fits', () => {
    const ids = fc.array(fc.nat({ max: 60 }).map(idOf), { maxLength: 60 })
    fc.assert(
      fc.property(ids, fc.array(fc.nat({ max: 60 }).map(idOf), { maxLength: 15 }), (wanted, required) => {
        const { ack, direct } = planCitations({ wanted, required })
        expect(direct.length + (ack.length > 0 ? 1 : 0)).toBeLessThanOrEqual(MAX_CAUSAL_DEPS)
        expect(unfoldCitations(direct, ack)).toEqual(unfoldCitations(wanted, required))
      }),
    )
  })

  test('more than one ack holds is a bug of the caller', () => {
    expect(() => planCitations({ wanted: range(1, MAX_FOLDED_DEPS + 1), required: [] })).toThrow('what one ack holds')
    expect(() => planCitations({ wanted: [], required: range(1, 16) })).toThrow('room for an ack')
  })
})
