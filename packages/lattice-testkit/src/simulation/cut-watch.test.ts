/** Sets over an epoch are known before a history begins there. */
import { toHash, toIntentionId, toStoreId } from '@lattice/model'
import { expect, test } from 'vitest'
import { createCutWatch } from './cut-watch.ts'

test('what is held over an epoch is told of once history may begin there, though nobody has cut', () => {
  const final = toIntentionId(new Uint8Array(32).fill(1))
  const waiting = toIntentionId(new Uint8Array(32).fill(2))
  const setOf = (witnessCount: number) => {
    const hash = toHash(new Uint8Array(32))
    return { witnessCount, fingerprint: hash, epochHeads: [], settledSeq: 0, tipsDigest: hash }
  }
  const kernel = {
    storeId: toStoreId(new Uint8Array(32)),
    base: () => undefined,
    epochs: () => [{ id: final, isFinal: true } as never, { id: waiting, isFinal: false } as never],
    digest: () => setOf(9),
    over: (base: Uint8Array) => ({ digest: () => setOf(base[0] ?? 0), rangeIndex: () => undefined as never }),
  }
  const told: number[] = []
  createCutWatch().watch({ key: 'a', kernel, isWatched: () => true }, (set) => told.push(set.witnessCount))()
  expect(told).toEqual([9, 1])
})
