import type { Kernel } from '@lattice/kernel'
import {
  idKey,
  type IntentionId,
  type PublicKey,
  type StoreId,
  toHash,
  toIntentionId,
  toPublicKey,
  toStoreId,
} from '@lattice/model'
import { createManualScheduler } from '@lattice/model/testing'
import type { Cutoff, EpochWish } from '@lattice/store-base'
import { setStrategy } from '@lattice/systemstore'
import { expect, test } from 'vitest'
import { createEpochFollower, FOLLOW_DEADLINE_MS } from './follow-epochs.ts'
import type { NodeContext } from './node-context.ts'
import type { StoreEntry } from './store-entry.ts'
import { createTestTables } from './testing/system-tables.ts'

const idOf = (byte: number): IntentionId => toIntentionId(toHash(new Uint8Array(32).fill(byte)))
const keyOf = (byte: number): PublicKey => toPublicKey(new Uint8Array(32).fill(byte))
const storeOf = (byte: number): StoreId => toStoreId(new Uint8Array(32).fill(byte))
const [team, notes] = [storeOf(8), storeOf(9)]
const [self, gone] = [keyOf(1), keyOf(2)]

/** A store below one in which somebody was removed, and which says so only where `follows`. */
function createScene() {
  const scheduler = createManualScheduler()
  const wishes: EpochWish[] = []
  const at = { epoch: idOf(20), follows: false }
  let version = {}
  const viewOf = (cutoffs: () => readonly Cutoff[]) => () => ({
    version,
    limited: () => (cutoffs().length === 0 ? [] : [gone]),
    cutoffsOf: cutoffs,
    active: () => [self],
    isAdmin: () => true,
    faultOf: () => undefined,
  })
  const removal = (): Cutoff => ({ epoch: at.epoch, remains: 'none', readmissions: [] })
  const above = {
    storeId: team,
    membership: viewOf(() => [removal()]),
    digest: () => ({ epochHeads: [at.epoch] }),
    isAncestor: () => true,
    missing: () => [],
    get: () => undefined,
  } as unknown as Kernel
  const kernel = {
    storeId: notes,
    tables: () =>
      createTestTables(self, [setStrategy({ author: self, strategy: { kind: 'inherited', parent: team } })]),
    membership: viewOf(() => (at.follows ? [removal()] : [])),
    submitEpoch: async (wish: EpochWish) => {
      wishes.push(wish)
      version = {}
    },
    epochs: () => [],
    digest: () => ({ epochHeads: [] }),
  } as unknown as Kernel
  const parent = { record: { id: team }, open: { kernel: above }, ready: true, parent: () => undefined }
  const child = { record: { id: notes }, open: { kernel }, ready: true, revoked: false, parent: () => parent }
  const entries = new Map([parent, child].map((entry) => [idKey(entry.record.id), entry as unknown as StoreEntry]))
  const context = { id: self, scheduler, clock: scheduler.clock, logger: { warn: () => {} } } as unknown as NodeContext
  let woken = 0
  const follower = createEpochFollower(context, { entries, wake: () => void (woken += 1) })
  return { scheduler, wishes, at, settle: follower.settle, woken: () => woken }
}

test('a store that differs after it followed follows the same epoch again after a while, and another at once', async () => {
  const { scheduler, wishes, at, settle, woken } = createScene()
  await settle()
  expect(wishes).toEqual([{ kind: 'parent', store: team, epoch: at.epoch }])
  for (let look = 0; look < 10; look += 1) await settle()
  expect(wishes).toHaveLength(1)
  await scheduler.advanceAsync(FOLLOW_DEADLINE_MS - 1)
  await settle()
  expect([wishes.length, woken()]).toEqual([1, 0])
  await scheduler.advanceAsync(1)
  expect(woken()).toBe(1)
  for (let look = 0; look < 10; look += 1) await settle()
  expect(wishes).toHaveLength(2)
  at.epoch = idOf(21)
  for (let look = 0; look < 10; look += 1) await settle()
  expect(wishes).toHaveLength(3)
  at.follows = true
  await scheduler.advanceAsync(10 * FOLLOW_DEADLINE_MS)
  await settle()
  expect(wishes).toHaveLength(3)
})
