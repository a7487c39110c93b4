/** Whole nodes let go of what deleted keys leave, once their history is cut and nobody needs to find it any more. */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { kvStore } from '@lattice/kvstore'
import { type StoreId, type StoreType, toHex } from '@lattice/model'
import { system } from '@lattice/proto'
import type { StateMachine } from '@lattice/store-base'
import { describe, expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { get, isAlone, kvOf, put } from './support.ts'

const { DORMANT } = system.PeerStatus

async function remove(mesh: SimMesh, index: number, id: StoreId, key: string): Promise<void> {
  await mesh.complete(kvOf(mesh, index, id).delete(key))
}

/** Puts and deletes so many keys, by these nodes in turn. */
async function comeAndGo(
  mesh: SimMesh,
  id: StoreId,
  {
    count,
    name = 'gone',
    by = [0, 1],
  }: { readonly count: number; readonly name?: string; readonly by?: readonly number[] },
): Promise<void> {
  for (let n = 0; n < count; n += 1) await put(mesh, by[n % by.length] ?? 0, id, [`${name} ${n}`, 'v'])
  await mesh.converge(id, by)
  for (let n = 0; n < count; n += 1) await remove(mesh, by[(n + 1) % by.length] ?? 0, id, `${name} ${n}`)
  await mesh.converge(id, by)
}

/** Cuts the history by node 0, and resolves once these nodes have. */
async function prune(mesh: SimMesh, id: StoreId, indices: readonly number[] = [0, 1]): Promise<void> {
  const { outcome, epoch } = await mesh.complete(mesh.store(0, id).prune())
  expect(outcome).toBe('begun')
  const isPruned = (index: number): boolean => {
    const { state, base } = mesh.store(index, id).pruning()
    return state === 'idle' && base !== undefined && epoch !== undefined && base.seq >= epoch.seq
  }
  await mesh.run(() => indices.every(isPruned), 'the log is pruned')
}

const rowsOf = async (mesh: SimMesh, index: number, id: StoreId): Promise<number> =>
  (await mesh.complete(mesh.store(index, id).stateSummary())).appRows

const rows = (mesh: SimMesh, index: number, id: StoreId): number =>
  [...mesh.store(index, id).kernel().tables().app.scan({})].length

/** Resolves once the state has so many rows on all these nodes, and is the same. */
async function holdsRows(
  mesh: SimMesh,
  id: StoreId,
  count: number,
  indices: readonly number[] = [0, 1],
): Promise<void> {
  await mesh.run(() => indices.every((index) => rows(mesh, index, id) === count), `${count} rows are left`)
  await mesh.converge(id, indices)
  for (const index of indices) expect(await rowsOf(mesh, index, id)).toBe(count)
  const digests = await Promise.all(
    indices.map(async (index) => toHex(await mesh.complete(mesh.store(index, id).kernel().stateDigest()))),
  )
  expect(new Set(digests).size).toBe(1)
}

describe('a store whose keys come and go', () => {
  test('is pruned to what is there, and joined as that', async () => {
    await using mesh = await createSimMesh({ seed: 'come and go', nodes: 3, discovery: true })
    const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
    await mesh.complete(mesh.node(1).join(await mesh.invite(0, id)))
    for (let n = 0; n < 5; n += 1) await put(mesh, 0, id, [`kept ${n}`, 'v'])
    await comeAndGo(mesh, id, { count: 700 })
    await holdsRows(mesh, id, 705)
    await prune(mesh, id)
    await holdsRows(mesh, id, 5)
    // Several writes, each for hundreds of keys, by the one node that had history cut.
    const purges = mesh
      .store(1, id)
      .kernel()
      .history(undefined, 64)
      .filter(({ parsed }) => parsed.op.kind === 'appData')
    expect(purges.length).toBeGreaterThan(1)
    expect(purges.length).toBeLessThan(10)
    for (const { parsed } of purges) expect(parsed.intention.author).toEqual(mesh.node(0).id)

    await put(mesh, 1, id, ['gone 3', 'back'])
    await holdsRows(mesh, id, 6)
    // What the purges took, and the state with what they purged, go with the next.
    await prune(mesh, id)
    expect((await mesh.complete(mesh.store(0, id).prune())).outcome).toBe('nothing')
    await mesh.complete(mesh.node(2).join(await mesh.invite(0, id)))
    await holdsRows(mesh, id, 6, [0, 1, 2])
    expect(await get(mesh, 2, id, 'gone 3')).toBe('back')
    for (const index of [0, 1, 2]) await mesh.complete(mesh.store(index, id).rebuild())
    await holdsRows(mesh, id, 6, [0, 1, 2])
  })

  test('has its files shrink to what is there', async () => {
    await using mesh = await createSimMesh({ seed: 'room', nodes: 2 })
    const id = await mesh.share()
    const keys = Array.from({ length: 6000 }, (_, n) => `gone ${n}`)
    await mesh.complete(kvOf(mesh, 0, id).import(keys.map((key) => ({ key, value: 'v'.repeat(100) }))))
    await mesh.converge(id)
    for (const index of [0, 1]) {
      const batch = kvOf(mesh, index, id).batch()
      for (const key of keys.filter((_, n) => n % 2 === index)) batch.delete(key)
      await mesh.complete(batch.commit())
    }
    await put(mesh, 0, id, ['kept', 'v'])
    await mesh.converge(id)
    const sizes = (name: string): number[] =>
      mesh.peers.map(({ dataDir }) => statSync(join(dataDir(), 'stores', toHex(id), name)).size)
    const isSmall = (name: string): boolean => sizes(name).every((size) => size < 200_000)
    await prune(mesh, id)
    expect(sizes('snapshot.db').every((size) => size > 500_000)).toBe(true)
    await holdsRows(mesh, id, 1)
    await mesh.run(() => isSmall('state.db'), 'the room is given back')
    await prune(mesh, id)
    for (const name of ['log.db', 'state.db', 'snapshot.db']) expect(isSmall(name)).toBe(true)
    await mesh.restart(0)
    await holdsRows(mesh, id, 1)
  })

  test('keeps what stands beside a deletion, and the deletion with it', async () => {
    await using mesh = await createSimMesh({ seed: 'beside', nodes: 2 })
    const id = await mesh.share()
    await put(mesh, 0, id, ['k', 'first'])
    await mesh.converge(id)
    mesh.partition([0], [1])
    await mesh.run(() => isAlone(mesh, 0, id), 'node 0 is alone')
    await put(mesh, 1, id, ['k', 'made without knowing'])
    await remove(mesh, 0, id, 'k')
    await remove(mesh, 0, id, 'k')
    const { epoch } = await mesh.complete(mesh.store(0, id).prune())
    expect(epoch).toBeDefined()
    mesh.heal()
    await mesh.run(
      () => [0, 1].every((index) => mesh.store(index, id).pruning().base !== undefined),
      'the log is pruned',
    )
    await mesh.converge(id)
    const standing = await Promise.all([0, 1].map(async (index) => kvOf(mesh, index, id).inspect('k')))
    for (const heads of standing) expect(heads).toHaveLength(2)
    await holdsRows(mesh, id, 1)
  })

  test('lets a deletion go that a peer who is dormant did not know of: what it writes then stands', async () => {
    await using mesh = await createSimMesh({ seed: 'dormant', nodes: 3, discovery: true })
    const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
    for (const index of [1, 2]) await mesh.complete(mesh.node(index).join(await mesh.invite(0, id)))
    await mesh.complete(mesh.store(0, id).setPeerStatus('node-2', DORMANT))
    await mesh.converge(id)
    mesh.partition([0, 1], [2])
    await mesh.run(() => isAlone(mesh, 2, id), 'node 2 is away')
    await put(mesh, 2, id, ['k', 'made without knowing'])
    await put(mesh, 0, id, ['k', 'later'])
    await remove(mesh, 0, id, 'k')
    await prune(mesh, id)
    await holdsRows(mesh, id, 0)
    mesh.heal()
    await mesh.run(() => mesh.store(2, id).kernel().base() !== undefined, 'node 2 comes back')
    await mesh.complete(mesh.store(0, id).setPeerStatus('node-2', system.PeerStatus.ACTIVE))
    await mesh.run(() => rows(mesh, 0, id) === 1, 'what it wrote is here')
    await holdsRows(mesh, id, 1, [0, 1, 2])
    expect(await get(mesh, 1, id, 'k')).toBe('made without knowing')
  })

  test('has what was left when something failed purged after the next prune', async () => {
    let fails = true
    const purge = {
      schema: 2,
      plan: function* (...asked: Parameters<NonNullable<StateMachine['purge']>['plan']>) {
        for (const step of kvStore.purge?.plan(...asked) ?? []) {
          yield step
          if (step !== undefined && fails) throw new Error('the disk is tired')
        }
      },
    }
    const openers = new Map<StoreType, () => StateMachine>([
      [kvStore.storeType, () => ({ ...(kvStore as StateMachine), purge })],
    ])
    await using mesh = await createSimMesh({ seed: 'failed', nodes: 2, openers })
    const id = await mesh.share()
    await comeAndGo(mesh, id, { count: 700 })
    await prune(mesh, id)
    await mesh.run(() => rows(mesh, 0, id) < 700, 'the first are purged')
    await mesh.time.pass(60_000)
    expect(rows(mesh, 0, id)).toBeGreaterThan(300)
    fails = false
    // Who comes back to a cut that is to be made purges as well.
    const { epoch } = await mesh.complete(mesh.store(0, id).prune())
    expect(epoch).toBeDefined()
    mesh.crash(0)
    await mesh.start(0)
    await holdsRows(mesh, id, 0)
  })

  test('that older nodes read waits for its schema to be activated', async () => {
    const { commandSchema: _, purge: __, ...rest } = kvStore as StateMachine
    const older = new Map<StoreType, () => StateMachine>([[kvStore.storeType, () => ({ ...rest, schemaVersion: 1 })]])
    const newer = new Map<StoreType, () => StateMachine>([[kvStore.storeType, () => kvStore as StateMachine]])
    await using mesh = await createSimMesh({ seed: 'older', nodes: 2, openers: older })
    const id = await mesh.share()
    await mesh.stop(0)
    await mesh.start(0, { openers: newer })
    await comeAndGo(mesh, id, { count: 10 })
    await prune(mesh, id)
    await put(mesh, 0, id, ['one', 'more'])
    await mesh.converge(id)
    for (const index of [0, 1]) {
      expect(rows(mesh, index, id)).toBe(11)
      expect(mesh.store(index, id).kernel().rejections(0, 10)).toEqual([])
    }
    await mesh.stop(1)
    await mesh.start(1, { openers: newer })
    await mesh.complete(mesh.store(0, id).activateSchema(2))
    // Its commands need nothing new: an older node would read what they write.
    await put(mesh, 0, id, ['and', 'another'])
    const [last] = mesh.store(0, id).kernel().history(undefined, 1)
    expect(last?.parsed.op).toMatchObject({ kind: 'appData', schema: 1 })
    await mesh.converge(id)
    await prune(mesh, id)
    await holdsRows(mesh, id, 2)
  })
})
