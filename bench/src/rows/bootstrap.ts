/**
 * Row 4: taking in the history of others, in runs and signed one by one.
 *
 * @module
 */
import { availableParallelism } from 'node:os'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { assert, intentionId, isSigned, MAX_RUN_LENGTH, type ParsedIntention, verifyParsed } from '@lattice/model'
import { createVerifyPool } from '@lattice/runtime/verify-pool'
import { type BareRow, bareRowsOf, createBareStore, groupsOf } from '../bare-store.ts'
import { atLeast, atMost, type Figure, ratioAtLeast } from '../figure.ts'
import { createHistory, type History } from '../history.ts'
import type { BenchRow, RowContext } from '../row.ts'
import { measureAgainst, rateOf, rateOfSync, sampleOf } from '../sample.ts'
import { ingestAll, openStore } from '../store.ts'
import { verifyOnAllCores } from '../verify-on-all-cores.ts'
import { crypto } from '../world.ts'

/** Intentions of one batch: whole runs, about what a few frames hold. */
const BATCH: number = 8 * MAX_RUN_LENGTH
/** The event loop is not held longer, however much there is to take in. */
const MAX_TURN_MS = 20

interface Received {
  readonly history: History
  readonly intentions: readonly ParsedIntention[]
}

function receive(count: number, runLength: number): Received {
  const history = createHistory({ runLength })
  const intentions = [...batchesOf(count)].flatMap((batch) => history.next(batch))
  return { history, intentions }
}

function* batchesOf(count: number): Generator<number, void, undefined> {
  for (let left = count; left > 0; left -= BATCH) yield Math.min(BATCH, left)
}

/** Takes everything into a new store. Answers how many a second, all of it durable and projected. */
async function ingest({ history, intentions }: Received, context: RowContext): Promise<number> {
  await using pool = createVerifyPool({
    crypto,
    onFault: (why) => context.progress(`a thread was lost: ${String(why)}`),
  })
  // A node has had it running when a bootstrap comes.
  await pool.start()
  await using store = await openStore({ directory: context.folder(), ...history, verifier: pool })
  const { kernel } = store
  const rate = await rateOf(intentions.length, () => ingestAll(kernel, groupsOf(intentions, BATCH)))
  assert(kernel.projection().appliedSeq === intentions.length + 1, 'everything is projected')
  return rate
}

/** The longest turn of the event loop in milliseconds, in a pass of its own. */
async function longestTurn(received: Received, context: RowContext): Promise<number> {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  await ingest(received, context)
  delay.disable()
  return delay.max / 1e6
}

/** Hashing each, verifying what is signed, and appending the rows: in turn, on one core. */
function appendVerified(intentions: readonly ParsedIntention[], rows: readonly BareRow[], context: RowContext): number {
  const bare = createBareStore(context.folder())
  try {
    return rateOfSync(intentions.length, () => {
      for (const parsed of intentions) {
        intentionId(crypto, parsed.bytes)
        if (isSigned(parsed)) assert(verifyParsed(crypto, parsed), 'the signature is good')
      }
      for (const group of groupsOf(rows, BATCH)) bare.append(group)
    })
  } finally {
    bare.close()
  }
}

async function run(context: RowContext): Promise<readonly Figure[]> {
  const repeats = { warmUps: 1, repeats: Math.min(3, context.repeats) }
  const count = context.size(100_000, 20_000)
  context.progress(`making ${count} intentions`)
  const inRuns = receive(count, MAX_RUN_LENGTH)
  const rows = bareRowsOf(inRuns.intentions, 1)
  const runs = await measureAgainst(
    {
      name: 'one core: BLAKE3 of each, one verification per run, SQLite append of the same rows',
      work: () => appendVerified(inRuns.intentions, rows, context),
    },
    () => ingest(inRuns, context),
    repeats,
  )
  const turn = await longestTurn(inRuns, context)

  const single = receive(context.size(50_000, 10_000), 1)
  const cores = availableParallelism()
  const singly = await measureAgainst(
    {
      name: `one Ed25519 verification each, on all ${cores} cores (${crypto.backend})`,
      work: () => verifyOnAllCores(single.intentions, cores),
    },
    () => ingest(single, context),
    repeats,
  )
  const turnOfSingle = await longestTurn(single, context)
  return [
    { name: `ingest of ${count}, in runs`, unit: '/s', ...runs, goals: [atLeast(100_000)] },
    { name: 'longest turn, in runs', unit: 'ms', ours: sampleOf([turn]), goals: [atMost(MAX_TURN_MS)] },
    { name: `ingest of ${single.intentions.length}, each signed`, unit: '/s', ...singly, goals: [ratioAtLeast(0.8)] },
    { name: 'longest turn, each signed', unit: 'ms', ours: sampleOf([turnOfSingle]), goals: [atMost(MAX_TURN_MS)] },
  ]
}

export const BOOTSTRAP_ROW: BenchRow = {
  id: '4',
  task: 'Bootstrap in process: verified, durable on arrival, state projected',
  floor: 'verification and SQLite',
  goal: 'in runs at least 100,000 /s; each signed at least 0.8 of what verification allows',
  run,
}
