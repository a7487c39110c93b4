import type { FloatingIntention } from '@lattice/kernel'
import { type FloatReason, MAX_DRIFT_MS, toHash, toIntentionId, toPublicKey } from '@lattice/model'
import { describe, expect, test } from 'vitest'
import { floatingReasons } from './floating-reasons.ts'
import { groupFloating } from './gather-floating.ts'
import type { FloatingGroup } from './store-snapshot.ts'
import type { Named } from './words.ts'

const NOW_MS = 1_800_000_000_000
const bytes = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)
const idOf = (byte: number): ReturnType<typeof toIntentionId> => toIntentionId(toHash(bytes(byte)))
const keyOf = (byte: number): Named['publicKey'] => toPublicKey(bytes(byte))
const nas: Named = { publicKey: keyOf(0xcd), name: 'nas' }
const GENESIS = idOf(0xff)

const GROUP: FloatingGroup = {
  reason: 'missing_causes',
  author: nas,
  count: 3,
  cause: undefined,
  firstMs: NOW_MS - 3_600_000,
  lastMs: NOW_MS,
}

const cases: readonly (readonly [string, Partial<FloatingGroup>, string, string, string])[] = [
  [
    'a cause of a known author',
    { cause: { id: idOf(7), author: nas } },
    'warning waiting_for_cause',
    '3 intentions of nas wait for 070707070707 by nas',
    'connect nas, or any',
  ],
  [
    'a cause of nobody known',
    { cause: { id: idOf(7), author: undefined }, count: 1 },
    'warning waiting_for_cause',
    '1 intention of nas waits for 070707070707, which',
    'connect a peer that has it',
  ],
  ['others that wait', {}, 'info waiting_for_cause', 'wait for others that are here and wait themselves', ''],
  [
    'an open run',
    { reason: 'unsigned' },
    'info floating_unsigned',
    'wait for the signature that closes their run',
    'next exchange',
  ],
  [
    'a stranger',
    { reason: 'not_admitted' },
    'warning floating_not_admitted',
    'nothing here admits this author; the first was written 1 h ago',
    'has the admission',
  ],
  [
    'somebody who was removed',
    { reason: 'revoked' },
    'warning floating_revoked',
    'was removed, or had its role taken; the first was written 1 h ago',
    'invite the author again',
  ],
  [
    'the future',
    { reason: 'future', firstMs: NOW_MS + MAX_DRIFT_MS + 120_000, lastMs: NOW_MS + 600_000 },
    'warning floating_future',
    'are up to 10 min ahead of the clock here, and taken in as time reaches them, the first in 2 min',
    'set the clock of nas right',
  ],
]

test.each(cases)('%s', (_, changes, expected, what, remedy) => {
  const groups = [{ ...GROUP, ...changes }]
  const [reason, ...others] = floatingReasons({
    nowMs: NOW_MS,
    groups,
    listed: 3,
    total: groups[0]?.count ?? 0,
    evicted: 0,
  })
  expect(others).toEqual([])
  expect(`${reason?.severity} ${reason?.code}`).toBe(expected)
  expect(reason?.what).toContain(what)
  expect(reason?.remedy ?? '').toContain(remedy)
  expect(reason?.peer).toBe(nas)
})

test('what is not shown is counted', () => {
  const all = { nowMs: NOW_MS, groups: [GROUP], listed: 10, total: 25, evicted: 0 }
  expect(floatingReasons(all).at(-1)).toMatchObject({
    code: 'floating_unlisted',
    what: '25 intentions wait in all, of which 10 were looked at; the largest groups are shown',
  })
})

interface Init {
  readonly id: number
  readonly author?: number
  readonly prev?: number
  readonly deps?: readonly number[]
  readonly reason?: FloatReason
  readonly missing?: readonly number[]
  readonly wall?: number
}

function floating({
  id,
  author = 1,
  prev,
  deps = [],
  reason = 'missing_causes',
  missing = [],
  wall = 5,
}: Init): FloatingIntention {
  const intention = {
    author: keyOf(author),
    timestamp: { wall, counter: 0 },
    storePrev: prev === undefined ? GENESIS : idOf(prev),
    causalDeps: deps.map(idOf),
  }
  // Only what is looked at.
  const parsed: unknown = { id: idOf(id), intention }
  return { parsed: parsed as FloatingIntention['parsed'], reason, missing: missing.map(idOf) }
}
const group = (...all: readonly Init[]): readonly FloatingGroup[] =>
  groupFloating(all.map(floating), (publicKey) => ({ publicKey, name: '' }))

describe('groups', () => {
  test('a chain behind one cause that is not here is one group, and whose it was follows from the chain', () => {
    const chain = Array.from({ length: 50 }, (_, n) => ({
      id: n + 10,
      prev: n + 9,
      ...(n === 0 ? { missing: [9] } : {}),
    }))
    expect(group(...chain)).toMatchObject([{ count: 50, cause: { id: idOf(9), author: { publicKey: keyOf(1) } } }])
  })

  test('what another author waits for is told with whose it is', () => {
    const groups = group({ id: 10, prev: 9, missing: [9] }, { id: 20, author: 2, deps: [10] })
    expect(groups).toHaveLength(2)
    expect(groups[1]).toMatchObject({
      author: { publicKey: keyOf(2) },
      cause: { id: idOf(9), author: { publicKey: keyOf(1) } },
    })
  })

  test('of several that lack, the own chain goes first; of a mere dep the author is not known', () => {
    expect(group({ id: 10, prev: 9, deps: [8], missing: [8, 9] })).toMatchObject([{ cause: { id: idOf(9) } }])
    expect(group({ id: 10, deps: [8], missing: [8] })).toMatchObject([{ cause: { id: idOf(8), author: undefined } }])
  })

  test('what follows one that waits for its time has no cause to fetch', () => {
    const groups = group(
      { id: 10, reason: 'future', wall: 9 },
      { id: 11, prev: 10, wall: 12 },
      { id: 12, prev: 11, wall: 10 },
    )
    expect(groups.map(({ reason, count, cause }) => [reason, count, cause])).toEqual([
      ['missing_causes', 2, undefined],
      ['future', 1, undefined],
    ])
    expect(groups[0]).toMatchObject({ firstMs: 10, lastMs: 12 })
  })

  test('those that cite each other, as no honest node makes, come to an end', () => {
    expect(group({ id: 10, deps: [11] }, { id: 11, deps: [10] })).toMatchObject([{ count: 2, cause: undefined }])
  })

  test('are the largest few, however many authors there are', () => {
    const many = Array.from({ length: 100 }, (_, n) => ({ id: n, author: n, missing: [200] }))
    const groups = group(...many, { id: 150, author: 7, missing: [200] })
    expect(groups).toHaveLength(32)
    expect(groups[0]).toMatchObject({ count: 2, author: { publicKey: keyOf(7) } })
  })
})
