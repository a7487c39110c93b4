/**
 * Row 12k: what is left on the disk when keys come and go for ever, and the history is pruned now and then.
 *
 * A share of keys is put and deleted, then all of it pruned, again and again, by one whole node that also lets go of what
 * deleted keys leave. The floor is the live state by itself: that of a store in which each key that stays was written once.
 * Held against it is all that the store has in its folder, closed. State at a cut still has the rows that were purged after
 * it, so what one more prune leaves is told beside what there was before it.
 *
 * @module
 */
import { join } from 'node:path'
import { type Kv, openKv } from '@lattice/kvstore'
import { prefixRange, type StoreId, toHex, utf8Encode } from '@lattice/model'
import { createSimMesh, type SimMesh } from '@lattice/testkit'
import { keyOf, valueOf } from '../entries.ts'
import { type Figure, ratioAtMost } from '../figure.ts'
import { bytesOf, liveBytes } from '../live-state.ts'
import type { BenchRow, RowContext } from '../row.ts'
import { against, sampleOf } from '../sample.ts'

/** Keys that stay. */
const KEYS = 1000
/** Prunes while keys come and go. */
const ROUNDS = 10
/** Keys of one write. */
const AT_ONCE = 256

const PREFIX = 'passing/'
const passingKey = (entry: number): Uint8Array => utf8Encode(`${PREFIX}${String(entry).padStart(8, '0')}`)

async function comeAndGo(kv: Kv, from: number, count: number): Promise<void> {
  const entries = Array.from({ length: count }, (_, index) => from + index)
  await kv.import(
    entries.map((entry) => ({ key: passingKey(entry), value: valueOf(entry) })),
    { keysPerWrite: AT_ONCE },
  )
  for (let start = 0; start < count; start += AT_ONCE) {
    const batch = kv.batch()
    for (const entry of entries.slice(start, start + AT_ONCE)) batch.delete(passingKey(entry))
    await batch.commit()
  }
}

const isAnyLeft = (mesh: SimMesh, id: StoreId): boolean =>
  [
    ...mesh
      .store(0, id)
      .kernel()
      .tables()
      .app.scan({ ...prefixRange(utf8Encode(PREFIX)), limit: 1 }),
  ].length > 0

/** Cuts the history; resolves once it is cut, and nothing is left of what was deleted. */
async function prune(mesh: SimMesh, id: StoreId): Promise<void> {
  const store = mesh.store(0, id)
  const { epoch } = await mesh.complete(store.prune())
  await mesh.run(() => {
    const { state, base } = store.pruning()
    return state === 'idle' && base !== undefined && base.seq === epoch?.seq
  }, 'the history is cut')
  await mesh.run(() => !isAnyLeft(mesh, id), 'nothing is left of what was deleted')
  // State goes to disk, and room in its file back to the disk, when the store is idle.
  await mesh.time.pass(60_000)
}

async function run(context: RowContext): Promise<readonly Figure[]> {
  const count = context.size(1_000_000, 20_000)
  const share = count / ROUNDS
  await using mesh = await createSimMesh({ seed: 'coming keys', nodes: 1, within: context.folder() })
  const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
  const folder = (): string => join(mesh.peers[0]?.dataDir() ?? '', 'stores', toHex(id))
  const kv = (): Kv => openKv(mesh.store(0, id))
  const kept = Array.from({ length: KEYS }, (_, entry) => ({ key: keyOf(entry), value: valueOf(entry) }))
  await mesh.complete(kv().import(kept))
  const seconds: number[] = []
  for (let round = 0; round < ROUNDS; round += 1) {
    context.progress(`${share} keys come and go, the ${round + 1}. time of ${ROUNDS}`)
    await mesh.complete(comeAndGo(kv(), round * share, share))
    const startedMs = performance.now()
    await prune(mesh, id)
    seconds.push((performance.now() - startedMs) / 1000)
  }
  await mesh.stop(0)
  const left = bytesOf(folder())
  await mesh.start(0)
  await prune(mesh, id)
  await mesh.stop(0)
  const live = await liveBytes(context.folder(), KEYS)
  const floor = { name: 'the projected state of every key that stays', sample: sampleOf([live / 1e6]) }
  return [
    {
      name: `${count} keys that came and went beside ${KEYS} that stay, pruned ${ROUNDS + 1} times`,
      unit: 'MB',
      ...against(floor, sampleOf([bytesOf(folder()) / 1e6])),
      goals: [ratioAtMost(3)],
    },
    { name: 'the same before the last prune', unit: 'MB', ours: sampleOf([left / 1e6]), goals: [] },
    { name: `a prune of ${share} such keys, and letting go of them`, unit: 's', ours: sampleOf(seconds), goals: [] },
  ]
}

export const COMING_KEYS_ROW: BenchRow = {
  id: '12k',
  task: 'Disk of a store whose keys come and go',
  floor: 'the projected state of every key that stays',
  goal: 'at most 3 times the live state',
  run,
}
