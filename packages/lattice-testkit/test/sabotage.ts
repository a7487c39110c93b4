/** Puts faults into a simulated mesh, and looks which rule finds them. */
import type { Kernel } from '@lattice/kernel'
import type { StoreHandle } from '@lattice/node'
import { expect } from 'vitest'
import { type PreparedMesh, type RunOptions, runSimulation, SimulationFailed } from '../src/index.ts'
import type { World } from '../src/simulation/world.ts'

export const NODES = 3
/** A network that never heals is waited for a quarter of an hour of virtual time. */
export const TIMEOUT_MS: number = 60_000
export const QUIET: Omit<RunOptions, 'seed'> = {
  nodes: NODES,
  minutes: 0.05,
  faults: [],
  hostile: [],
  historyPercent: 0,
  cutsApart: 0,
}
/** In its course a node is closed and opened again in the end. */
const SEED = 118

export type Sabotage = (world: World) => void
export type Planted = readonly [bug: string, invariant: string, options: Partial<RunOptions>]

/** Runs with a bug that is there to be found, and by this rule. Resolves with what a person is told. */
export async function expectFound(
  invariant: string,
  options: Partial<RunOptions> & { readonly prepared: PreparedMesh },
): Promise<string> {
  const outcome = await runSimulation({ ...QUIET, seed: SEED, ...options }).catch((error: unknown) => error)
  if (!(outcome instanceof SimulationFailed)) throw new Error(`nothing was found: ${JSON.stringify(outcome)}`)
  expect(outcome.finding).toMatchObject({ invariant })
  // What a person gets: where, when, what led to it, and the way back to it.
  expect(outcome.message).toMatch(/^seed 118 broke `\w+` in step \d+ \((chaos|heal|check)\), after \d+ ms/)
  expect(outcome.message).toContain('options: {"seed":118')
  expect(outcome.message).toContain('again: npm run sim -- --seed 118 --nodes 3 --minutes ')
  return outcome.message
}

/** Does it once, as soon as things go on. */
export const once = (sabotage: Sabotage): Sabotage => {
  let isDone = false
  return (world) => {
    if (isDone || world.record.phase !== 'chaos') return
    isDone = true
    sabotage(world)
  }
}

/** Does it once everybody has come together, before all is looked at. */
export const atTheEnd =
  (sabotage: Sabotage): Sabotage =>
  (world) => {
    if (world.record.phase === 'check') sabotage(world)
  }

/** Puts something else in the place of a function of the mesh, as if a node answered so. */
export function replaceStore(world: World, change: (store: StoreHandle) => Partial<StoreHandle>): void {
  const { store } = world.mesh
  Object.assign(world.mesh, {
    store: (...args: Parameters<typeof store>) => {
      const handle = store(...args)
      return { ...handle, ...change(handle) }
    },
  })
}

export function replaceKernel(world: World, change: (kernel: Kernel) => Partial<Kernel>): void {
  replaceStore(world, (handle) => ({
    kernel: () => {
      const kernel = handle.kernel()
      return { ...kernel, ...change(kernel) }
    },
  }))
}

export function replaceStats(world: World, changes: Partial<ReturnType<Kernel['stats']>>): void {
  replaceKernel(world, (kernel) => ({ stats: () => ({ ...kernel.stats(), ...changes }) }))
}
