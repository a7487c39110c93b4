import { type PublicKey, toIntentionId, toPublicKey } from '@lattice/model'
import { describe, expect, test } from 'vitest'
import type { WriteHold } from './meta-db.ts'
import { heldOnly, holdOfReturn, isOneEnough, joinHolds, uncomparedOf, whatTo } from './write-hold.ts'

const tips = [toIntentionId(new Uint8Array(32).fill(1))]
const peer: PublicKey = toPublicKey(new Uint8Array(32).fill(2))
const restore: WriteHold = { reason: 'restore', tips: [], isEndKnown: false, compared: [] }
const repair: WriteHold = { reason: 'repair', tips, isEndKnown: true, compared: [peer] }

describe('a store that is repaired while it is held', () => {
  test('after a restore still waits for a peer, whatever the repair found', () => {
    expect(joinHolds(restore, undefined)).toEqual(restore)
    expect(joinHolds(restore, repair)).toEqual({ ...repair, reason: 'restore', isEndKnown: false })
  })

  test('after a restore waits for every peer where the log that was repaired shows no end', () => {
    const unknown: WriteHold = { ...repair, isEndKnown: false }
    expect(joinHolds(restore, unknown)).toEqual(unknown)
  })

  test('after another repair waits for what the later one found', () => {
    expect(joinHolds({ ...repair, compared: [] }, repair)).toEqual(repair)
    expect(joinHolds(repair, undefined)).toBeUndefined()
    expect(joinHolds(undefined, repair)).toEqual(repair)
  })
})

describe('a store that begins anew behind a cut', () => {
  test('is not held where its whole chain came along', () => {
    expect(holdOfReturn(undefined, { isCut: false, early: undefined })).toBeUndefined()
  })

  test('waits for one peer where a part of the chain did not', () => {
    const hold = holdOfReturn(undefined, { isCut: true, early: undefined })
    expect(hold).toEqual({ reason: 'return', tips: [], isEndKnown: false, compared: [] })
    expect(hold && isOneEnough(hold)).toBe(true)
  })

  test('waits for the end of the chain where that came along and is too early', () => {
    const [early] = tips
    expect(holdOfReturn(undefined, { isCut: true, early })).toMatchObject({ reason: 'return', tips })
  })

  test('asks the peers anew where it was held before: what that waited for may lie below the cut', () => {
    expect(holdOfReturn(repair, { isCut: false, early: undefined })).toEqual({
      reason: 'repair',
      tips: [],
      isEndKnown: false,
      compared: [],
    })
    expect(isOneEnough(repair)).toBe(false)
  })
})

describe('the peers that a held store waits for', () => {
  const keys = [1, 2, 3, 4].map((byte) => toPublicKey(new Uint8Array(32).fill(byte)))
  const [one, two, three, dormant] = keys
  if (one === undefined || two === undefined || three === undefined || dormant === undefined)
    throw new Error('there are four')
  const active = [one, two, three]
  const returned: WriteHold = { reason: 'return', tips: [], isEndKnown: false, compared: [] }

  test('are all of them where what the own log said is lost', () => {
    expect(uncomparedOf({ reason: 'repair', compared: [two] }, { active, connected: [] })).toEqual([one, three])
    expect(uncomparedOf({ reason: 'deletion', compared: [] }, { active, connected: [one, dormant] })).toEqual(active)
  })

  test('are all until one is equal where one is enough, and then those that may be equal soon', () => {
    expect(uncomparedOf(returned, { active, connected: [one] })).toEqual(active)
    const compared = { ...returned, compared: [two] }
    expect(uncomparedOf(compared, { active, connected: [two, three] })).toEqual([three])
    expect(uncomparedOf(compared, { active, connected: [] })).toEqual([])
    expect(uncomparedOf({ ...compared, reason: 'restore' }, { active, connected: [one] })).toEqual([one])
  })

  test('are dormant ones as well where they are connected: they may hold what the others do not', () => {
    const compared = { ...returned, compared: [two] }
    expect(uncomparedOf(compared, { active, connected: [two, dormant] })).toEqual([dormant])
    expect(uncomparedOf(returned, { active: [], connected: [dormant] })).toEqual([dormant])
    expect(uncomparedOf({ ...returned, compared: [dormant] }, { active: [], connected: [dormant] })).toEqual([])
  })

  test('are nobody where there is no other', () => {
    expect(uncomparedOf(returned, { active: [], connected: [] })).toEqual([])
  })
})

test('who is there is waited for, and who is not is to be connected', () => {
  expect(whatTo({ reason: 'return' }, 1, true)).toMatch(/: 1 of its peers are being compared with, try again/)
  expect(whatTo({ reason: 'return' }, 2, false)).toMatch(/: connect one of its 2 other peers$/)
  expect(whatTo({ reason: 'repair' }, 2, true)).toMatch(/: 2 of its peers are being compared with, try again/)
  expect(whatTo({ reason: 'repair' }, 2, false)).toMatch(/that 2 of its peers have: connect them$/)
})

test('why a store is held can be said without the way around it', () => {
  const around = ', or run `lattice store repair --accept-fork` to write without it'
  expect(heldOnly(`the log was repaired: connect one${around}`)).toBe('the log was repaired: connect one')
  expect(heldOnly('the store is being repaired')).toBe('the store is being repaired')
})
