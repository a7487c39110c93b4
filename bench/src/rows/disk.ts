/**
 * Row 9: what an intention takes on disk, once the store is closed.
 *
 * @module
 */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { MAX_RUN_LENGTH } from '@lattice/model'
import { groupsOf } from '../bare-store.ts'
import { KEY_BYTES, VALUE_BYTES } from '../entries.ts'
import { type Figure, ratioAtMost } from '../figure.ts'
import { createHistory } from '../history.ts'
import type { BenchRow, RowContext } from '../row.ts'
import { against, sampleOf } from '../sample.ts'
import { ingestAll, openStore } from '../store.ts'

/** Two hashes, a key, a clock and what links them: what an intention cannot do without. */
const OVERHEAD_BYTES = 200

async function run(context: RowContext): Promise<readonly Figure[]> {
  const count = context.size(100_000, 20_000)
  const directory = context.folder()
  const history = createHistory({ runLength: MAX_RUN_LENGTH })
  const intentions = history.next(count)
  {
    await using store = await openStore({ directory, ...history })
    await ingestAll(store.kernel, groupsOf(intentions, 8 * MAX_RUN_LENGTH))
  }
  const bytesOf = (isCounted: (name: string) => boolean): number =>
    readdirSync(directory)
      .filter(isCounted)
      .reduce((sum, name) => sum + statSync(join(directory, name)).size, 0) / count
  const payload = KEY_BYTES + VALUE_BYTES
  const floor = { name: `payload (${payload} B) and ${OVERHEAD_BYTES} B`, sample: sampleOf([payload + OVERHEAD_BYTES]) }
  return [
    {
      name: `log of ${count}, by intention`,
      unit: 'B',
      ...against(floor, sampleOf([bytesOf((name) => name.startsWith('log.db'))])),
      goals: [ratioAtMost(1.6)],
    },
    {
      name: 'log and projected state',
      unit: 'B',
      ...against(floor, sampleOf([bytesOf(() => true)])),
      goals: [],
      note: 'the goal is for what an intention takes; its state can be deleted and is made anew',
    },
  ]
}

export const DISK_ROW: BenchRow = {
  id: '9',
  task: 'Disk per intention',
  floor: 'payload and 200 B',
  goal: 'at most 1.6 times the floor',
  run,
}
