import { type IntentionId, toIntentionId, toPublicKey, toStoreId } from '@lattice/model'
import { type EpochFault, type EpochWish, MAX_SET_ASIDE, type MembershipView } from '@lattice/store-base'
import { describe, expect, test } from 'vitest'
import { NodeError } from '../errors.ts'
import type { AboveKernel } from '../follow-epochs.ts'
import { submitCuttable } from './cuttable-epoch.ts'

const idOf = (n: number): IntentionId => toIntentionId(new Uint8Array(32).fill(n))
const TIP = idOf(200)
const MADE = idOf(201)
const ABOVE = { storeId: toStoreId(idOf(210)), head: idOf(211) }
const GONE = toPublicKey(idOf(212))

/** What a store comes to where that peer was removed, and where nobody was. */
function viewOf(peers: 'removed' | 'nobody'): MembershipView {
  const limited = peers === 'removed' ? [GONE] : []
  const cutoffs = [{ epoch: ABOVE.head, remains: 'none' as const, readmissions: [] }]
  return {
    faultOf: () => undefined,
    removalsOf: () => [],
    cutoffsOf: () => (peers === 'removed' ? cutoffs : []),
    isHeard: () => true,
    limited: () => limited,
    active: () => [],
    leftBy: () => undefined,
    isAdmin: () => false,
    isSenior: () => false,
    mayOutrank: () => false,
    mayReturn: () => false,
    hasSay: () => false,
  }
}

/** A store above with one epoch. */
function above(peers: 'removed' | 'nobody'): AboveKernel {
  const view = viewOf(peers)
  const heads = { epochHeads: [ABOVE.head] } as unknown as ReturnType<AboveKernel['digest']>
  return {
    storeId: ABOVE.storeId,
    digest: () => heads,
    membership: () => view,
    membershipAt: () => view,
    isAncestor: () => true,
    missing: () => [],
    tables: () => {
      throw new Error('nobody asks who was an admin')
    },
  }
}

/** A store with these epochs, all below its tip but for those `beside`; the wishes in the order in which they come. */
function store(faults: readonly (EpochFault | undefined)[], beside: readonly number[] = [], tip = TIP) {
  const wishes: EpochWish[] = []
  return {
    wishes,
    kernel: {
      membership: () => viewOf('nobody'),
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
    expect(await submitCuttable(kernel, { kind: 'prune' }, undefined)).toEqual(MADE)
    expect(wishes).toEqual([{ kind: 'prune' }])
  })

  test('has set aside before what names nothing, or what is void', async () => {
    const { kernel, wishes } = store(['parent_unknown', undefined, 'parent_void', 'parent_unknown'], [3])
    await submitCuttable(kernel, { kind: 'initial' }, undefined)
    expect(wishes).toEqual([{ kind: 'set_aside', epochs: [idOf(0), idOf(2)] }, { kind: 'initial' }])
  })

  test('comes alone where it has history cut below an earlier one', async () => {
    const { kernel, wishes } = store(['parent_void'])
    await submitCuttable(kernel, { kind: 'prune', below: idOf(7) }, above('removed'))
    expect(wishes).toEqual([{ kind: 'prune', below: idOf(7) }])
  })

  test('also where that was written last', async () => {
    const { kernel, wishes } = store(['parent_unknown'], [0], idOf(0))
    await submitCuttable(kernel, { kind: 'prune' }, undefined)
    expect(wishes.map(({ kind }) => kind)).toEqual(['set_aside', 'prune'])
  })

  test('comes after one that follows the store above, where that has removed somebody since', async () => {
    const { kernel, wishes } = store(['parent_void'])
    await submitCuttable(kernel, { kind: 'prune' }, above('removed'))
    const followed = { kind: 'parent', store: ABOVE.storeId, epoch: ABOVE.head }
    expect(wishes).toEqual([followed, { kind: 'set_aside', epochs: [idOf(0)] }, { kind: 'prune' }])
  })

  test('comes alone where there is nothing above to follow', async () => {
    const { kernel, wishes } = store([undefined])
    await submitCuttable(kernel, { kind: 'prune' }, above('nobody'))
    expect(wishes).toEqual([{ kind: 'prune' }])
  })

  test('sets aside as many as one epoch may', async () => {
    const { kernel, wishes } = store(Array.from({ length: MAX_SET_ASIDE + 1 }, () => 'parent_void' as const))
    await submitCuttable(kernel, { kind: 'prune' }, undefined)
    expect(wishes[0]).toMatchObject({ epochs: { length: MAX_SET_ASIDE } })
  })

  test('is not made where it cannot be told what lies below', async () => {
    const { kernel, wishes } = store(['parent_void'])
    const isAncestor = (): never => {
      throw new NodeError('LOG_DAMAGED', 'it cannot be read')
    }
    await expect(submitCuttable({ ...kernel, isAncestor }, { kind: 'prune' }, undefined)).rejects.toMatchObject({
      code: 'LOG_DAMAGED',
    })
    expect(wishes).toEqual([])
  })
})
