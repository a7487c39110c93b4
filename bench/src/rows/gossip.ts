/**
 * Row 13: what a broadcast takes among many nodes, and what is left of it when many of them vanish at once.
 *
 * The machines of membership and broadcast are the real ones, in virtual time; stores and connections are models. Nothing
 * reconciles, so that what is delivered is delivered by gossip alone.
 *
 * @module
 */
import type { IntentionId } from '@lattice/model'
import { GossipSwarm, since, type Taken, type TrafficCounts } from '@lattice/net/testing'
import { atLeast, type Figure, type Goal, ratioAtMost, type Unit } from '../figure.ts'
import type { BenchRow, RowContext } from '../row.ts'
import { against, sampleOf } from '../sample.ts'

/** As the live service has it: the active view, and its heartbeats. */
const NEIGHBORS = 5
const TICK_MS = 10_000
const SILENCE_MS = 10_000
const LATENCY_MS = { min: 10, max: 100 }
const VERIFY_MS = 5
/** Between two broadcasts: each has arrived before the next. */
const PAUSE_MS = 5_000
const SETTLE_TICKS = 8
/** A break in the tree is found and mended well within this. */
const REPAIR_TICKS = 6
const SEEDS: readonly number[] = [1, 2, 3]

/** What some broadcasts came to. */
interface Cast {
  /** Of the living nodes. */
  readonly deliveredShare: number
  readonly meanHops: number
  readonly lastHop: number
  /** Until the last delivery, in virtual time, on average. */
  readonly lastMs: number
  readonly traffic: TrafficCounts
  readonly messages: number
  readonly nodes: number
  readonly elapsedMs: number
}

type Writer = (turn: number) => number

function cast(swarm: GossipSwarm, messages: number, writer: Writer): Cast {
  const before = swarm.counts()
  const startedMs = swarm.nowMs
  const sent: { readonly id: IntentionId; readonly atMs: number }[] = []
  for (let turn = 0; turn < messages; turn += 1) {
    sent.push({ id: swarm.broadcast(writer(turn)), atMs: swarm.nowMs })
    swarm.run(PAUSE_MS)
  }
  const all = sent.map(({ id, atMs }) => ({ atMs, taken: takenBy(swarm, id) }))
  const hops = all.flatMap(({ taken }) => taken.map(({ round }) => round)).filter((round) => round > 0)
  const nodes = swarm.living().length
  return {
    deliveredShare: sumOf(all.map(({ taken }) => taken.length)) / (messages * nodes),
    meanHops: sumOf(hops) / hops.length,
    lastHop: Math.max(...hops),
    lastMs: sumOf(all.map(({ taken, atMs }) => Math.max(...taken.map((at) => at.atMs)) - atMs)) / messages,
    traffic: since(before, swarm.counts()),
    messages,
    nodes,
    elapsedMs: swarm.nowMs - startedMs,
  }
}

function takenBy(swarm: GossipSwarm, id: IntentionId): readonly Taken[] {
  return swarm
    .living()
    .map((number) => swarm.taken(number, id))
    .filter((taken) => taken !== undefined)
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0)
}

/** Depth of the shallowest tree in which each of `nodes` has so many neighbours: the last node's, and the mean. */
function shallowest(nodes: number): { readonly last: number; readonly mean: number } {
  let [left, width, depth, sum] = [nodes - 1, NEIGHBORS, 0, 0]
  while (left > 0) {
    depth += 1
    sum += depth * Math.min(width, left)
    left -= width
    width *= NEIGHBORS - 1
  }
  return { last: depth, mean: sum / (nodes - 1) }
}

/** Every node writes in turn, far from the one before. */
const scattered =
  (swarm: GossipSwarm): Writer =>
  (turn) => {
    const living = swarm.living()
    return living[(turn * 617) % living.length] ?? 0
  }

interface Run {
  readonly steady: Cast
  readonly oneWriter: Cast
  /** Right after the crash, before anybody noticed; and the same messages once the overlay was mended. */
  readonly during: Cast
  readonly lateShare: number
  readonly after: Cast
  /** Nodes of the largest part of the overlay. */
  readonly connectedShare: number
}

function runOnce(nodes: number, seed: number, crashedShare: number): Run {
  const swarm = new GossipSwarm({
    seed,
    nodes,
    latencyMs: LATENCY_MS,
    verifyMs: VERIFY_MS,
    tickMs: TICK_MS,
    silenceMs: SILENCE_MS,
  })
  swarm.startAll()
  swarm.run(SETTLE_TICKS * TICK_MS)
  // The first broadcasts make the tree.
  cast(swarm, 10, scattered(swarm))
  const oneWriter = cast(swarm, 10, () => 0)
  cast(swarm, 5, scattered(swarm))
  const steady = cast(swarm, 10, scattered(swarm))
  // Keys are in no order that the overlay knows of: any so many nodes are a random choice.
  const dead = Array.from({ length: Math.floor(nodes * crashedShare) }, (_, number) => nodes - 1 - number)
  swarm.crash(dead)
  const id = swarm.broadcast(0)
  swarm.run(PAUSE_MS)
  const share = (): number => takenBy(swarm, id).length / swarm.living().length
  const atOnce = share()
  const during = { ...cast(swarm, 1, scattered(swarm)), deliveredShare: atOnce }
  swarm.run(REPAIR_TICKS * TICK_MS)
  const lateShare = share()
  cast(swarm, 5, scattered(swarm))
  const after = cast(swarm, 10, scattered(swarm))
  const [largest = 0] = swarm.components()
  return { steady, oneWriter, during, lateShare, after, connectedShare: largest / swarm.living().length }
}

const perDelivery = ({ messages, nodes }: Cast, count: number): number => count / (messages * (nodes - 1))

function castFigures(name: string, casts: readonly Cast[], hasGoals: boolean): readonly Figure[] {
  const goals = (...list: readonly Goal[]): readonly Goal[] => (hasGoals ? list : [])
  const nodes = casts[0]?.nodes ?? 0
  const floor = shallowest(nodes)
  const figure = (what: string, unit: Unit, of: (one: Cast) => number): Figure => ({
    name: `${name}: ${what}`,
    unit,
    ours: sampleOf(casts.map(of)),
    goals: [],
  })
  const beside = (base: Figure, floorName: string, value: number): Figure =>
    base.ours === undefined ? base : { ...base, ...against({ name: floorName, sample: sampleOf([value]) }, base.ours) }
  const depth = 'the shallowest tree of 5 neighbours'
  return [
    { ...figure('delivered', '%', ({ deliveredShare }) => 100 * deliveredShare), goals: goals(atLeast(100)) },
    {
      ...beside(
        figure('messages sent in full', 'sent', (one) => one.traffic.payloads / one.messages),
        'n-1',
        nodes - 1,
      ),
      goals: goals(ratioAtMost(1.05)),
    },
    {
      ...beside(
        figure('hops, mean', 'hops', ({ meanHops }) => meanHops),
        depth,
        floor.mean,
      ),
      goals: goals(ratioAtMost(3)),
    },
    beside(
      figure('hops, last delivery', 'hops', ({ lastHop }) => lastHop),
      depth,
      floor.last,
    ),
    figure('until the last delivery', 'ms', ({ lastMs }) => lastMs),
    figure('IHave, graft and prune by delivery', 'B', (one) => perDelivery(one, one.traffic.treeBytes)),
  ]
}

async function run(context: RowContext): Promise<readonly Figure[]> {
  const nodes = context.size(1_000, 200)
  const figures: Figure[] = []
  for (const crashedShare of [0.3, 0.6]) {
    const runs = SEEDS.map((seed) => {
      context.progress(`${nodes} nodes, of which ${100 * crashedShare} % crash, seed ${seed}`)
      return runOnce(nodes, seed, crashedShare)
    })
    const share = (name: string, of: (one: Run) => number, goals: readonly Goal[]): Figure => ({
      name,
      unit: '%',
      ours: sampleOf(runs.map((one) => 100 * of(one))),
      goals,
    })
    if (figures.length === 0) {
      figures.push(
        ...castFigures(
          `${nodes} nodes`,
          runs.map(({ steady }) => steady),
          true,
        ),
        ...castFigures(
          'one writer',
          runs.map(({ oneWriter }) => oneWriter),
          true,
        ),
        {
          name: 'membership by node and second',
          unit: 'B',
          ours: sampleOf(
            runs.map(({ steady }) => (steady.traffic.membershipBytes * 1000) / steady.nodes / steady.elapsedMs),
          ),
          goals: [],
          note: `a tick every ${TICK_MS / 1000} s`,
        },
      )
    }
    const crashed = `${100 * crashedShare} % crashed`
    figures.push(
      {
        ...share(`${crashed}: delivered before anybody noticed`, ({ during }) => during.deliveredShare, []),
        note: `of the living; a crash is noticed after ${SILENCE_MS / 1000} s of silence`,
      },
      share(`${crashed}: the same message ${REPAIR_TICKS} ticks later`, ({ lateShare }) => lateShare, [atLeast(100)]),
      share(`${crashed}: in one overlay then`, ({ connectedShare }) => connectedShare, [atLeast(100)]),
      ...castFigures(
        `${crashed}, mended`,
        runs.map(({ after }) => after),
        true,
      ),
    )
  }
  return figures
}

export const GOSSIP_ROW: BenchRow = {
  id: '13',
  task: 'Broadcast by gossip, in virtual time',
  floor: 'n-1 sent in full; the shallowest tree of 5 neighbours',
  goal: 'all living nodes, 1.05 times what is sent and 3 times the depth of the floor, also after 30 and 60 % crashed at once',
  run,
}
