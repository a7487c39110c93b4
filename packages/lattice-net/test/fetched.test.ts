import { type IntentionId, type SignedIntention, toIntentionId } from '@lattice/model'
import { beforeAll, describe, expect, test } from 'vitest'
import { createFetchedAnswer } from '../src/fetched-answer.ts'
import { createFetchedChain } from '../src/fetched-chain.ts'
import { createPair, type Pair } from './pair.ts'

type Wire = readonly (SignedIntention & { readonly id: IntentionId })[]
let pair: Pair
/** Two runs of one author, the second after the first. */
let first: Wire
let second: Wire
let foreign: Wire
beforeAll(async () => {
  pair = await createPair()
  first = pair.a.store.write(3)
  second = pair.a.store.write(2)
  foreign = (await createPair({ nonce: 1 })).a.store.write(2)
})
const idsOf = (...runs: Wire[]): IntentionId[] => runs.flat().map(({ id }) => id)
const unsigned = ({ bytes }: SignedIntention): SignedIntention => ({ bytes, signature: new Uint8Array(0) })
const forged = ({ bytes }: SignedIntention): SignedIntention => ({ bytes, signature: new Uint8Array(64).fill(1) })
const at = (run: Wire, index: number): Wire[number] => {
  const one = run.at(index)
  if (one === undefined) throw new Error('it was written')
  return one
}

describe('the answer to a request for ids', () => {
  test('is handed on in whole runs, over frames cut anywhere', () => {
    const all = [...first, ...second]
    for (let cut = 1; cut < all.length; cut += 1) {
      const answer = createFetchedAnswer(pair.crypto, idsOf(first, second))
      const steps = [answer.take(all.slice(0, cut), false), answer.take(all.slice(cut), true)]
      const runs = steps.flatMap((step): readonly (number | string)[] =>
        step.kind === 'runs' ? step.runs.map((run) => run.length) : [step.fault],
      )
      expect(runs).toEqual([3, 2])
      expect(answer.pending.size).toBe(0)
    }
  })

  test('may bring what closes the run of what was asked for, and lack what the peer does not have', () => {
    const answer = createFetchedAnswer(pair.crypto, [at(first, 0).id, ...idsOf(foreign)])
    const step = answer.take([...first], true)
    expect(step).toMatchObject({ kind: 'runs', runs: [[{ isAsked: true }, { isAsked: false }, { isAsked: false }]] })
    expect(answer.pending.size).toBe(2)
  })

  test('may lack causes of what it brings, where the peer has cut its log; they do not come after that', () => {
    const answer = createFetchedAnswer(pair.crypto, idsOf(first, second))
    expect(answer.take(second, false)).toMatchObject({ kind: 'runs', runs: [{ length: 2 }] })
    expect(answer.take([], true)).toEqual({ kind: 'runs', runs: [] })
    expect(answer.pending.size).toBe(3)
    const other = createFetchedAnswer(pair.crypto, idsOf(first, second))
    other.take(second, false)
    expect(other.take(first.slice(2), true)).toEqual({ kind: 'fault', fault: 'intentions_reordered' })
  })

  test.each<[string, (asked: typeof idsOf) => readonly [IntentionId[], readonly SignedIntention[]], string]>([
    ['whole runs in another order', (ids) => [ids(first, second), [...second, ...first]], 'intentions_reordered'],
    [
      'a run that something else cuts',
      (ids) => [ids(first, second), [at(first, 0), ...second]],
      'intentions_reordered',
    ],
    ['an intention twice', (ids) => [ids(first), [...first, at(first, 0)]], 'intention_repeated'],
    ['what was not asked for', (ids) => [ids(first), [...foreign]], 'intention_substituted'],
    ['more after the end of a run', (ids) => [ids(first), [...first, ...second]], 'intention_substituted'],
    ['a run without its end', (ids) => [ids(first), first.slice(0, 2)], 'intentions_withheld'],
    ['an end without its signature', (ids) => [ids(first), first.map(unsigned)], 'intentions_withheld'],
    [
      'a forged end',
      () => [[at(first, 0).id], [at(first, 0), at(first, 1), forged(at(first, 2))]],
      'intention_bad_signature',
    ],
    [
      'a short signature',
      (ids) => [ids(first), [{ ...at(first, 0), signature: new Uint8Array(9) }]],
      'intention_bad_signature',
    ],
    [
      'garbage',
      (ids) => [ids(first), [{ bytes: new Uint8Array(50), signature: new Uint8Array(0) }]],
      'intention_substituted',
    ],
  ])('of %s is refused', (_, make, fault) => {
    const [ids, intentions] = make(idsOf)
    expect(createFetchedAnswer(pair.crypto, ids).take(intentions, true)).toEqual({ kind: 'fault', fault })
  })

  test('of garbage that was asked for by its own hash is refused', () => {
    const bytes = new Uint8Array(50)
    const id = toIntentionId(pair.crypto.blake3(bytes))
    const step = createFetchedAnswer(pair.crypto, [id]).take([{ bytes, signature: new Uint8Array(0) }], true)
    expect(step.kind).toBe('fault')
  })
})

describe('the answer to a request for a chain', () => {
  const chain = (limit = 10) => createFetchedChain(pair.crypto, { target: at(second, 0).id, limit })

  test('is a stretch that reaches the target, and what closes its run; or nothing', () => {
    expect(chain().take([...first, ...second], true)).toBeUndefined()
    const cut = chain()
    expect(cut.take(first, false)).toBeUndefined()
    expect(cut.take(second, true)).toBeUndefined()
    expect(chain().take([], true)).toBeUndefined()
  })

  test.each<[string, () => readonly SignedIntention[], string, number?]>([
    ['does not hang together', () => [at(first, 0), ...second], 'chain_broken'],
    ['does not reach the target', () => first, 'chain_misses_target'],
    ['is longer than asked for', () => [...first, ...second], 'chain_too_long', 2],
    ['is garbage', () => [{ bytes: new Uint8Array(9), signature: new Uint8Array(0) }], 'chain_malformed'],
  ])('that %s is refused', (_, make, fault, limit) => {
    expect(chain(limit).take(make(), true)).toBe(fault)
  })

  test('that goes on after the end of the run is refused', () => {
    const answer = createFetchedChain(pair.crypto, { target: at(first, 2).id, limit: 10 })
    expect(answer.take([...first, ...second], true)).toBe('chain_too_long')
  })

  test('an empty frame that is not the last is refused', () => {
    expect(chain().take([], false)).toBe('chain_empty')
  })
})
