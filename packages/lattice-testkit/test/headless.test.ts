/** Stores of a type that a node cannot open: they replicate all the same, and are read once it can. */
import { kvStore } from '@lattice/kvstore'
import { type Logger, silentLogger, type StoreType, toHex } from '@lattice/model'
import type { StateMachine } from '@lattice/store-base'
import { describe, expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { codeOf, get, kvOf, put } from './support.ts'

const NO_OPENERS: ReadonlyMap<StoreType, () => StateMachine> = new Map()
const KV: ReadonlyMap<StoreType, () => StateMachine> = new Map([[kvStore.storeType, () => kvStore as StateMachine]])

/** A kv store on node 0, with node 1 unable to open it; node 2 waits. */
async function headlessMesh(mesh: SimMesh): Promise<Parameters<SimMesh['store']>[1]> {
  await mesh.stop(1)
  await mesh.start(1, { openers: NO_OPENERS })
  const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
  await mesh.complete(mesh.node(1).join(await mesh.invite(0, id)))
  return id
}

const held = (mesh: SimMesh, index: number, id: Parameters<SimMesh['store']>[1]): string =>
  toHex(mesh.store(index, id).kernel().digest().fingerprint)

describe('a store that a node has no opener for', () => {
  test('is received and served, and read like everybody else’s once an opener comes', async () => {
    await using mesh = await createSimMesh({ seed: 1, nodes: 3 })
    const id = await headlessMesh(mesh)
    for (let index = 0; index < 20; index += 1) await put(mesh, 0, id, [`k${index}`, `v${index}`])
    await mesh.run(() => held(mesh, 1, id) === held(mesh, 0, id), 'node 1 holds everything')
    const token = await mesh.invite(0, id)
    const joined = mesh.complete(mesh.node(2).join(token))
    await joined
    await mesh.converge(id, [0, 2])
    // From here on node 2 hears of node 0 only through node 1.
    mesh.partition([0], [1, 2])
    await put(mesh, 2, id, ['by two', 'x'])
    await mesh.run(() => held(mesh, 1, id) === held(mesh, 2, id), 'node 1 has it')
    mesh.partition([2], [0, 1])
    await mesh.run(() => held(mesh, 1, id) === held(mesh, 0, id), 'node 0 has it from node 1')
    expect(await get(mesh, 0, id, 'by two')).toBe('x')
    mesh.heal()

    const { witnessCount } = mesh.store(1, id).kernel().stats()
    await mesh.stop(1)
    await mesh.start(1, { openers: KV })
    expect(mesh.store(1, id).kernel().stats().witnessCount).toBeGreaterThanOrEqual(witnessCount)
    expect(mesh.store(1, id).summary().headless).toBe(false)
    await mesh.converge(id)
    expect(await get(mesh, 1, id, 'by two')).toBe('x')
    expect(await get(mesh, 1, id, 'k7')).toBe('v7')
    await put(mesh, 1, id, ['now', 'it writes'])
    await mesh.converge(id)
  })

  test('catches up from the beginning of its data, tells how far it is, and fetches nothing again', async () => {
    const told: [unknown, unknown][] = []
    const follow: Logger = {
      ...silentLogger,
      info: (event, fields) => {
        if (event === 'store.projecting') told.push([fields?.['done'], fields?.['total']])
      },
    }
    await using mesh = await createSimMesh({
      seed: 5,
      nodes: 2,
      logger: (name) => (name === 'node-1' ? follow : silentLogger),
    })
    const id = await headlessMesh(mesh)
    const entries = Array.from({ length: 5000 }, (_, index) => ({ key: `k${index}`, value: 'v' }))
    expect(await mesh.complete(kvOf(mesh, 0, id).import(entries, { keysPerWrite: 1 }))).toBe(5000)
    await mesh.run(() => held(mesh, 1, id) === held(mesh, 0, id), 'node 1 holds everything')
    expect(await mesh.complete(mesh.store(1, id).stateSummary())).toMatchObject({ appRows: 0 })
    await mesh.stop(1)
    // Nobody to fetch it from.
    await mesh.stop(0)
    await mesh.start(1, { openers: KV })
    const { witnessCount } = mesh.store(1, id).kernel().stats()
    expect(mesh.store(1, id).status()).toMatchObject({ projection: { appliedSeq: witnessCount } })
    expect(await mesh.complete(mesh.store(1, id).stateSummary())).toMatchObject({ appRows: 5000 })
    expect(told.length).toBeGreaterThan(5)
    expect(told.at(-1)).toEqual([witnessCount, witnessCount])
    await mesh.start(0)
    await mesh.converge(id)
  })

  test('says so, keeps its app data untouched, and refuses its methods with the type it lacks', async () => {
    await using mesh = await createSimMesh({ seed: 2, nodes: 2 })
    const id = await headlessMesh(mesh)
    await put(mesh, 0, id, ['k', 'v'])
    await mesh.run(() => held(mesh, 1, id) === held(mesh, 0, id), 'node 1 holds everything')
    const store = mesh.store(1, id)
    expect(store.summary()).toMatchObject({ headless: true, state: 'active', storeType: 'core:kvstore', name: 'team' })
    expect(mesh.node(0).stores()[0]?.headless).toBe(false)
    expect(store.status()).toMatchObject({ readable: false })
    expect(store.status().stats.rejectionCount).toBe(0)
    expect(await codeOf(mesh, put(mesh, 1, id, ['k', 'w']))).toBe('STORE_TYPE_UNKNOWN')
    expect(await codeOf(mesh, store.execMany('Put', [], {}))).toBe('STORE_TYPE_UNKNOWN')
    expect(() => store.describe()).toThrow('core:kvstore')
    expect(
      mesh
        .node(1)
        .stores()
        .filter(({ state }) => state === 'failed'),
    ).toEqual([])
  })

  test('is administered all the same: peers, invites and names are not its own matter', async () => {
    await using mesh = await createSimMesh({ seed: 3, nodes: 3 })
    await mesh.stop(0)
    const openers = KV
    await mesh.start(0, { openers })
    const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
    await put(mesh, 0, id, ['k', 'v'])
    await mesh.stop(0)
    await mesh.start(0, { openers: NO_OPENERS })
    expect(mesh.store(0, id).summary()).toMatchObject({ headless: true, name: 'team' })
    await mesh.complete(mesh.store(0, id).setName('crew'))
    // A headless node admits, and serves the whole of it to who can read it.
    await mesh.complete(mesh.node(2).join(await mesh.invite(0, id)))
    await mesh.run(() => held(mesh, 2, id) === held(mesh, 0, id), 'the new one holds everything')
    expect(await get(mesh, 2, id, 'k')).toBe('v')
    expect(mesh.store(2, id).name()).toBe('crew')
    expect(mesh.store(0, id).peers()).toHaveLength(2)
  })

  test('as a child of a store it can open, follows its parent', async () => {
    await using mesh = await createSimMesh({ seed: 4, nodes: 2 })
    const team = await headlessMesh(mesh)
    const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'notes', parent: team }))
    await put(mesh, 0, id, ['deep', 'down'])
    await mesh.run(
      () =>
        mesh
          .node(1)
          .stores()
          .some((store) => toHex(store.id) === toHex(id) && store.state === 'active'),
      'the child is open',
    )
    await mesh.run(() => held(mesh, 1, id) === held(mesh, 0, id), 'node 1 holds everything')
    expect(mesh.store(1, id).summary()).toMatchObject({ headless: true, path: 'team/notes' })
  })
})
