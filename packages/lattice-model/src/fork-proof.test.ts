import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { crypto, errorOf, genesisOf, signerOf, valueOf, writeOf } from '../test/support.ts'
import { createForkProof, decodeForkProof, encodeForkProof, type ForkProof, verifyForkProof } from './fork-proof.ts'
import { MAX_RUN_LENGTH } from './limits.ts'
import { type ParsedIntention, signIntention } from './signed-intention.ts'
import type { Signer } from './signing.ts'

type Branch = [ParsedIntention, ...ParsedIntention[]]

const author = signerOf(1)
const genesis = genesisOf(author)
const parent = branchOf(author, { after: genesis, length: 1, wall: 2_000 })[0]

/** A run of an author, of which the last alone is signed. */
function branchOf(
  by: Signer,
  { after, length, wall }: { readonly after: ParsedIntention; readonly length: number; readonly wall: number },
): Branch {
  const made: ParsedIntention[] = []
  for (let index = 0; index < length; index += 1) {
    const intention = writeOf(by, { storePrev: (made.at(-1) ?? after).id, wall: wall + index })
    made.push(signIntention(crypto, by, { intention, close: index === length - 1 }))
  }
  const [first, ...rest] = made
  if (first === undefined) throw new Error('a branch has a first')
  return [first, ...rest]
}

const left = (length: number): Branch => branchOf(author, { after: parent, length, wall: 3_000 })
const right = (length: number): Branch => branchOf(author, { after: parent, length, wall: 9_000 })

function codeOf(proof: ForkProof): string {
  return errorOf(verifyForkProof(crypto, proof)).code
}

describe('a proof of a fork', () => {
  test('holds with nothing but itself, signed or vouched for later, in either order, over its encoding', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 6 }), fc.boolean(), (a, b, swap) => {
        const branches = swap ? ([right(b), left(a)] as const) : ([left(a), right(b)] as const)
        const proof = createForkProof(...branches)
        const decoded = valueOf(decodeForkProof(encodeForkProof(proof)))
        expect(decoded).toEqual(proof)
        const proven = valueOf(verifyForkProof(crypto, decoded))
        expect(proven.author).toEqual(author.publicKey)
        expect(proven.storePrev).toEqual(parent.id)
        expect(new Set(proven.ids.map(String))).toEqual(new Set([left(a)[0].id, right(b)[0].id].map(String)))
      }),
      { numRuns: 20 },
    )
  })

  test('does not hold once any byte of it is another', () => {
    const bytes = encodeForkProof(createForkProof(left(2), right(1)))
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = bytes.slice()
      changed[at] = (changed[at] ?? 0) ^ 1
      const decoded = decodeForkProof(changed)
      if (decoded.ok) expect(verifyForkProof(crypto, decoded.value).ok).toBe(false)
    }
  })

  test('is not made of what is no fork', () => {
    const [a, b] = [left(1), right(1)]
    const proof = createForkProof(a, b)
    expect(codeOf({ first: proof.second, second: proof.first })).toBe('fork_proof_not_ordered')
    expect(codeOf({ first: proof.first, second: proof.first })).toBe('fork_proof_not_ordered')
    // Two stores of one author, which both follow nothing.
    expect(codeOf(createForkProof([genesis], [genesisOf(author, { wall: 1_001, counter: 0 })]))).toBe(
      'fork_proof_of_geneses',
    )
    // Two members of one chain.
    const [older, newer] = left(2)
    if (newer === undefined) throw new Error('two were made')
    expect(codeOf(createForkProof([older, newer], [newer]))).toBe('fork_proof_two_parents')
    // Two authors that both begin at the genesis.
    const other = branchOf(signerOf(2), { after: genesis, length: 1, wall: 5_000 })
    expect(codeOf(createForkProof([parent], other))).toBe('fork_proof_two_authors')
  })

  test('is nothing without the signatures that vouch for it', () => {
    const run = left(3)
    const proof = createForkProof(run, right(1))
    const cut = (branch: ForkProof['first']): ForkProof['first'] => branch.slice(0, -1)
    expect(codeOf({ first: cut(proof.first), second: cut(proof.second) })).toBe('fork_proof_not_authentic')
    expect(codeOf({ first: [], second: [] })).toBe('fork_proof_not_authentic')
    const [start] = proof.first
    if (start === undefined) throw new Error('a branch has a first')
    const truncated = { ...start, bytes: start.bytes.slice(0, -1) }
    expect(codeOf({ ...proof, first: [truncated] })).toBe('fork_proof_intention_invalid')
    const endless = Array.from({ length: 2 * MAX_RUN_LENGTH }, () => start)
    expect(codeOf({ ...proof, first: endless })).toBe('fork_proof_not_authentic')
    expect(errorOf(decodeForkProof(Uint8Array.of(0xff))).code).toBe('fork_proof_malformed')
  })
})
