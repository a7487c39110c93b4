/**
 * Row 4: taking in the history of others, in runs and signed one by one.
 *
 * @module
 */
import { availableParallelism } from 'node:os'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import {
  assert,
  intentionId,
  isSigned,
  MAX_RUN_LENGTH,
  type ParsedIntention,
  type SignedIntention,
  verifyParsed,
} from '@lattice/model'
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

/** The longest turns of the event loop in milliseconds, while taking in and while closing after it. */
interface Turns {
  readonly ingestMs: number
  readonly closeMs: number
}

/**
 * The longest turns, in a pass of its own. Batches are cut from frames as they are asked for, as they come from a network:
 * a heap of a hundred thousand intentions that nobody but the benchmark holds would be measured with it.
 */
async function longestTurns({ history, intentions }: Received, context: RowContext): Promise<Turns> {
  const frames = [...groupsOf(intentions, BATCH)].map(frameOf)
  await using pool = createVerifyPool({ crypto, onFault: () => {} })
  await pool.start()
  const { kernel } = await openStore({ directory: context.folder(), ...history, verifier: pool })
  const ingestMs = await longestTurnOf(() => ingestAll(kernel, batchesIn(frames)))
  return { ingestMs, closeMs: await longestTurnOf(kernel.close) }
}

async function longestTurnOf(work: () => Promise<void>): Promise<number> {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  await work()
  delay.disable()
  return delay.max / 1e6
}

/** A batch as one array, and where its parts begin. */
interface Frame {
  readonly bytes: Uint8Array
  readonly ends: readonly number[]
}

function frameOf(batch: readonly SignedIntention[]): Frame {
  const parts = batch.flatMap(({ bytes, signature }) => [bytes, signature])
  let end = 0
  const ends = parts.map(({ length }) => (end += length))
  const bytes = new Uint8Array(end)
  for (const [index, part] of parts.entries()) bytes.set(part, (ends[index] ?? 0) - part.length)
  return { bytes, ends }
}

function* batchesIn(frames: readonly Frame[]): Generator<readonly SignedIntention[], void, undefined> {
  for (const { bytes, ends } of frames) {
    const part = (index: number): Uint8Array => bytes.subarray(ends[index - 1] ?? 0, ends[index])
    yield Array.from({ length: ends.length / 2 }, (_, index) => ({
      bytes: part(2 * index),
      signature: part(2 * index + 1),
    }))
  }
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
  const turn = await longestTurns(inRuns, context)

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
  const turnOfSingle = await longestTurns(single, context)
  return [
    { name: `ingest of ${count}, in runs`, unit: '/s', ...runs, goals: [atLeast(100_000)] },
    { name: 'longest turn, in runs', unit: 'ms', ours: sampleOf([turn.ingestMs]), goals: [atMost(MAX_TURN_MS)] },
    { name: 'longest turn of closing after it', unit: 'ms', ours: sampleOf([turn.closeMs]), goals: [] },
    { name: `ingest of ${single.intentions.length}, each signed`, unit: '/s', ...singly, goals: [ratioAtLeast(0.8)] },
    {
      name: 'longest turn, each signed',
      unit: 'ms',
      ours: sampleOf([turnOfSingle.ingestMs]),
      goals: [atMost(MAX_TURN_MS)],
    },
  ]
}

export const BOOTSTRAP_ROW: BenchRow = {
  id: '4',
  task: 'Bootstrap in process: verified, durable on arrival, state projected',
  floor: 'verification and SQLite',
  goal: 'in runs at least 100,000 /s; each signed at least 0.8 of what verification allows',
  run,
}
