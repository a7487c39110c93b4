import { toIntentionId, toPublicKey } from '@lattice/model'
import { createMemoryTable } from '@lattice/model/testing'
import { createSystemLayer } from '@lattice/systemstore'
import { expect, test } from 'vitest'
import { isStillIn } from './store-acts.ts'

test('who the peers no longer count among them does not take part again by rejoining', () => {
  const tables = { system: createMemoryTable(), app: createMemoryTable() }
  const creator = toPublicKey(new Uint8Array(32).fill(1))
  createSystemLayer().applyGenesis(tables, {
    id: toIntentionId(new Uint8Array(32).fill(9)),
    author: creator,
    timestamp: { wall: 1, counter: 0 },
    deps: [],
    follows: () => true,
    covers: () => false,
    op: undefined,
  })
  const store = { kernel: { tables: () => tables } }
  expect(isStillIn(store, creator, () => undefined)).toBe(true)
  expect(isStillIn(store, toPublicKey(new Uint8Array(32).fill(2)), () => undefined)).toBe(false)
})
