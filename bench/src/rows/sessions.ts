/**
 * Row 6s: sessions of real stores, by tip maps and by ranges: bytes, round trips and CPU by what is shared and what is not.
 *
 * @module
 */
import { assert } from '@lattice/model'
import { driveSession, type SessionFigures } from '../drive-session.ts'
import { atMost, type Figure, ratioAtMost } from '../figure.ts'
import { sessionStoreOf } from '../replica.ts'
import { type ReplicaPair, withReplicaPair } from '../replica-pair.ts'
import type { BenchRow, RowContext } from '../row.ts'
import { against, sampleOf } from '../sample.ts'

const DIFFERENCES = [0, 100, 10_000]
/** A short session is over before its code is compiled; a long one compiles it as it goes, and takes seconds. */
const SHORT = { below: 1000, warmUps: 12, repeats: 3 }
const LONG = { warmUps: 0, repeats: 2 }
/** The goals are for this many. */
const GOAL_NEWS = 100

type Way = 'by maps' | 'by ranges'

async function sessionsOf(
  { left, right, diverge }: ReplicaPair,
  { count, way }: { readonly count: number; readonly way: Way },
): Promise<{ readonly sessions: readonly SessionFigures[]; readonly payload: number }> {
  const sessions: SessionFigures[] = []
  let payload = 0
  const { warmUps, repeats } = count < SHORT.below ? SHORT : LONG
  for (let turn = 0; turn < warmUps + repeats; turn += 1) {
    const { bytes } = await diverge(count)
    payload = bytes[0] + bytes[1]
    globalThis.gc?.()
    const change = way === 'by maps' ? {} : { chainTips: () => undefined }
    const session = await driveSession(sessionStoreOf(left.kernel, change), sessionStoreOf(right.kernel))
    assert(session.outcome.sent === count && session.outcome.received === count, 'exactly the difference is moved')
    if (turn >= warmUps) sessions.push(session)
  }
  return { sessions, payload }
}

async function measure(replicas: ReplicaPair, shared: number, context: RowContext): Promise<readonly Figure[]> {
  const figures: Figure[] = []
  for (const count of DIFFERENCES) {
    // Where nothing differs, the way is not chosen.
    for (const way of count === 0 ? (['by maps'] as const) : (['by maps', 'by ranges'] as const)) {
      context.progress(`${shared} shared, ${count} new on each side, ${way}`)
      const { sessions, payload } = await sessionsOf(replicas, { count, way })
      figures.push(...figuresOf({ sessions, payload, shared, count, way }))
    }
  }
  return figures
}

interface Case {
  readonly sessions: readonly SessionFigures[]
  readonly payload: number
  readonly shared: number
  readonly count: number
  readonly way: Way
}

function figuresOf({ sessions, payload, shared, count, way }: Case): readonly Figure[] {
  const name = `${shared} shared, ${count === 0 ? 'equal' : `${count} new each, ${way}`}`
  const sample = (of: (session: SessionFigures) => number) => sampleOf(sessions.map(of))
  const bytes = sample((session) => session.bytes)
  const isGoal = count === GOAL_NEWS && way === 'by maps'
  const floor = { name: 'the new intentions themselves', sample: sampleOf(sessions.map(() => payload)) }
  return [
    {
      name: `${name}: round trips`,
      unit: 'rounds',
      ours: sample((s) => s.roundTrips),
      goals: isGoal ? [atMost(2)] : [],
    },
    count === 0
      ? { name: `${name}: bytes`, unit: 'B', ours: bytes, goals: [] }
      : { name: `${name}: bytes`, unit: 'B', ...against(floor, bytes), goals: isGoal ? [ratioAtMost(2)] : [] },
    {
      name: `${name}: CPU to find it`,
      unit: 'ms',
      ours: sample((s) => s.findingMs),
      goals: isGoal ? [atMost(10)] : [],
    },
    { name: `${name}: CPU in all`, unit: 'ms', ours: sample((s) => s.cpuMs), goals: [] },
  ]
}

async function run(context: RowContext): Promise<readonly Figure[]> {
  const sizes = context.quick ? [10_000, 100_000] : [10_000, 100_000, 1_000_000]
  const figures: Figure[] = []
  for (const shared of sizes) {
    figures.push(...(await withReplicaPair(context, shared, (replicas) => measure(replicas, shared, context))))
  }
  return figures
}

export const SESSIONS_ROW: BenchRow = {
  id: '6s',
  task: 'Sessions of stores of 20 authors: both sides in process, new intentions taken in',
  floor: 'the new intentions themselves',
  goal: 'with 100 new on each side at most 2 round trips, twice the payload, 10 ms of CPU of both sides',
  run,
}
