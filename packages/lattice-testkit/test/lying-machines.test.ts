/** A whole node whose machine comes to another state: that is told, and nothing is deleted by which it could be looked into. */
import { kvStore } from '@lattice/kvstore'
import { createAbortController, isLagged, type StoreType } from '@lattice/model'
import type { NodeEvent } from '@lattice/node'
import type { StateMachine } from '@lattice/store-base'
import { expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { codeOf, put } from './support.ts'

const HONEST = [0, 1]
const LIAR = 2
/** Longer than acknowledgements, and what a prune waits for besides, take. */
const LONG_MS = 120_000

/** Machines that do as they should until they are told to lie. */
function createMachines(): { readonly openers: Map<StoreType, () => StateMachine>; readonly lieOnLast: () => void } {
  const liars = new Set<number>()
  let opened = 0
  const open = (): StateMachine => {
    opened += 1
    const nth = opened
    return {
      ...(kvStore as StateMachine),
      apply: (table, op) => {
        const result = kvStore.apply(table, op as never)
        if (liars.has(nth)) table.set(op.id, new Uint8Array([nth]))
        return result
      },
    }
  }
  return { openers: new Map([[kvStore.storeType, open]]), lieOnLast: () => liars.add(opened) }
}

function listen(mesh: SimMesh, index: number, told: NodeEvent[]): void {
  const follow = async (): Promise<void> => {
    for await (const event of mesh.node(index).events(createAbortController().signal)) {
      if (!isLagged(event)) told.push(event)
    }
  }
  follow().catch(() => undefined)
}

test('a state that differs on one node is told everywhere, and no history is cut while that stands', async () => {
  const machines = createMachines()
  await using mesh = await createSimMesh({ seed: 'liar', nodes: 3, openers: machines.openers })
  const id = await mesh.share()
  machines.lieOnLast()
  const told = [...HONEST, LIAR].map((index) => {
    const events: NodeEvent[] = []
    listen(mesh, index, events)
    return events
  })
  for (let n = 0; n < 12; n += 1) await put(mesh, n % 3, id, [`k${n % 5}`, `${n}`])
  const records = (index: number): number => mesh.store(index, id).kernel().digest().witnessCount
  await mesh.run(() => [1, 2].every((index) => records(index) === records(0)), 'all have all of it')
  expect(await mesh.complete(mesh.store(0, id).prune())).toMatchObject({ outcome: 'begun' })
  const isTold = (events: readonly NodeEvent[]): boolean => events.some(({ kind }) => kind === 'state_divergence')
  await mesh.run(() => told.every(isTold), 'everybody is told of it')
  const [before] = [records(0)]
  await mesh.time.pass(LONG_MS)
  for (const index of [...HONEST, LIAR]) {
    const store = mesh.store(index, id)
    expect(store.kernel().base()).toBe(undefined)
    expect(store.pruning()).toMatchObject({ state: 'waiting', base: undefined })
    expect(store.kernel().snapshot().divergences).not.toEqual([])
    expect(records(index)).toBeGreaterThanOrEqual(before)
  }
  expect(await codeOf(mesh, mesh.store(0, id).prune())).toBe('WRONG_STATE')
  // Writes go on meanwhile.
  await put(mesh, 0, id, ['after', 'v'])
  await mesh.run(() => records(1) === records(0), 'and get about')
})

test('who joins begins with an earlier state while one of three signs another than the two', async () => {
  const machines = createMachines()
  await using mesh = await createSimMesh({ seed: 'liar-joined', nodes: 4, startNodes: 3, openers: machines.openers })
  const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'shared' }))
  for (const index of [1, LIAR]) await mesh.complete(mesh.node(index).join(await mesh.invite(0, id)))
  for (let n = 0; n < 6; n += 1) await put(mesh, n % 3, id, [`k${n}`, 'before'])
  await mesh.converge(id)
  await mesh.complete(mesh.store(0, id).prune())
  const bases = (): readonly unknown[] => [...HONEST, LIAR].map((index) => mesh.store(index, id).kernel().base())
  await mesh.run(() => bases().every((base) => base !== undefined), 'all have cut')
  const base = mesh.store(0, id).kernel().base()

  machines.lieOnLast()
  for (let n = 0; n < 6; n += 1) await put(mesh, n % 3, id, [`k${n}`, 'after'])
  expect(await mesh.complete(mesh.store(0, id).prune())).toMatchObject({ outcome: 'begun' })
  const differs = (index: number): boolean => mesh.store(index, id).kernel().snapshot().divergences.length > 0
  await mesh.run(() => [...HONEST, LIAR].every(differs), 'all know that states differ')

  await mesh.start(3)
  await mesh.complete(mesh.node(3).join(await mesh.invite(0, id)))
  await mesh.run(() => mesh.isConverged(id, [0, 3]), 'the newcomer has what the honest have')
  expect(mesh.store(3, id).kernel().base()).toEqual(base)
})
