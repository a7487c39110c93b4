/** How much of a store's history is kept, on a real node, through each backend. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { create } from '@bufbuild/protobuf'
import { openKv } from '@lattice/kvstore'
import { encodeUniversalOp, toHex, toIntentionId, toStoreId } from '@lattice/model'
import { daemon, system } from '@lattice/proto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { LatticeBackend } from '../src/index.ts'
import { openRealNode, type RealNode } from './real-node.ts'

const { BEGUN, MARKED, NOTHING } = daemon.PruneOutcome
const { EPOCH_NEEDED, HISTORY_RECENT, NOTHING_TO_PRUNE } = daemon.PruneHindrance

let real: RealNode

beforeEach(async () => {
  real = await openRealNode()
})

afterEach(async () => {
  await real[Symbol.asyncDispose]()
})

const idOf = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)
const codeOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => 'done',
    (error: unknown) => (error as { readonly code?: unknown }).code,
  )

async function lastOf<T>(items: AsyncIterable<T>): Promise<T> {
  let last: T | undefined
  for await (const item of items) last = item
  if (last === undefined) throw new Error('it ended without an answer')
  return last
}

describe.each([0, 1])('by backend %i', (index) => {
  const backend = (): LatticeBackend => {
    const [, opened] = real.backends[index] ?? []
    if (opened === undefined) throw new Error('there are two')
    return opened
  }
  /** A store with one key that was written over and over. */
  async function createWritten(count: number): Promise<Uint8Array> {
    const { id } = await backend().store.create({ name: 'team', storeType: 'core:kvstore' })
    const kv = openKv(real.node.store(toStoreId(id)))
    for (let n = 0; n < count; n += 1) await kv.put('k', `value ${n}`)
    return id
  }

  test('a prune says what goes, deletes it, and says where history begins', async () => {
    const { store } = backend()
    const storeId = await createWritten(40)
    const plan = await store.planPrune({ storeId })
    expect(plan).toMatchObject({ hindrance: EPOCH_NEEDED, epoch: new Uint8Array(0), waitsFor: [] })
    expect(plan.goes?.intentions).toBeGreaterThanOrEqual(40n)
    expect(await store.getPruning({ storeId })).toMatchObject({ state: daemon.PruningState.IDLE })

    const { outcome, epoch } = await store.prune({ storeId })
    expect(outcome).toBe(BEGUN)
    if (epoch === undefined) throw new Error('there is an epoch')
    const done = await lastOf(store.followPruning({ storeId, epoch: epoch.id }))
    expect(done).toMatchObject({ state: daemon.PruningState.IDLE, base: { epoch: epoch.id, seq: epoch.seq } })
    expect(done.base?.gone).toBe(plan.goes?.intentions)
    expect(await openKv(real.node.store(toStoreId(storeId))).get('k')).toMatchObject({ conflicted: false })

    expect(await store.planPrune({ storeId })).toMatchObject({ hindrance: NOTHING_TO_PRUNE })
    expect(await store.prune({ storeId })).toMatchObject({ outcome: NOTHING })
  })

  test('what is kept is cut at an epoch, which is made where none is old enough', async () => {
    const { store } = backend()
    const storeId = await createWritten(5)
    expect(await store.planPrune({ storeId, keepCount: 3n })).toMatchObject({ hindrance: HISTORY_RECENT })
    const marked = await store.prune({ storeId, keepCount: 3n })
    expect(marked).toMatchObject({ outcome: MARKED, epoch: { cause: daemon.EpochCause.INITIAL } })
    // Nothing was written since, so that epoch will do.
    expect(await store.prune({ storeId, keepCount: 3n })).toMatchObject({ outcome: NOTHING })
    const kv = openKv(real.node.store(toStoreId(storeId)))
    for (let n = 0; n < 3; n += 1) await kv.put('k', `more ${n}`)
    const begun = await store.prune({ storeId, keepCount: 3n })
    expect(begun).toMatchObject({ outcome: BEGUN, plan: { epoch: marked.epoch?.id } })
    const done = await lastOf(store.followPruning({ storeId, epoch: begun.epoch?.id ?? new Uint8Array(0) }))
    expect(toHex(done.base?.epoch ?? new Uint8Array(0))).toBe(toHex(marked.epoch?.id ?? new Uint8Array(0)))
  })

  test('the state at an epoch is kept on demand, once there is one', async () => {
    const { store } = backend()
    const storeId = await createWritten(3)
    expect(await store.getSnapshot({ storeId })).toMatchObject({ state: daemon.SnapshotState.NONE, divergences: [] })
    expect(await codeOf(lastOf(store.makeSnapshot({ storeId })))).toBe('WRONG_STATE')
    await store.prune({ storeId, keepCount: 100n })
    const { progress } = await lastOf(store.makeSnapshot({ storeId }))
    expect(progress).toMatchObject({ case: 'made', value: { appRows: 1n } })
    const status = await store.getSnapshot({ storeId })
    expect(status).toMatchObject({ state: daemon.SnapshotState.READY, settled: progress.value })
    expect((await store.getStatus({ storeId })).snapshotBytes).toBe(status.settled?.bytes)
  })

  test('a policy is set, shown, and refused where it makes no sense', async () => {
    const { store } = backend()
    const storeId = await createWritten(1)
    expect((await store.getPruning({ storeId })).policy).toMatchObject({ policy: { case: 'manual' } })
    const keepDays = { policy: { case: 'keepDays', value: 30 } } as const
    expect(await store.setPrunePolicy({ storeId, policy: keepDays })).toMatchObject(keepDays)
    expect((await store.getPruning({ storeId })).policy).toMatchObject(keepDays)
    const refused = [undefined, {}, { policy: { case: 'keepDays', value: 0 } as const }]
    for (const policy of refused) {
      expect(await codeOf(store.setPrunePolicy({ storeId, ...(policy && { policy }) }))).toBe('INVALID_ARGUMENT')
    }
    expect(await codeOf(store.planPrune({ storeId, keepCount: 1n, keepDays: 1 }))).toBe('INVALID_ARGUMENT')
    expect(await codeOf(store.prune({ storeId, keepCount: 2n ** 60n }))).toBe('INVALID_ARGUMENT')
    const child = await store.create({ name: 'notes', parentId: storeId })
    expect((await store.getPruning({ storeId: child.id })).policy).toMatchObject(keepDays)
    expect(await codeOf(store.setPrunePolicy({ storeId: child.id, policy: keepDays }))).toBe('NOT_SUPPORTED')
  })

  test('what is followed is an epoch that deletes', async () => {
    const { store } = backend()
    const storeId = await createWritten(2)
    const { epoch } = await store.prune({ storeId, keepCount: 100n })
    const follow = (id: Uint8Array): Promise<unknown> => codeOf(lastOf(store.followPruning({ storeId, epoch: id })))
    expect(await follow(epoch?.id ?? new Uint8Array(0))).toBe('WRONG_STATE')
    expect(await follow(new Uint8Array(32))).toBe('INTENTION_NOT_FOUND')
    expect(await follow(new Uint8Array(3))).toBe('INVALID_ARGUMENT')
  })

  test('what was put aside is written anew or let go, by id or all of it, and what stays says why', async () => {
    const { store } = backend()
    const storeId = await createWritten(1)
    const kernel = real.node.store(toStoreId(storeId)).kernel()
    const [newest] = kernel.history(undefined, 1)
    if (newest === undefined) throw new Error('something was written')
    const invited = encodeUniversalOp({
      kind: 'system',
      schema: 0,
      value: create(system.SystemOpSchema, {
        op: { case: 'invite', value: { op: { case: 'create', value: { uses: 1 } } } },
      }),
    })
    const line = (byte: number, ops: Uint8Array): string =>
      `${JSON.stringify({ id: toHex(idOf(byte)), wall: 1, counter: 0, op: toHex(ops) })}\n`
    const { ops } = newest.parsed.intention
    const lines = [line(0x11, ops), line(0x12, invited), line(0x13, ops), line(0x14, ops)]
    writeFileSync(join(real.dataDir, 'stores', toHex(storeId), 'stranded.jsonl'), lines.join(''))
    const remedy = 'make the invite again: its token admits nobody'
    const listed = await store.listStranded({ storeId })
    expect(listed.writes.map(({ id, remedy: text }) => [id[0], text])).toEqual([
      [0x11, ''],
      [0x12, remedy],
      [0x13, ''],
      [0x14, ''],
    ])
    expect(await codeOf(store.resubmitStranded({ storeId, ids: ['1515'] }))).toBe('INTENTION_NOT_FOUND')
    expect(await codeOf(store.resubmitStranded({ storeId, ids: ['1'], drop: true }))).toBe('INVALID_ARGUMENT')
    expect(await store.resubmitStranded({ storeId, ids: ['1414'], drop: true })).toMatchObject({ dropped: 1n })
    const before = kernel.stats().witnessCount
    const some = await store.resubmitStranded({ storeId, ids: ['1313'] })
    expect(some).toMatchObject({ settled: [idOf(0x13)], kept: [], errorCode: '', error: '' })
    expect(some.ids.map((id) => kernel.has(toIntentionId(id)))).toEqual([true])
    const all = await store.resubmitStranded({ storeId })
    expect(all).toMatchObject({ settled: [idOf(0x11)], kept: [{ id: idOf(0x12), reason: remedy }] })
    expect(kernel.stats().witnessCount).toBe(before + 2)
    expect((await store.listStranded({ storeId })).total).toBe(1n)
    expect(await store.resubmitStranded({ storeId, drop: true })).toMatchObject({ dropped: 1n })
    expect((await store.listStranded({ storeId })).total).toBe(0n)
  })
})
