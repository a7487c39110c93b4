/**
 * What a seed stands for: who takes part, how long, and which faults there are.
 *
 * Not every run has every fault: what is always disturbed never gets far, and some faults hide others. So each seed draws
 * which of them it has and how often they come.
 *
 * @module
 */
import { MAX_DRIFT_MS } from '@lattice/model'
import { createSeededRandom, type SeededRandom } from '@lattice/model/testing'
import { DEFAULT_LIMITS } from '@lattice/net'
import type { Conditions } from '@lattice/net-sim'
import type { FaultKind, HostileHabit } from './kinds.ts'
import { drawConditions } from './weather.ts'

export interface SimulationOptions {
  readonly seed: number
  /** Honest nodes that are there from the start, 2 to 16; 5 unless told. */
  readonly nodes?: number
  /** Virtual minutes of work and faults; 1 unless told. */
  readonly minutes?: number
  /** These faults alone, instead of those that the seed draws. */
  readonly faults?: readonly FaultKind[]
  /** The habits of the hostile peer, instead of drawn ones; none of it when empty. */
  readonly hostile?: readonly HostileHabit[]
  /** Instead of a drawn number. */
  readonly historyPercent?: number
  readonly cutsApart?: number
}

export interface SimulationPlan {
  readonly seed: number
  readonly nodes: number
  readonly minutes: number
  /** Nodes that join while things go on. */
  readonly lateNodes: number
  /** The mesh is made in the run itself, instead of copied. */
  readonly fresh: boolean
  /** Once all have come together they are watched for a while, and have to stay so. */
  readonly watchesQuiet: boolean
  /** In the end a node is closed and opened again. */
  readonly reopens: boolean
  /** Mean virtual time between two acts. */
  readonly paceMs: number
  /** Of a hundred acts, so many are faults. */
  readonly faultPercent: number
  /** Of a hundred acts that are no faults, so many change who may write. */
  readonly membershipPercent: number
  /** Of a hundred acts that are no faults, so many are about history. */
  readonly historyPercent: number
  /** So often history is cut while somebody is away, once the chaos is over: whoever was then comes back behind that. */
  readonly cutsApart: number
  readonly faults: readonly FaultKind[]
  readonly hostile: readonly HostileHabit[]
  readonly conditions: Conditions
  /** Neighbours that a node keeps in gossip: in some runs fewer than there are peers. */
  readonly activeView: number
  /** Nodes look for each other as on a local network, too. */
  readonly discovery: boolean
}

export const DEFAULT_NODES = 5
export const MAX_NODES = 16
export const DEFAULT_MINUTES = 1
/** How far a clock is ahead at most: what is written by it waits for as long. */
export const MAX_AHEAD_MS: number = 3 * MAX_DRIFT_MS

const FAULTS: readonly FaultKind[] = [
  'crash',
  'crash_at_point',
  'stop',
  'partition',
  'one_way_cut',
  'disconnect',
  'skew',
  'skew_far',
  'disk_full',
  'weather',
]

const HABITS: readonly HostileHabit[] = [
  'forge_digest',
  'lie_about_count',
  'withhold',
  'bad_signature',
  'garbage',
  'oversized',
  'repeat',
  'done_early',
  'fall_silent',
  'end_early',
  'fork',
  'invent_ids',
  'graft_or_prune',
  'other_topic',
  'invent_peers',
  'forge_epoch',
  'forge_ack',
  'backdate_epoch',
  'lie_about_time',
]

const STATE_HABITS: readonly HostileHabit[] = ['lie_about_state']

/** One run in so many makes its mesh itself. */
const FRESH_ONE_IN = 20
/** One run in so many has circles that are larger than a node's view of them. */
const NARROW_ONE_IN = 4
/** One run in so many is on a network where nodes find each other by asking. */
const DISCOVERY_ONE_IN = 3
/** In one run in so many rights are taken and given: there it is done often, so that much of it meets. */
const MEMBERSHIP_ONE_IN = 3
/** In one run in so many history is cut, and in one of so many of those while somebody is away for all of it. */
const HISTORY_ONE_IN = 4
const APART_ONE_IN = 2
const MAX_CUTS_APART = 2
/** Means between acts: short ones crowd a network that has no time to settle, long ones let everything settle. */
const PACES_MS = [400, 1_000, 2_500] as const

export function drawPlan(options: SimulationOptions): SimulationPlan {
  const { seed, nodes = DEFAULT_NODES, minutes = DEFAULT_MINUTES } = options
  if (!Number.isInteger(nodes) || nodes < 2 || nodes > MAX_NODES) {
    throw new RangeError(`a simulation has 2 to ${MAX_NODES} nodes, not ${nodes}: choose another number`)
  }
  if (!(minutes > 0)) throw new RangeError(`a simulation lasts longer than ${minutes} minutes: choose another number`)
  const random = createSeededRandom(`plan ${seed}`)
  const drawn = {
    seed,
    nodes,
    minutes,
    lateNodes: random.below(3) === 0 ? 1 + random.below(2) : 0,
    fresh: random.below(FRESH_ONE_IN) === 0,
    watchesQuiet: random.below(4) === 0,
    reopens: random.below(3) === 0,
    paceMs: PACES_MS[random.below(PACES_MS.length)] ?? PACES_MS[0],
    faultPercent: 10 + random.below(40),
    membershipPercent: random.below(MEMBERSHIP_ONE_IN) === 0 ? 20 + random.below(60) : 0,
    faults: FAULTS.filter(() => random.below(2) === 0),
    hostile: random.below(2) === 0 ? [] : HABITS.filter(() => random.below(4) === 0),
    conditions: drawConditions(random),
    activeView: random.below(NARROW_ONE_IN) === 0 ? 2 + random.below(2) : DEFAULT_LIMITS.activeView,
    discovery: random.below(DISCOVERY_ONE_IN) === 0,
  }
  const history = drawHistory(random)
  // What is chosen changes nothing of what is drawn after it.
  return {
    ...drawn,
    ...history,
    // A server of history that was cut lies about that, if about anything.
    hostile:
      history.historyPercent > 0 && drawn.hostile.length > 0 ? [...drawn.hostile, ...STATE_HABITS] : drawn.hostile,
    ...(options.faults && { faults: options.faults }),
    ...(options.hostile && { hostile: options.hostile }),
    ...(options.historyPercent !== undefined && { historyPercent: options.historyPercent }),
    ...(options.cutsApart !== undefined && { cutsApart: options.cutsApart }),
  }
}

const NO_HISTORY = { historyPercent: 0, cutsApart: 0 } as const

/** Drawn after all else: runs without it are as they would be if there were no such thing. */
function drawHistory(random: SeededRandom): Pick<SimulationPlan, 'historyPercent' | 'cutsApart'> {
  if (random.below(HISTORY_ONE_IN) > 0) return NO_HISTORY
  const historyPercent = 15 + random.below(40)
  const cutsApart = random.below(APART_ONE_IN) === 0 ? 1 + random.below(MAX_CUTS_APART) : 0
  return { historyPercent, cutsApart }
}

export function describePlan(plan: SimulationPlan): string {
  return JSON.stringify(plan)
}
