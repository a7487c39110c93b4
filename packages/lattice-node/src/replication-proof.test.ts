import { toPublicKey } from '@lattice/model'
import { describe, expect, test } from 'vitest'
import { judgeReplication, type PeerEvidence } from './replication-proof.ts'

const [ANN, BEA] = [toPublicKey(new Uint8Array(32).fill(1)), toPublicKey(new Uint8Array(32).fill(2))]
const about = (change: Partial<PeerEvidence>): PeerEvidence => ({
  peer: ANN,
  isOnline: false,
  sync: 'unknown',
  unseen: undefined,
  ...change,
})

describe('that some other peer holds everything', () => {
  test('is shown by equal digests, also of one that writes nothing', () => {
    const evidence = [about({ unseen: 3 }), about({ peer: BEA, isOnline: true, sync: 'synced' })]
    expect(judgeReplication(evidence)).toEqual({ kind: 'held', by: BEA, how: 'digest' })
  })

  test('is shown by what a peer wrote with all in its past, also of one that is away', () => {
    expect(judgeReplication([about({ unseen: 0 })])).toEqual({ kind: 'held', by: ANN, how: 'acks' })
    expect(judgeReplication([about({ unseen: 0, isOnline: true, sync: 'differs' })])).toMatchObject({ how: 'acks' })
  })

  test('is not shown by what a peer wrote that is there and has nothing to say of the store', () => {
    expect(judgeReplication([about({ unseen: 0, isOnline: true })])).toEqual({
      kind: 'unproven',
      best: undefined,
      unproven: undefined,
    })
  })

  test('is not shown by several between them, of which the best is named', () => {
    const evidence = [about({ unseen: 4, sync: 'differs' }), about({ peer: BEA, unseen: 2 })]
    expect(judgeReplication(evidence)).toEqual({ kind: 'unproven', best: BEA, unproven: 2 })
  })

  test('is not shown of a reader by anything but digests', () => {
    expect(judgeReplication([about({})])).toEqual({ kind: 'unproven', best: ANN, unproven: undefined })
    expect(judgeReplication([about({ isOnline: true, sync: 'differs' })])).toMatchObject({ kind: 'unproven' })
    expect(judgeReplication([])).toEqual({ kind: 'unproven', best: undefined, unproven: undefined })
  })
})
