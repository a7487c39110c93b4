/**
 * Row 12: what is left on the disk when few keys are overwritten very often and the history is pruned now and then.
 *
 * A share of the writes, then a prune of all of it, again and again, as a store with a policy goes through. The floor is
 * the live state by itself: the projected state of a store in which every key was written once. Held against it is all that
 * the pruned store has in its folder, closed: log, state and snapshot.
 *
 * @module
 */
import type { Kernel, KernelEvent } from '@lattice/kernel'
import { type Figure, ratioAtMost } from '../figure.ts'
import { createHistory } from '../history.ts'
import { bytesOf, liveBytes, overwrites } from '../live-state.ts'
import type { BenchRow, RowContext } from '../row.ts'
import { against, sampleOf } from '../sample.ts'
import { openStore } from '../store.ts'

const KEYS = 1000
/** Prunes in a run. */
const ROUNDS = 10

type Pruned = Extract<KernelEvent, { readonly kind: 'pruned' }>

/** Makes the epoch of a prune; resolves once everything below it is gone. */
async function prune(kernel: Kernel): Promise<Pruned> {
  const pruned = new Promise<Pruned>((resolve) => {
    const cancel = kernel.onEvent((event) => {
      if (event.kind !== 'pruned') return
      cancel()
      resolve(event)
    })
  })
  await kernel.submitEpoch({ kind: 'prune' })
  return pruned
}

async function run(context: RowContext): Promise<readonly Figure[]> {
  const count = context.size(10_000_000, 200_000)
  const directory = context.folder()
  const history = createHistory({ runLength: 1 })
  const share = count / ROUNDS
  const seconds: number[] = []
  {
    await using store = await openStore({ directory, ...history, durability: 'normal', epochs: true })
    for (let round = 0; round < ROUNDS; round += 1) {
      context.progress(`${share} overwrites, the ${round + 1}. time of ${ROUNDS}`)
      await store.kernel.submitMany(overwrites(round * share, { count: share, keys: KEYS }))
      const startedMs = performance.now()
      await prune(store.kernel)
      seconds.push((performance.now() - startedMs) / 1000)
    }
  }
  const live = await liveBytes(context.folder(), KEYS)
  const floor = { name: 'the projected state of every key written once', sample: sampleOf([live / 1e6]) }
  return [
    {
      name: `${count} overwrites of ${KEYS} keys, pruned ${ROUNDS} times`,
      unit: 'MB',
      ...against(floor, sampleOf([bytesOf(directory) / 1e6])),
      goals: [ratioAtMost(3)],
    },
    { name: `a prune of ${share}, from its epoch to the last byte`, unit: 's', ours: sampleOf(seconds), goals: [] },
  ]
}

export const PRUNING_ROW: BenchRow = {
  id: '12',
  task: 'Disk of a store that is pruned',
  floor: 'the projected state of every key written once',
  goal: 'at most 3 times the live state',
  run,
}
