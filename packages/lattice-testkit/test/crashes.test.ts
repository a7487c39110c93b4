import { closeSync, existsSync, openSync, readdirSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { toHex } from '@lattice/model'
import { openDataDirectory } from '@lattice/node'
import { describe, expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { codeOf, get, kvOf, put } from './support.ts'

function storeFile(mesh: SimMesh, index: number, [id, file]: readonly [Uint8Array, string]): string {
  return join(mesh.peers[index]?.dataDir() ?? '', 'stores', toHex(id), file)
}

/**
 * Runs once for each commit until `run` says that none was left to crash after; answers how many there were. What is on
 * disk changes with commits alone, so these are all the states a crash can leave.
 */
async function afterEveryCommit(run: (nth: number) => Promise<boolean>): Promise<number> {
  for (let nth = 1; nth < MAX_COMMITS; nth += 1) if (!(await run(nth))) return nth - 1
  throw new Error('there is always one more commit')
}
const MAX_COMMITS = 50

/** Tells when the promise has settled, either way. */
function settled(promise: Promise<unknown>): () => boolean {
  let is = false
  promise
    .finally(() => {
      is = true
    })
    .catch(() => undefined)
  return () => is
}

/** Overwrites the middle of a file with noise. */
function damage(path: string): void {
  const file = openSync(path, 'r+')
  writeSync(file, new Uint8Array(6000).fill(0xa5), 0, 6000, 0)
  closeSync(file)
}

describe('a crash', () => {
  test('loses no write that was acknowledged', async () => {
    await using mesh = await createSimMesh({ seed: 1, nodes: 2 })
    const id = await mesh.share()
    const acknowledged: string[] = []
    const kv = kvOf(mesh, 1, id)
    const writing = Array.from({ length: 50 }, (_, index) =>
      kv.put(`k${index}`, 'v').then(
        () => acknowledged.push(`k${index}`),
        () => undefined,
      ),
    )
    await mesh.complete(writing[20] ?? Promise.reject(new Error('there are 50 writes')))
    mesh.crash(1)
    expect(acknowledged.length).toBeGreaterThan(0)
    await mesh.start(1)
    for (const key of acknowledged) expect(await get(mesh, 1, id, key)).toBe('v')
    await mesh.converge(id)
    for (const key of acknowledged) expect(await get(mesh, 0, id, key)).toBe('v')
  })

  test('of a node that has its transport and does not look around yet leaves its place free', async () => {
    await using mesh = await createSimMesh({ seed: 1, nodes: 2, localDiscovery: true })
    const id = await mesh.share()
    await mesh.stop(1)
    const starting = settled(mesh.begin(1))
    mesh.crash(1)
    await mesh.run(starting, 'the start has come to its end')
    await mesh.start(1)
    await put(mesh, 0, id, ['k', 'v'])
    await mesh.converge(id)
  })

  test('at any commit while a store is created leaves no store or a whole one', async () => {
    const points = await afterEveryCommit(async (nth) => {
      await using mesh = await createSimMesh({ seed: `create ${nth}`, nodes: 1 })
      const crashed = mesh.crashAt(0, 'committed', nth)
      const made = settled(mesh.node(0).createStore({ name: 'team' }))
      await mesh.run(() => crashed() || made(), 'it crashed or came to be')
      if (!crashed()) return false
      const [store, ...others] = (await mesh.start(0)).stores()
      expect(others).toEqual([])
      if (store === undefined) return true
      expect(store).toMatchObject({ state: 'active', name: 'team' })
      // The genesis and one batch: nothing was done twice.
      expect(mesh.store(0, store.id).status().stats.witnessCount).toBe(2)
      await put(mesh, 0, store.id, ['k', 'v'])
      await mesh.restart(0)
      expect(await get(mesh, 0, store.id, 'k')).toBe('v')
      return true
    })
    expect(points).toBeGreaterThanOrEqual(6)
  })

  test('at any commit while a child is created leaves none or one that its parent declares', async () => {
    const points = await afterEveryCommit(async (nth) => {
      await using mesh = await createSimMesh({ seed: `child ${nth}`, nodes: 1 })
      const { id: team } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
      const crashed = mesh.crashAt(0, 'committed', nth)
      const made = settled(mesh.node(0).createStore({ name: 'notes', parent: team }))
      await mesh.run(() => crashed() || made(), 'it crashed or came to be')
      if (!crashed()) return false
      await mesh.start(0)
      const children = mesh
        .node(0)
        .stores()
        .filter(({ parentId }) => parentId !== undefined)
      const aliases = mesh
        .store(0, team)
        .systemEntries()
        .filter(({ key }) => key.endsWith('/alias'))
      expect(children.map(({ path, state }) => `${path} ${state}`)).toEqual(aliases.map(() => 'team/notes active'))
      for (const { id } of children) expect(mesh.store(0, id).status().stats.witnessCount).toBe(2)
      expect(mesh.store(0, team).status().stats.witnessCount).toBe(2 + children.length)
      return true
    })
    expect(points).toBeGreaterThanOrEqual(7)
  })

  test('of the joiner at any commit of a join is made good: by itself, or by the same token', async () => {
    const points = await afterEveryCommit(async (nth) => {
      await using mesh = await createSimMesh({ seed: `join ${nth}`, nodes: 2 })
      const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
      for (let key = 0; key < 5; key += 1) await put(mesh, 0, id, [`k${key}`, 'v'])
      const token = await mesh.invite(0, id)
      const crashed = mesh.crashAt(1, 'committed', nth)
      const joined = settled(mesh.node(1).join(token))
      await mesh.run(() => crashed() || joined(), 'it crashed or joined')
      if (!crashed()) return false
      await mesh.start(1)
      if (mesh.node(1).stores().length === 0) await mesh.complete(mesh.node(1).join(token))
      await mesh.converge(id)
      expect(await get(mesh, 1, id, 'k4')).toBe('v')
      expect(mesh.store(0, id).peers()).toHaveLength(2)
      return true
    })
    expect(points).toBeGreaterThanOrEqual(7)
  })

  test('of the inviter at any commit of a join admits once or not at all', async () => {
    const points = await afterEveryCommit(async (nth) => {
      await using mesh = await createSimMesh({ seed: `inviter ${nth}`, nodes: 2 })
      const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
      const token = await mesh.invite(0, id)
      const crashed = mesh.crashAt(0, 'committed', nth)
      const joined = settled(mesh.node(1).join(token))
      await mesh.run(() => crashed() || joined(), 'it crashed or joined')
      if (!crashed()) return false
      await mesh.start(0)
      await mesh.run(() => joined() || mesh.node(1).stores().length > 0, 'the joiner knows what became of it')
      if (mesh.node(1).stores().length === 0) await mesh.complete(mesh.node(1).join(token))
      await mesh.converge(id)
      expect(mesh.store(0, id).invites()).toMatchObject([{ usesLeft: 0, claimedBy: [mesh.node(1).id] }])
      expect(mesh.store(0, id).peers()).toHaveLength(2)
      return true
    })
    expect(points).toBeGreaterThanOrEqual(3)
  })
})

describe('damage', () => {
  test('of state.db is repaired by rebuilding, with nothing lost', async () => {
    await using mesh = await createSimMesh({ seed: 20, nodes: 1 })
    const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
    await put(mesh, 0, id, ['k', 'v'])
    const before = toHex((await mesh.store(0, id).stateSummary()).digest)
    await mesh.stop(0)
    damage(storeFile(mesh, 0, [id, 'state.db']))
    await mesh.start(0)
    expect(mesh.store(0, id).state()).toBe('active')
    expect(await get(mesh, 0, id, 'k')).toBe('v')
    expect(toHex((await mesh.store(0, id).stateSummary()).digest)).toBe(before)
  })

  test('of a log.db is named, and stops no other store', async () => {
    await using mesh = await createSimMesh({ seed: 21, nodes: 1 })
    const { id: bad } = await mesh.complete(mesh.node(0).createStore({ name: 'bad' }))
    const { id: good } = await mesh.complete(mesh.node(0).createStore({ name: 'good' }))
    await mesh.stop(0)
    damage(storeFile(mesh, 0, [bad, 'log.db']))
    await mesh.start(0)
    await put(mesh, 0, good, ['k', 'v'])
    const listed = mesh
      .node(0)
      .stores()
      .find(({ state }) => state === 'failed')
    expect(listed).toMatchObject({ id: bad, error: { code: 'LOG_DAMAGED' } })
    expect(listed?.error?.message).toContain('log.db')
    expect(
      await codeOf(
        mesh,
        put(mesh, 0, bad, ['k', 'v']).catch((error: unknown) => Promise.reject(error)),
      ),
    ).toBe('LOG_DAMAGED')
    expect(existsSync(storeFile(mesh, 0, [bad, 'log.db']))).toBe(true)
    await mesh.restart(0)
    expect(await get(mesh, 0, good, 'k')).toBe('v')
  })
})

describe('a data directory', () => {
  test('in use is refused to a second node, which is told so, and free again after the first', async () => {
    await using mesh = await createSimMesh({ seed: 30, nodes: 2 })
    const dataDir = mesh.peers[0]?.dataDir() ?? ''
    await mesh.stop(1)
    await expect(mesh.start(1, { dataDir })).rejects.toMatchObject({ code: 'DATA_DIR_LOCKED' })
    await mesh.stop(0)
    openDataDirectory(dataDir, { pid: 1 }).close()
    await mesh.start(0)
  })

  test('that opens half-way is left free', async () => {
    await using mesh = await createSimMesh({ seed: 31, nodes: 1 })
    const broken = new Error('no transport')
    await mesh.stop(0)
    await expect(mesh.start(0, { openTransport: () => Promise.reject(broken) })).rejects.toBe(broken)
    await mesh.start(0)
    expect(readdirSync(mesh.peers[0]?.dataDir() ?? '')).toContain('meta.db')
  })
})
