import { MAX_WALL_MS } from '@lattice/model'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isoTime } from './iso-time.ts'

describe('isoTime', () => {
  test('writes dates at the turns of months, leap years and centuries', () => {
    expect(isoTime(0)).toBe('1970-01-01T00:00:00.000Z')
    expect(isoTime(951_782_400_000)).toBe('2000-02-29T00:00:00.000Z')
    expect(isoTime(951_868_800_000 - 1)).toBe('2000-02-29T23:59:59.999Z')
    expect(isoTime(4_107_542_400_000)).toBe('2100-03-01T00:00:00.000Z')
    expect(isoTime(MAX_WALL_MS)).toBe('+010889-08-02T05:31:50.655Z')
  })

  // Model: the calendar of the platform.
  test('says what the platform says', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 31 - 1 }), fc.nat({ max: 2 ** 17 - 1 }), (low, high) => {
        const time = high * 2 ** 31 + low
        expect(isoTime(time)).toBe(new Date(time).toISOString())
      }),
      { numRuns: 2000 },
    )
  })
})
