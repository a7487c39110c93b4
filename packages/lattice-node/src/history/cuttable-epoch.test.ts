import { type IntentionId, toIntentionId } from '@lattice/model'
import { type EpochFault, type EpochWish, MAX_SET_ASIDE } from '@lattice/store-base'
import { describe, expect, test } from 'vitest'
import { NodeError } from '../errors.ts'
import { submitCuttable } from './cuttable-epoch.ts'

const idOf = (n: number): IntentionId => toIntentionId(new Uint8Array(32).fill(n))
const TIP = idOf(200)
const MADE = idOf(201)

/** A store with these epochs, all below its tip but for those `beside`; the wishes in the order in which they come. */
function store(faults: readonly (EpochFault | undefined)[], beside: readonly number[] = [], tip = TIP) {
  const wishes: EpochWish[] = []
  return {
    wishes,
    kernel: {
      frontier: () => [tip],
      epochs: () => faults.map((fault, n) => ({ id: idOf(n), fault })),
      isAncestor: (id: IntentionId) => {
        if (beside.includes(id[0] ?? 0)) throw new NodeError('INTENTION_NOT_FOUND', 'it is gone')
        return true
      },
      submitEpoch: async (wish: EpochWish) => {
        wishes.push(wish)
        return MADE
      },
    },
  }
}

describe('an epoch at which history may be cut', () => {
  test('comes alone where nothing is left open below it', async () => {
    const { kernel, wishes } = store([undefined, 'outranked', 'set_aside', 'not_entitled', 'admin_unknown'])
    expect(await submitCuttable(kernel, { kind: 'prune' })).toEqual(MADE)
    expect(wishes).toEqual([{ kind: 'prune' }])
  })

  test('has set aside before what names nothing, or what is void', async () => {
    const { kernel, wishes } = store(['parent_unknown', undefined, 'parent_void', 'parent_unknown'], [3])
    await submitCuttable(kernel, { kind: 'initial' })
    expect(wishes).toEqual([{ kind: 'set_aside', epochs: [idOf(0), idOf(2)] }, { kind: 'initial' }])
  })

  test('comes alone where it has history cut below an earlier one', async () => {
    const { kernel, wishes } = store(['parent_void'])
    await submitCuttable(kernel, { kind: 'prune', below: idOf(7) })
    expect(wishes).toEqual([{ kind: 'prune', below: idOf(7) }])
  })

  test('also where that was written last', async () => {
    const { kernel, wishes } = store(['parent_unknown'], [0], idOf(0))
    await submitCuttable(kernel, { kind: 'prune' })
    expect(wishes.map(({ kind }) => kind)).toEqual(['set_aside', 'prune'])
  })

  test('sets aside as many as one epoch may', async () => {
    const { kernel, wishes } = store(Array.from({ length: MAX_SET_ASIDE + 1 }, () => 'parent_void' as const))
    await submitCuttable(kernel, { kind: 'prune' })
    expect(wishes[0]).toMatchObject({ epochs: { length: MAX_SET_ASIDE } })
  })

  test('is not made where it cannot be told what lies below', async () => {
    const { kernel, wishes } = store(['parent_void'])
    const isAncestor = (): never => {
      throw new NodeError('LOG_DAMAGED', 'it cannot be read')
    }
    await expect(submitCuttable({ ...kernel, isAncestor }, { kind: 'prune' })).rejects.toMatchObject({
      code: 'LOG_DAMAGED',
    })
    expect(wishes).toEqual([])
  })
})
