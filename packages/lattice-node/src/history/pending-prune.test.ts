import type { EpochStatus } from '@lattice/kernel'
import { type IntentionId, toIntentionId, toPublicKey } from '@lattice/model'
import { describe, expect, test } from 'vitest'
import { pendingPrune } from './pending-prune.ts'

const idOf = (n: number): IntentionId => toIntentionId(new Uint8Array(32).fill(n))

/** An epoch that waits for acknowledgements. */
const epoch = (seq: number, rest: Partial<EpochStatus>): EpochStatus => ({
  id: idOf(seq),
  seq: BigInt(seq),
  author: toPublicKey(new Uint8Array(32)),
  timestamp: { wall: 1, counter: 0 },
  cause: { kind: 'initial' },
  fault: undefined,
  isHead: true,
  required: [],
  acked: [],
  waitingFor: [],
  isSettled: false,
  roots: [],
  isDiverged: false,
  isUpheld: true,
  isFinal: false,
  mayBegin: false,
  ...rest,
})
const here = epoch(3, { cause: { kind: 'prune' } })
const below = epoch(4, { cause: { kind: 'prune', below: idOf(2) } })

/** Newest first; a base at this number where there is one. */
function pendingOf(epochs: readonly EpochStatus[], base?: number): number | undefined {
  const found = pendingPrune({
    epochs: () => epochs,
    base: () => (base === undefined ? undefined : { epoch: idOf(base), seq: BigInt(base), fromSeq: 9, goneCount: 8 }),
  })
  return found && Number(found.seq)
}

describe('the epoch by which history is to be deleted next', () => {
  test.each<[string, readonly EpochStatus[], number | undefined, number | undefined]>([
    ['is the newest', [here, epoch(2, { cause: { kind: 'prune' } })], undefined, 3],
    ['is none where no epoch is for that', [epoch(3, {})], undefined, undefined],
    ['is none that has no effect', [{ ...here, fault: 'outranked' }], undefined, undefined],
    ['is none whose part is gone', [here], 3, undefined],
    ['says below which', [below, epoch(2, {})], 1, 4],
    ['is none whose part is gone below an earlier one', [below, epoch(2, {})], 2, undefined],
    ['waits for the others', [{ ...here, isUpheld: true, isSettled: true }], undefined, 3],
    [
      'is none below which something counts otherwise by then',
      [{ ...here, isUpheld: false, isSettled: true }],
      1,
      undefined,
    ],
    ['nor one that names such an epoch', [below, epoch(2, { isUpheld: false, isSettled: true })], undefined, undefined],
  ])('%s', (_, epochs, base, seq) => {
    expect(pendingOf(epochs, base)).toBe(seq)
  })
})
