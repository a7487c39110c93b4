/**
 * A process that lives through a short history and kills itself at storage point number so-and-so. It says on its
 * standard output what it promised, and in the end how many points there are.
 *
 * @module
 */
import { writeSync } from 'node:fs'
import { toHex } from '@lattice/model'
import type { StoragePoint } from '@lattice/storage'
import { at, signerOf, write } from '../harness.ts'
import { appOp } from '../tracking-projector.ts'
import { type HistoryStep, liveThrough } from './crash-history.ts'

const bob = signerOf(2)

const STEPS: readonly HistoryStep[] = [
  async ({ submit }) => {
    await submit('set k v')
    await Promise.all([1, 2].map(async (n) => submit(`set k${n} v`)))
  },
  async ({ genesis, ingest }) => {
    const run = [write(bob, { prev: genesis, at: at(1), close: false })]
    run.push(write(bob, { prev: run[0]?.id ?? genesis, at: at(2), op: appOp('set b v') }))
    const late = write(bob, { prev: run[1]?.id ?? genesis, at: at(3) })
    await ingest([late])
    await ingest(run)
  },
  async ({ reopen, submit }) => {
    await reopen()
    await submit('set last v')
  },
  async ({ kernel }) => kernel().close(),
]

/** What happens inside a transaction before it commits is on no disk. */
const COUNTED: ReadonlySet<StoragePoint> = new Set(['open', 'opened', 'commit', 'committed', 'close', 'closed'])

const [, , directory = '', killAt = '0'] = process.argv
let points = 0
await liveThrough(STEPS, {
  directory,
  hooks: {
    at: (point) => {
      if (!COUNTED.has(point)) return
      points += 1
      if (points === Number(killAt)) process.kill(process.pid, 'SIGKILL')
    },
  },
  // Straight to the pipe: what is buffered would die with the process.
  onPromise: ({ id, floating }) => void writeSync(1, `${floating ? 'floating' : 'witnessed'} ${toHex(id)}\n`),
})
writeSync(1, `points ${points}\n`)
