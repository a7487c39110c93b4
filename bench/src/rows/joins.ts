/**
 * Row 12j: what it takes to join a store whose history was pruned, by how long that history was.
 *
 * The live state is the same each time: a thousand keys, overwritten more and more often. A node that joins loads the state
 * and what came after the prune, so what it takes should not grow with what is gone. Beside it the same store with all of
 * its history. Nodes are whole, with databases of their own; time and the network are simulated, so that bytes are exact and
 * what a join takes is the work of both sides, which share a thread.
 *
 * @module
 */
import { openKv } from '@lattice/kvstore'
import type { StoreId } from '@lattice/model'
import { createSimMesh, type SimMesh } from '@lattice/testkit'
import { keyOf, valueOf } from '../entries.ts'
import { type Figure, ratioAtMost } from '../figure.ts'
import type { BenchRow, RowContext } from '../row.ts'
import { against, type Floor, type Sample, sampleOf } from '../sample.ts'
import { inMemory, LATENCY_MS } from '../whole-nodes.ts'

const KEYS = 1000
/** Joins of each store, each by a node of its own. */
const JOINS = 3

interface Joined {
  readonly cpuMs: Sample
  readonly bytes: Sample
}

async function fill(mesh: SimMesh, id: StoreId, count: number): Promise<void> {
  const entries = function* (): Generator<{ key: Uint8Array; value: Uint8Array }, void, undefined> {
    for (let entry = 0; entry < count; entry += 1) yield { key: keyOf(entry % KEYS), value: valueOf(entry) }
  }
  await mesh.complete(openKv(mesh.store(0, id)).import(entries(), { keysPerWrite: 1 }))
}

async function prune(mesh: SimMesh, id: StoreId): Promise<void> {
  await mesh.complete(mesh.store(0, id).prune())
  const isPruned = (): boolean => {
    const { state, base } = mesh.store(0, id).pruning()
    return state === 'idle' && base !== undefined
  }
  await mesh.run(isPruned, 'the history is gone')
}

async function joinsOf(context: RowContext, count: number, isPruned: boolean): Promise<Joined> {
  context.progress(`${count} intentions, ${isPruned ? 'pruned' : 'all of them kept'}`)
  await using mesh = await createSimMesh({
    seed: 'joins',
    nodes: 1 + JOINS,
    within: inMemory(context),
    latencyMs: LATENCY_MS,
  })
  const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
  await fill(mesh, id, count)
  if (isPruned) await prune(mesh, id)
  const [cpuMs, bytes]: [number[], number[]] = [[], []]
  for (let index = 1; index <= JOINS; index += 1) {
    const token = await mesh.invite(0, id)
    const [cpu, before] = [process.cpuUsage(), mesh.network.traffic().bytes]
    await mesh.complete(mesh.node(index).join(token))
    await mesh.converge(id, [0, index])
    const { user, system } = process.cpuUsage(cpu)
    cpuMs.push((user + system) / 1000)
    bytes.push(mesh.network.traffic().bytes - before)
    await mesh.stop(index)
  }
  return { cpuMs: sampleOf(cpuMs), bytes: sampleOf(bytes) }
}

async function run(context: RowContext): Promise<readonly Figure[]> {
  const sizes = context.quick ? [2_000, 20_000] : [10_000, 100_000, 1_000_000]
  const [least = 0] = sizes
  const first = await joinsOf(context, least, true)
  const figures: Figure[] = []
  for (const count of sizes) {
    const joined = count === least ? first : await joinsOf(context, count, true)
    const floor = (sample: Sample): Floor => ({ name: `the same with ${least} that are gone`, sample })
    const goals = count === least ? [] : [ratioAtMost(1.3)]
    const name = `join of ${KEYS} keys, ${count} overwrites pruned`
    figures.push(
      { name: `${name}: CPU of both`, unit: 'ms', ...against(floor(first.cpuMs), joined.cpuMs), goals },
      { name: `${name}: bytes`, unit: 'B', ...against(floor(first.bytes), joined.bytes), goals },
    )
  }
  const whole = await joinsOf(context, least, false)
  const name = `join of ${KEYS} keys, ${least} overwrites kept`
  return [
    ...figures,
    { name: `${name}: CPU of both`, unit: 'ms', ours: whole.cpuMs, goals: [] },
    { name: `${name}: bytes`, unit: 'B', ours: whole.bytes, goals: [] },
  ]
}

export const JOINS_ROW: BenchRow = {
  id: '12j',
  task: 'Joining a store that is pruned',
  floor: 'the same with the shortest history',
  goal: 'flat: at most 1.3 times the floor with ten and with a hundred times the history',
  run,
}
