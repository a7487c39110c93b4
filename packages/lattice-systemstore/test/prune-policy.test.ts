/** How much history a store keeps is one setting, an admin's, that reads as a whole whatever happens to it. */
import { InvalidArgument } from '@lattice/store-base'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type PrunePolicy, prunePolicyOf, setPrunePolicy } from '../src/index.ts'
import { decodePrunePolicy, encodePrunePolicy } from '../src/prune-policy.ts'
import { admit, anna, bert, creator, openTestStore, rejected } from './open-test-store.ts'

const policies = fc.oneof(
  fc.constant<PrunePolicy>({ kind: 'manual' }),
  fc.integer({ min: 1, max: 36_525 }).map((days): PrunePolicy => ({ kind: 'keep_days', days })),
  fc.integer({ min: 1, max: 2 ** 32 - 1 }).map((count): PrunePolicy => ({ kind: 'keep_count', count })),
)

describe('the prune policy', () => {
  test('is manual until an admin sets one, and then what was set last', () => {
    const store = openTestStore()
    expect(prunePolicyOf(store.read)).toEqual({ kind: 'manual' })
    fc.assert(
      fc.property(policies, (policy) => {
        expect(store.submit(setPrunePolicy({ author: creator, policy }))).toMatchObject({ kind: 'applied' })
        expect(prunePolicyOf(store.read)).toEqual(policy)
        expect(decodePrunePolicy(encodePrunePolicy(policy))).toEqual(policy)
      }),
      { numRuns: 40 },
    )
  })

  test('tells of a change, and not of what is so already', () => {
    const store = openTestStore()
    const policy: PrunePolicy = { kind: 'keep_count', count: 5 }
    const event = { kind: 'prune_policy_changed', policy }
    expect(store.submit(setPrunePolicy({ author: creator, policy }))).toMatchObject({ events: [event] })
    expect(store.submit(setPrunePolicy({ author: creator, policy }))).toMatchObject({ events: [] })
  })

  test('is not for a writer to set', () => {
    const store = openTestStore()
    store.submit(admit(creator, anna, 'writer'))
    const write = setPrunePolicy({ author: anna, policy: { kind: 'keep_days', days: 1 } })
    expect(store.submit(write, { author: anna })).toEqual(rejected('not_admin'))
    expect(prunePolicyOf(store.read)).toEqual({ kind: 'manual' })
  })

  test('is the latest of two set at the same time, whichever came first', () => {
    const set = (order: readonly [number, number]): PrunePolicy => {
      const store = openTestStore()
      store.submit(admit(creator, bert, 'admin'))
      const past = [...store.ids]
      const writes = [
        { author: creator, policy: { kind: 'keep_days', days: 7 }, wall: 9_000_000 },
        { author: bert, policy: { kind: 'keep_count', count: 400 }, wall: 9_000_001 },
      ] as const
      for (const index of order) {
        const write = writes[index]
        if (write !== undefined) store.submit(setPrunePolicy(write), { past, author: write.author, wall: write.wall })
      }
      return prunePolicyOf(store.read)
    }
    expect(set([0, 1])).toEqual({ kind: 'keep_count', count: 400 })
    expect(set([1, 0])).toEqual({ kind: 'keep_count', count: 400 })
  })

  test.each([
    { kind: 'keep_days', days: 0 },
    { kind: 'keep_days', days: 36_526 },
    { kind: 'keep_count', count: 0 },
  ] as const)('cannot be %j: who is about to sign it is told', (policy) => {
    expect(() => setPrunePolicy({ author: creator, policy })).toThrow(InvalidArgument)
  })

  test('is read from its one encoding and no other bytes', () => {
    const drawn = fc.tuple(fc.constantFrom(0, 1, 2, 3, 255), fc.uint8Array({ maxLength: 6 }))
    fc.assert(
      fc.property(drawn, ([kind, rest]) => {
        const bytes = Uint8Array.of(kind, ...rest)
        const policy = decodePrunePolicy(bytes)
        if (policy !== undefined) expect(encodePrunePolicy(policy)).toEqual(bytes)
      }),
    )
    const strange = [
      Uint8Array.of(),
      Uint8Array.of(0, 0, 0, 0, 1),
      Uint8Array.of(3, 0, 0, 0, 1),
      Uint8Array.of(1, 0, 0, 0, 0),
    ]
    for (const bytes of strange) expect(decodePrunePolicy(bytes)).toBeUndefined()
  })
})
