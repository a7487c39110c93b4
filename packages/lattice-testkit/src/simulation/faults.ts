/**
 * What goes wrong, apart from what peers do on purpose.
 *
 * @module
 */
import { MAX_DRIFT_MS } from '@lattice/model'
import type { StoragePoint } from '@lattice/storage'
import { drawConditions } from './weather.ts'
import { MAX_AHEAD_MS } from './plan.ts'
import { countUp } from './run-record.ts'
import { startNode } from './open-world.ts'
import { track } from './track.ts'
import type { World } from './world.ts'

/** How long a node stays down at most: some are away for as long as connections take to be given up. */
const MAX_DOWN_MS = 20_000
/** And of a short run at most such a part. */
const DOWN_PART = 1 / 3
/** Statements until a crash inside the store, at most. */
const MAX_POINTS = 40
const POINTS: readonly StoragePoint[] = ['write', 'written', 'commit', 'committed', 'open', 'opened', 'close', 'closed']
const MAX_FULL_MS = 15_000

/** Does one of the faults that the run has. */
export function disturb(world: World): void {
  const { plan, random, record, mesh, honest } = world
  const kind = plan.faults[random.below(Math.max(1, plan.faults.length))]
  const index = honest[random.below(honest.length)]
  if (kind === undefined || index === undefined) return
  countUp(record.acts, kind)
  record.journal.note(`fault at node-${index}: ${kind}`)
  switch (kind) {
    case 'crash':
      if (record.busy.has(index) || mesh.peers[index]?.isUp() === true)
        mesh.crash(index, { tear: random.below(2) === 0 })
      return comeBack(world, index)
    case 'crash_at_point':
      mesh.crashAt(index, POINTS[random.below(POINTS.length)] ?? 'commit', {
        nth: 1 + random.below(MAX_POINTS),
        tear: random.below(2) === 0,
      })
      return
    case 'stop':
      stopNode(world, index)
      return comeBack(world, index)
    case 'partition':
      return partition(world)
    case 'one_way_cut':
      return cut(world, index)
    case 'disconnect': {
      const [a, b] = [world.keyOf(index), world.keyOf(honest[random.below(honest.length)] ?? 0)]
      if (a !== undefined && b !== undefined && a !== b) mesh.network.disconnect(a, b)
      return
    }
    case 'skew':
      mesh.skew(index, random.below(MAX_DRIFT_MS) - MAX_DRIFT_MS / 2)
      return
    case 'skew_far':
      mesh.skew(index, random.below(2) === 0 ? random.below(MAX_AHEAD_MS) : -random.below(20 * MAX_AHEAD_MS))
      return
    case 'disk_full':
      fillDisk(world, index)
      return
    case 'weather':
      mesh.network.change(drawConditions(random))
  }
}

/** Whoever is down comes back some time later. Also called for a node that crashed by itself. */
export function comeBack(world: World, index: number): void {
  const { mesh, random, record } = world
  if (record.returning.has(index)) return
  record.returning.add(index)
  mesh.time.scheduler.after(random.below(maxDownMs(world)), () => {
    record.returning.delete(index)
    if (record.phase === 'chaos') bringUp(world, index)
  })
}

function maxDownMs({ plan }: World): number {
  return Math.max(1, Math.min(MAX_DOWN_MS, Math.floor(plan.minutes * 60_000 * DOWN_PART)))
}

/** Starts a node unless it is up or about to be. */
export function bringUp(world: World, index: number): void {
  const { mesh, record } = world
  if (mesh.peers[index]?.isUp() === true || record.busy.has(index)) return
  record.journal.note(`node-${index} starts`)
  record.hadFullDisk.delete(index)
  if (record.fullDisks.has(index)) record.hadFullDisk.add(index)
  track(world, { what: 'start', index, work: () => startNode(world, index) })
}

function stopNode(world: World, index: number): void {
  const { mesh, record } = world
  if (mesh.peers[index]?.isUp() !== true || record.busy.has(index)) return
  const { generation } = mesh.life(index)
  record.busy.add(index)
  const work = async (): Promise<void> => {
    try {
      await mesh.end(index)
    } finally {
      if (mesh.life(index).generation === generation) record.busy.delete(index)
    }
  }
  track(world, { what: 'stop', index, work })
}

function partition(world: World): void {
  const { mesh, random, honest, hostile } = world
  const groups: number[][] = [[], []]
  for (const index of [...honest, ...(hostile === undefined ? [] : [hostile])]) {
    if (mesh.peers[index]?.isUp() === true) groups[random.below(2)]?.push(index)
  }
  mesh.partition(...groups.filter((group) => group.length > 0))
  healLater(world)
}

function cut(world: World, index: number): void {
  const { mesh, random, honest, keyOf } = world
  const [from, to] = [keyOf(index), keyOf(honest[random.below(honest.length)] ?? 0)]
  if (from === undefined || to === undefined || from === to) return
  mesh.network.cut(from, to, { oneWay: true })
  healLater(world)
}

/** The cuts end some time later. */
export function healLater(world: World): void {
  world.mesh.time.scheduler.after(world.random.below(2 * maxDownMs(world)), world.mesh.network.heal)
}

function fillDisk({ mesh, random, record }: World, index: number): void {
  record.fullDisks.add(index)
  record.hadFullDisk.add(index)
  mesh.time.scheduler.after(random.below(MAX_FULL_MS), () => record.fullDisks.delete(index))
}
