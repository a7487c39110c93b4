import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { crypto, errorOf, genesisOf, signerOf, valueOf, writeOf } from '../test/support.ts'
import { type IdKey, idKey } from './ids.ts'
import { MAX_RUN_LENGTH } from './limits.ts'
import { closedBy, verifyRun } from './run.ts'
import { type ParsedIntention, signIntention } from './signed-intention.ts'
import type { Signer } from './signing.ts'

const author = signerOf(1)
const genesis = genesisOf(author)

/** A chain after `from`, of which those at `signedAt` are signed. */
function chain(
  length: number,
  signedAt: readonly number[],
  from: ParsedIntention = genesis,
  by: Signer = author,
): ParsedIntention[] {
  const made: ParsedIntention[] = []
  for (let index = 0; index < length; index += 1) {
    const storePrev = (made.at(-1) ?? from).id
    const intention = writeOf(by, { storePrev, wall: 2_000 + index })
    made.push(signIntention(crypto, by, { intention, close: signedAt.includes(index) }))
  }
  return made
}

function lookupIn(known: readonly ParsedIntention[]): (id: IdKey) => ParsedIntention | undefined {
  const byId = new Map(known.map((parsed) => [idKey(parsed.id), parsed]))
  return (id) => byId.get(id)
}

describe('verifyRun', () => {
  test('one signature makes the whole run authentic', () => {
    const run = chain(5, [4])
    expect(valueOf(verifyRun(crypto, run))).toEqual(run.map((parsed) => parsed.id))
    expect(valueOf(verifyRun(crypto, [genesis]))).toEqual([genesis.id])
  })

  test('refuses what is not exactly one closed run', () => {
    const run = chain(4, [3])
    const [first, second, third, last] = run
    if (!first || !second || !third || !last) throw new Error('four were made')
    expect(errorOf(verifyRun(crypto, []))).toEqual({ code: 'run_empty' })
    expect(errorOf(verifyRun(crypto, [first, third, last]))).toEqual({ code: 'run_not_chained', index: 1 })
    expect(errorOf(verifyRun(crypto, [second, first, third, last]))).toEqual({ code: 'run_not_chained', index: 1 })
    expect(errorOf(verifyRun(crypto, [first, second, third]))).toEqual({ code: 'run_not_closed' })
    expect(errorOf(verifyRun(crypto, chain(4, [1, 3])))).toEqual({ code: 'run_signed_inside', index: 1 })
    const forged = { ...last, signature: signerOf(2).sign('lattice/intention/v1', last.id) }
    expect(errorOf(verifyRun(crypto, [first, second, third, forged]))).toEqual({ code: 'run_bad_signature' })
  })

  test("refuses a link to another author's intention", () => {
    const own = chain(1, [])
    const other = chain(1, [0], own[0], signerOf(2))
    expect(errorOf(verifyRun(crypto, [...own, ...other]))).toEqual({ code: 'run_not_chained', index: 1 })
  })

  test('a run has at most its limit', () => {
    const longest = chain(MAX_RUN_LENGTH + 1, [MAX_RUN_LENGTH])
    expect(errorOf(verifyRun(crypto, longest)).code).toBe('run_too_long')
    expect(verifyRun(crypto, longest.slice(1)).ok).toBe(true)
  })
})

describe('closedBy', () => {
  test('walks back to the previous signature, whatever is known', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 12 }), (signs) => {
        const signedAt = signs.flatMap((signed, index) => (signed ? [index] : []))
        const made = chain(signs.length, [...signedAt, signs.length - 1])
        const closer = made.at(-1)
        if (closer === undefined) return
        const start = signs.slice(0, -1).lastIndexOf(true) + 1
        const expected = made.slice(start, -1).reverse()
        expect(closedBy(closer, lookupIn([genesis, ...made]))).toEqual(expected)
      }),
      { numRuns: 30 },
    )
  })

  test('stops at what is not known, and never passes another author', () => {
    const made = chain(4, [3])
    const closer = made.at(-1)
    if (closer === undefined) throw new Error('four were made')
    expect(closedBy(closer, lookupIn(made.slice(2)))).toEqual([made[2]])
    const [foreign] = chain(1, [0], made[2], signerOf(2))
    if (foreign === undefined) throw new Error('one was made')
    expect(closedBy(foreign, lookupIn(made))).toEqual([])
    expect(closedBy(genesis, lookupIn(made))).toEqual([])
  })

  test('a signature closes at most a run', () => {
    const long = chain(MAX_RUN_LENGTH + 5, [MAX_RUN_LENGTH + 4])
    const closer = long.at(-1)
    if (closer === undefined) throw new Error('it was made')
    expect(closedBy(closer, lookupIn(long))).toHaveLength(MAX_RUN_LENGTH - 1)
  })
})
