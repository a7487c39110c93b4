import { type IdKey, idKey, type ParsedIntention } from '@lattice/model'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { at, genesisOf, signerOf, write } from '../test/harness.ts'
import { createFloatingEntry, type FloatingEntry } from './floating-entry.ts'
import { AUTHOR_SHARE, createFloatingQuota } from './floating-quota.ts'

const genesis = genesisOf(signerOf(1))
const written: readonly ParsedIntention[] = Array.from({ length: 6 }, (_, author) =>
  write(signerOf(author), { prev: genesis.id, at: at(1) }),
)

function entryOf(author: number, arrival: number): FloatingEntry {
  const parsed = written[author] ?? genesis
  return createFloatingEntry(parsed, idKey(parsed.id), arrival)
}

describe('the floating quota', () => {
  test('never holds more than its limits, nor more of one author than its share', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 5 }), { maxLength: 120 }), (authors) => {
        const quota = createFloatingQuota({ count: 16, bytes: 1e9 })
        const held: FloatingEntry[] = []
        for (const [arrival, author] of authors.entries()) {
          const entry = entryOf(author, arrival)
          quota.add(entry)
          held.push(entry)
          for (let out = quota.excess(entry.authorKey); out !== undefined; out = quota.excess(entry.authorKey)) {
            const same = held.filter(({ authorKey }) => authorKey === out?.authorKey)
            // The oldest of its author goes.
            expect(out).toBe(same[0])
            quota.remove(out)
            held.splice(held.indexOf(out), 1)
          }
          expect(held.length).toBeLessThanOrEqual(16)
          expect(held.filter(({ authorKey }) => authorKey === entry.authorKey).length).toBeLessThanOrEqual(
            16 * AUTHOR_SHARE,
          )
          expect(quota.bytes()).toBe(held.reduce((sum, { weight }) => sum + weight, 0))
        }
      }),
    )
  })

  test('takes from the greediest, not from who came last', () => {
    const weight = entryOf(0, 0).weight
    const quota = createFloatingQuota({ count: 1000, bytes: weight * 24 })
    const first = entryOf(0, 0)
    quota.add(first)
    for (let author = 1; author < 6; author += 1) quota.add(entryOf(author, author))
    for (let arrival = 10; arrival < 12; arrival += 1) quota.add(entryOf(0, arrival))
    expect(quota.excess(first.authorKey)).toBeUndefined()
    quota.add(entryOf(0, 20))
    expect(quota.excess(first.authorKey)).toBe(first)
    const unknown: IdKey = idKey(new Uint8Array(32))
    expect(quota.excess(unknown)).toBeUndefined()
  })
})
