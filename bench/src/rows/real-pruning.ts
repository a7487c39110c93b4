/**
 * Row 12d: three real daemons hold a long history of overwrites, prune it, and a fourth joins what is left.
 *
 * All in processes of their own, over QUIC on loopback, driven through the API. The floor of the size is the log of a store
 * in which every key was written once; the floor of the join is that of such a store. The row fails where the four do not
 * end with one state, or where the root of the newcomer is not the one that the others signed.
 *
 * @module
 */
import { join } from 'node:path'
import { storeExecutor } from '@lattice/api'
import { kvStore } from '@lattice/kvstore'
import { assert, type StoreId, toHex, toStoreId } from '@lattice/model'
import { createClient } from '@lattice/store-base'
import { type Daemon, startDaemon } from '../daemon.ts'
import { keyOf, valueOf } from '../entries.ts'
import { type Figure, ratioAtMost } from '../figure.ts'
import type { BenchRow, RowContext } from '../row.ts'
import { against, sampleOf } from '../sample.ts'

const KEYS = 1000
/** Written at once: they share commits. */
const AT_ONCE = 200
const NAMES = ['a', 'b', 'c'] as const

async function create({ backend }: Daemon): Promise<StoreId> {
  const { id } = await backend.store.create({ name: 'team', storeType: 'core:kvstore' })
  return toStoreId(id)
}

async function overwrite(daemon: Daemon, storeId: StoreId, count: number): Promise<void> {
  const kv = createClient(kvStore, storeExecutor(daemon.backend, storeId))
  for (let from = 0; from < count; from += AT_ONCE) {
    const entries = Array.from({ length: Math.min(AT_ONCE, count - from) }, (_, index) => from + index)
    await Promise.all(entries.map((entry) => kv.put({ key: keyOf(entry % KEYS), value: valueOf(entry) })))
  }
}

/** Seconds until the guest holds all of it, from the moment at which it has the token. */
async function joinAs(host: Daemon, guest: Daemon, storeId: StoreId): Promise<number> {
  const { token } = await host.backend.store.invite({ storeId })
  const startedMs = performance.now()
  for await (const _progress of guest.backend.store.join({ token }));
  return (performance.now() - startedMs) / 1000
}

/** Resolves once the daemon holds the same as all it is connected to. */
async function syncAll({ backend }: Daemon, storeId: StoreId): Promise<void> {
  for (;;) {
    for await (const { progress } of backend.store.sync({ storeId })) {
      if (progress.case === 'summary' && progress.value.peers > 0 && progress.value.peers === progress.value.synced)
        return
    }
  }
}

async function stateOf({ backend }: Daemon, storeId: StoreId): Promise<string> {
  const { fingerprint, stateDigest } = await backend.store.getStatus({ storeId })
  return `${toHex(fingerprint)} ${toHex(stateDigest)}`
}

/** Of the latest settled epoch, and whether enough of the peers signed it. */
async function signedRoot({ backend }: Daemon, storeId: StoreId): Promise<string> {
  const { settled } = await backend.store.getSnapshot({ storeId })
  const { epochs } = await backend.store.listEpochs({ storeId })
  const epoch = toHex(settled?.epoch ?? new Uint8Array(0))
  assert(epochs.find(({ id }) => toHex(id) === epoch)?.final === true, 'the quorum signed the state')
  return `${epoch} ${toHex(settled?.root ?? new Uint8Array(0))}`
}

/** What a store costs whose keys were written once: bytes of its log, and seconds until a newcomer has it. */
async function liveCost(folder: string): Promise<{ readonly bytes: number; readonly seconds: number }> {
  await using one = await startDaemon(join(folder, 'one'))
  await using other = await startDaemon(join(folder, 'other'))
  const storeId = await create(one)
  await overwrite(one, storeId, KEYS)
  const seconds = await joinAs(one, other, storeId)
  return { bytes: one.logBytes(storeId), seconds }
}

async function pruneAll(daemons: readonly Daemon[], storeId: StoreId): Promise<number> {
  const [first] = daemons
  assert(first !== undefined, 'there are daemons')
  const startedMs = performance.now()
  const { epoch } = await first.backend.store.prune({ storeId })
  const id = epoch?.id
  assert(id !== undefined, 'there is an epoch')
  // Who does not have it yet cannot follow it.
  await syncAll(first, storeId)
  const follow = async ({ backend }: Daemon): Promise<void> => {
    for await (const _status of backend.store.followPruning({ storeId, epoch: id }));
  }
  await Promise.all(daemons.map(follow))
  return (performance.now() - startedMs) / 1000
}

async function run(context: RowContext): Promise<readonly Figure[]> {
  const count = context.size(1_000_000, 20_000)
  const live = await liveCost(context.folder())
  const folder = context.folder()
  await using stack = new AsyncDisposableStack()
  const daemons: Daemon[] = []
  for (const name of NAMES) daemons.push(stack.use(await startDaemon(join(folder, name))))
  const [first, ...others] = daemons
  assert(first !== undefined, 'there are daemons')
  const storeId = await create(first)
  for (const guest of others) await joinAs(first, guest, storeId)
  context.progress(`${count} overwrites, replicated to two others`)
  await overwrite(first, storeId, count)
  await syncAll(first, storeId)
  const before = first.logBytes(storeId)
  context.progress('three daemons prune')
  const seconds = await pruneAll(daemons, storeId)
  const after = Math.max(...daemons.map((daemon) => daemon.logBytes(storeId)))
  const fourth = stack.use(await startDaemon(join(folder, 'd')))
  const joined = await joinAs(first, fourth, storeId)
  await syncAll(fourth, storeId)
  assert((await stateOf(fourth, storeId)) === (await stateOf(first, storeId)), 'all hold the same state')
  assert((await signedRoot(fourth, storeId)) === (await signedRoot(first, storeId)), 'the root is the one they signed')
  const size = { name: 'the log of every key written once', sample: sampleOf([live.bytes / 1e6]) }
  const join4 = { name: 'joining a store of every key written once', sample: sampleOf([live.seconds]) }
  return [
    {
      name: `log of ${count} overwrites of ${KEYS} keys at three daemons, pruned`,
      unit: 'MB',
      ...against(size, sampleOf([after / 1e6])),
      goals: [ratioAtMost(1)],
    },
    { name: 'the same log before', unit: 'MB', ours: sampleOf([before / 1e6]), goals: [] },
    { name: 'the prune, from its epoch until all three are done', unit: 's', ours: sampleOf([seconds]), goals: [] },
    { name: 'a fourth daemon joins', unit: 's', ...against(join4, sampleOf([joined])), goals: [ratioAtMost(1.5)] },
  ]
}

export const REAL_PRUNING_ROW: BenchRow = {
  id: '12d',
  task: 'Three real daemons prune, a fourth joins',
  floor: 'a store of every key written once',
  goal: 'no larger, and joined in at most 1.5 times the time',
  run,
}
