import { toHash } from '@lattice/model'
import { createSeededRandom } from '@lattice/model/testing'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { accumulate, fingerprintOf } from './accumulator.ts'
import { countAsked } from './count-asked.ts'
import { INFINITY_BOUND } from './item.ts'
import { createMessageWriter } from './message-writer.ts'

const random = createSeededRandom(3)
const id = () => toHash(random.bytes(32))
const prefix = new Uint8Array(0)

describe('what a message asks to have computed', () => {
  test('is its fingerprints and lists, whatever stands between them, up to the most fingerprints', () => {
    const kinds = fc.array(fc.constantFrom('skip', 'fingerprint', 'ids'), { maxLength: 30 })
    fc.assert(
      fc.property(kinds, fc.nat({ max: 40 }), (ranges, most) => {
        const out = createMessageWriter()
        for (const [index, kind] of ranges.entries()) {
          const bound = { timestamp: index + 1, prefix }
          if (kind === 'skip') out.skip(bound)
          else if (kind === 'fingerprint') out.fingerprint(bound, fingerprintOf(accumulate([id()])))
          else
            out.idList(
              bound,
              2,
              [1, 2].map((timestamp) => ({ timestamp, id: id() })),
            )
        }
        out.skip(INFINITY_BOUND)
        const asked = { fingerprints: 0, lists: 0 }
        for (const kind of ranges) {
          if (asked.fingerprints === most) break
          if (kind === 'fingerprint') asked.fingerprints += 1
          if (kind === 'ids') asked.lists += 1
        }
        expect(countAsked(out.finish(), most)).toEqual(asked)
      }),
    )
  })

  test('is at most a fingerprint in eighteen bytes and a list in four, also of garbage', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (message) => {
        const { fingerprints, lists } = countAsked(message, Infinity)
        expect(18 * fingerprints + 4 * lists).toBeLessThanOrEqual(message.length)
      }),
    )
  })
})
