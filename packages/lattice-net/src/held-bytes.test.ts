import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createHeldBytes } from './held-bytes.ts'

describe('what is held of one peer', () => {
  test('is the sum of its sessions, and never more than the bound, whatever they do', () => {
    const act = fc.record({ session: fc.nat({ max: 4 }), bytes: fc.nat({ max: 120 }), ends: fc.boolean() })
    fc.assert(
      fc.property(fc.array(act), (acts) => {
        const held = createHeldBytes(200)
        const shares = Array.from({ length: 5 }, held.begin)
        const model = [0, 0, 0, 0, 0]
        const sum = (): number => model.reduce((a, b) => a + b)
        for (const { session, bytes, ends } of acts) {
          const before = model[session] ?? 0
          const fits = bytes <= before || sum() - before + bytes <= 200
          if (ends) shares[session]?.end()
          else expect(shares[session]?.set(bytes)).toBe(fits)
          if (ends) model[session] = 0
          else if (fits) model[session] = bytes
          expect(held.total()).toBe(sum())
          expect(held.total()).toBeLessThanOrEqual(200)
        }
      }),
    )
  })
})
