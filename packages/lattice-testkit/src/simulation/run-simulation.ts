/**
 * One run: everybody works while everything goes wrong; then nothing does any more, and all have to come together.
 *
 * Time, chance, delivery and timers are one seeded scheduler's, so a seed names a course: run again, it is taken again.
 * The nodes are whole ones, with their databases on disk.
 *
 * @module
 */
import { type IntentionId, toHex } from '@lattice/model'
import { cutApart } from './cut-apart.ts'
import { act } from './draw-act.ts'
import { SimulationFailed, type SimulationFinding } from './failure.ts'
import { explainDifference } from './explain.ts'
import { bringUp, comeBack, disturb } from './faults.ts'
import { forge } from './forge-epochs.ts'
import { checkEnd, checkStep, difference } from './invariants.ts'
import { members } from './gathering.ts'
import { drawPlan, type SimulationOptions, type SimulationPlan } from './plan.ts'
import type { PreparedMesh, SharedStores } from './prepared-mesh.ts'
import { find } from './run-record.ts'
import { openWorld } from './open-world.ts'
import { FAIR_CONDITIONS } from './weather.ts'
import type { PlantMachine } from './watched-machine.ts'
import { storeIn, type World } from './world.ts'

export interface SimulationResult {
  readonly plan: SimulationPlan
  /** Equal for runs that took the same course. */
  readonly traceHash: string
  readonly events: number
  readonly steps: number
  readonly virtualMs: number
  /** From the end of the faults until everybody had come together. */
  readonly healMs: number
  readonly sessions: number
  readonly messages: number
  readonly bytes: number
  readonly writes: number
  /** Of the network, of the nodes and of the hostile peer, by kind. */
  readonly faults: Readonly<Record<string, number>>
}

export interface RunOptions extends SimulationOptions {
  /** A mesh of `nodes + 1`, see `prepareMesh`; without it each run makes its own. */
  readonly prepared?: PreparedMesh
  readonly onLine?: (line: string) => void
  /** Breaks what it likes after each step, and before what is checked in the end: how the checks themselves are tested. */
  readonly sabotage?: (world: World) => void
  /** Puts another machine in the place of the watched one. */
  readonly plant?: PlantMachine
}

/** Virtual time in which everybody has to come together: the longest of back-offs, sessions and clocks that are ahead. */
export const HEAL_DEADLINE_MS: number = 15 * 60_000
/** Between two looks whether they have, and what is added to it of the time it takes. */
const LOOK_MS = 20
const LOOK_PART = 0.05
/** After that it has to stay so: what follows a write by itself is over by then. */
const QUIET_MS = 8_000
/** Between two looks at the rules meanwhile. */
const QUIET_LOOK_MS = 1_000
/** What is on its way as nodes close has come by then, was given up, or is a fault that ends. */
const SILENT_MS = 10 * 60_000
/** Between two looks whether it has. */
const SILENT_LOOK_MS = 10_000

/** Rejects with {@link SimulationFailed}. */
export async function runSimulation(options: RunOptions): Promise<SimulationResult> {
  const plan = drawPlan(options)
  const { prepared, onLine, plant } = options
  const world = await openWorld({ plan, prepared: plan.fresh ? undefined : prepared, onLine, plant })
  const rejections = catchRejections(world)
  try {
    await chaos(world, options.sabotage)
    await cutApart(world)
    checkStep(world)
    throwFound(world)
    const healMs = await heal(world)
    await settle(world, options.sabotage)
    if (plan.reopens) await reopen(world)
    const result = resultOf(world, healMs)
    await close(world)
    return result
  } catch (error) {
    if (error instanceof SimulationFailed) throw error
    throw failed(world, { invariant: 'runs_to_its_end', message: String(error) }, error)
  } finally {
    rejections.stop()
    await world.mesh.close().catch(() => undefined)
  }
}

async function chaos(world: World, sabotage: RunOptions['sabotage']): Promise<void> {
  const { plan, record, mesh, random, late } = world
  record.phase = 'chaos'
  record.isHostileActive = true
  mesh.network.change(plan.conditions)
  for (const index of late) bringUp(world, index)
  const endsMs = mesh.time.scheduler.clock.monotonicMs() + plan.minutes * 60_000
  while (mesh.time.scheduler.clock.monotonicMs() < endsMs) {
    record.step += 1
    if (random.below(100) < plan.faultPercent) disturb(world)
    else act(world)
    forge(world)
    await mesh.time.pass(1 + random.below(2 * plan.paceMs))
    for (const index of world.honest) if (isDown(world, index)) comeBack(world, index)
    sabotage?.(world)
    checkStep(world)
    throwFound(world)
  }
}

function isDown({ mesh, record }: World, index: number): boolean {
  return mesh.peers[index]?.isUp() !== true && !record.busy.has(index)
}

/** Ends the faults and waits until everybody has come together. Answers how long that took. */
async function heal(world: World): Promise<number> {
  const { record, mesh, honest } = world
  record.phase = 'heal'
  record.journal.note('everything is well from here on')
  record.fullDisks.clear()
  mesh.network.change(FAIR_CONDITIONS)
  mesh.network.heal()
  for (const index of honest) {
    mesh.skew(index, 0)
    mesh.calm(index)
  }
  return untilTogether(world, 'heals_in_time')
}

/** Waits until everybody has come together. Answers how long that took; rejects once something was found. */
async function untilTogether(world: World, invariant: string): Promise<number> {
  const { record, mesh, honest } = world
  const beganMs = mesh.time.scheduler.clock.monotonicMs()
  const sinceMs = (): number => mesh.time.scheduler.clock.monotonicMs() - beganMs
  const isTogether = (): boolean => {
    // Whoever is down comes back at first; later nobody goes down any more.
    if (record.phase === 'heal') for (const index of honest) if (isDown(world, index)) bringUp(world, index)
    return record.findings.length > 0 || difference(world) === undefined
  }
  while (!isTogether()) {
    if (sinceMs() > HEAL_DEADLINE_MS) throw failed(world, { invariant, message: why(world) })
    // Looking costs more than most of what happens meanwhile.
    await mesh.time.pass(LOOK_MS + Math.floor(sinceMs() * LOOK_PART))
    checkStep(world)
  }
  throwFound(world)
  return sinceMs()
}

function why(world: World): string {
  return [difference(world) ?? '', explainDifference(world)].join('\n')
}

async function settle(world: World, sabotage: RunOptions['sabotage']): Promise<void> {
  const { record, mesh, plan } = world
  record.phase = 'check'
  for (let ms = 0; plan.watchesQuiet && ms < QUIET_MS; ms += QUIET_LOOK_MS) {
    await mesh.time.pass(QUIET_LOOK_MS)
    checkStep(world)
  }
  await untilTogether(world, 'stays_together')
  sabotage?.(world)
  await checkEnd(world)
  throwFound(world)
}

/** Closes every node and opens it again at once: nothing is left behind, nothing is lost. */
async function reopen(world: World): Promise<void> {
  const { mesh, record } = world
  const nodes = members(world)
  const [first] = nodes
  if (first === undefined) return
  record.journal.note(`node-${first} is closed and opened again`)
  const before = tipsOf(world, first)
  await mesh.stop(first)
  bringUp(world, first)
  // What a store is fetched anew for is gone on with at once, and may take its place just then.
  const isInUse = (): boolean => before.every(([name]) => storeIn(world, first, world.stores[name]) !== undefined)
  await mesh.run(() => record.findings.length > 0 || isInUse(), 'the node is up again')
  throwFound(world)
  for (const [name, ids] of before) {
    const kernel = mesh.store(first, world.stores[name]).kernel()
    for (const id of ids) {
      // Of what was cut there is the place alone.
      if (kernel.base() === undefined && !kernel.has(id))
        find(record, 'reopens_as_it_was', `node-${first} lacks ${toHex(id)} of ${name}`)
    }
  }
  checkStep(world)
  throwFound(world)
}

/** Closes every node for good: none of them fails to, and nothing of them goes on. */
async function close(world: World): Promise<void> {
  const { mesh, record } = world
  await mesh.close()
  const left = (): number => mesh.network.connectionCount() + mesh.time.scheduler.pending()
  for (let ms = 0; ms < SILENT_MS && left() > 0; ms += SILENT_LOOK_MS) await mesh.time.pass(SILENT_LOOK_MS)
  if (left() > 0) find(record, 'closes_cleanly', `${left()} connections and timers are left`)
  throwFound(world)
}

function tipsOf(
  { mesh, stores }: World,
  index: number,
): readonly (readonly [keyof SharedStores, readonly IntentionId[]])[] {
  const names = ['team', 'watched'] as const
  return names.map((name) => {
    const tips = mesh.store(index, stores[name]).kernel().tips()
    return [name, tips.flatMap((author) => author.tips.map(({ id }) => id))] as const
  })
}

function throwFound(world: World): void {
  const [first] = world.record.findings
  if (first !== undefined) throw failed(world, first)
}

function failed(world: World, finding: SimulationFinding, cause?: unknown): SimulationFailed {
  const { plan, record, mesh } = world
  const virtualMs = mesh.time.scheduler.clock.monotonicMs()
  const { phase, step } = record
  const moment = { plan, phase, step, virtualMs, lines: record.journal.lines() }
  return new SimulationFailed(finding, moment, cause === undefined ? {} : { cause })
}

/** A promise that fails and that nobody looks at is a finding. */
function catchRejections(world: World): { readonly stop: () => void } {
  const onRejection = (reason: unknown): void => {
    const text = reason instanceof Error ? (reason.stack ?? reason.message) : String(reason)
    world.record.findings.push({ invariant: 'no_unhandled_rejections', message: text })
  }
  process.on('unhandledRejection', onRejection)
  return { stop: () => process.off('unhandledRejection', onRejection) }
}

function resultOf(world: World, healMs: number): SimulationResult {
  const { plan, record, mesh } = world
  const { messages, bytes } = mesh.network.traffic()
  return {
    plan,
    traceHash: record.journal.hash(),
    events: record.journal.events(),
    steps: record.step,
    virtualMs: mesh.time.scheduler.clock.monotonicMs(),
    healMs,
    sessions: record.sessions,
    messages,
    bytes,
    writes: record.acknowledged.length,
    faults: { ...mesh.network.faults(), ...Object.fromEntries(record.acts), ...Object.fromEntries(record.deeds) },
  }
}
