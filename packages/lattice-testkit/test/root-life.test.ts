import { type StoreId, toHex } from '@lattice/model'
import { system } from '@lattice/proto'
import { describe, expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { acks, gone, hasFiles, leftovers, reach, withChild } from './life-support.ts'
import { codeOf, get, put } from './support.ts'

async function syncAll(mesh: SimMesh, index: number, id: StoreId): Promise<void> {
  for await (const outcome of mesh.store(index, id).sync(new AbortController().signal)) {
    expect(outcome).toMatchObject({ result: 'synced' })
  }
}

describe('destroying a root', () => {
  test('ends it on every node at once, and removes its data once all know that all know', async () => {
    await using mesh = await createSimMesh({ seed: 1, nodes: 3 })
    const { team, notes } = await withChild(mesh)
    expect(await codeOf(mesh, mesh.store(1, team).destroy())).toBe('NOT_ADMIN')
    await mesh.complete(mesh.store(0, team).destroy())
    expect(mesh.store(0, team).state()).toBe('destroyed')
    expect(await codeOf(mesh, put(mesh, 0, team, ['k', 'v']))).toBe('WRONG_STATE')
    expect(await codeOf(mesh, mesh.node(0).createStore({ parent: team }))).toBe('WRONG_STATE')
    await gone(mesh, team, [0, 1, 2])
    for (const index of [0, 1, 2]) {
      expect(mesh.node(index).stores()).toMatchObject([
        { state: 'destroyed', hasData: false, name: 'team', awaiting: [], error: undefined },
      ])
      expect(hasFiles(mesh, index, notes)).toBe(false)
      expect(leftovers(mesh, index)).toEqual([])
      await mesh.restart(index)
      expect(mesh.node(index).stores()).toMatchObject([{ state: 'destroyed', name: 'team' }])
    }
  })

  test('waits for a peer that is away, which hears of it when it returns', async () => {
    await using mesh = await createSimMesh({ seed: 2, nodes: 3 })
    const { team } = await withChild(mesh)
    await mesh.stop(2)
    await mesh.complete(mesh.store(0, team).destroy())
    await reach(mesh, team, 'destroyed', [0, 1])
    await mesh.run(() => acks(mesh, 0, team).length === 2, 'both have acknowledged').catch(() => undefined)
    await mesh.time.pass(120_000)
    for (const index of [0, 1]) {
      expect(mesh.store(index, team).summary()).toMatchObject({ state: 'destroyed', hasData: true })
      expect(mesh.store(index, team).summary().awaiting).toHaveLength(1)
    }
    await mesh.restart(0)
    await mesh.start(2)
    await gone(mesh, team, [0, 1, 2])
  })

  test.each([0, 1, 2])('is handed on by peers that are never there together (seed %i)', async (seed) => {
    await using mesh = await createSimMesh({ seed: `relay ${seed}`, nodes: 3 })
    const { team } = await withChild(mesh)
    mesh.partition([0], [1], [2])
    await mesh.complete(mesh.store(0, team).destroy())
    const pairs = [
      [0, 1],
      [1, 2],
      [2, 0],
      [0, 1],
      [1, 2],
      [2, 0],
      [0, 1],
    ]
    for (const pair of pairs) {
      mesh.partition(
        pair,
        [0, 1, 2].filter((index) => !pair.includes(index)),
      )
      await mesh.time.pass(120_000)
    }
    await gone(mesh, team, [0, 1, 2])
  })

  test('of which one is lost for ever leaves the others waiting, until their users remove it', async () => {
    await using mesh = await createSimMesh({ seed: 4, nodes: 3 })
    const { team } = await withChild(mesh)
    await mesh.stop(2)
    await mesh.complete(mesh.store(0, team).destroy())
    await reach(mesh, team, 'destroyed', [0, 1])
    await mesh.time.pass(60_000)
    expect(await codeOf(mesh, mesh.store(0, team).deleteData())).toBe('NOT_CONFIRMED')
    const removed = await mesh.complete(mesh.store(0, team).deleteData({ confirmed: true }))
    expect(removed.stores).toBe(2)
    expect(removed.bytes).toBeGreaterThan(10_000)
    expect(mesh.store(0, team).summary()).toMatchObject({ state: 'destroyed', hasData: false })
    await mesh.restart(0)
    expect(mesh.node(0).stores()).toMatchObject([{ state: 'destroyed' }])
  })

  test('tells readers that are there, and waits for none', async () => {
    await using mesh = await createSimMesh({ seed: 5, nodes: 3 })
    const { id: team } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
    for (const index of [1, 2]) {
      const { token } = await mesh.complete(mesh.store(0, team).invite({ role: system.Role.READER }))
      await mesh.complete(mesh.node(index).join(token))
    }
    await mesh.converge(team)
    await mesh.stop(2)
    await mesh.time.pass(60_000)
    await mesh.complete(mesh.store(0, team).destroy())
    await gone(mesh, team, [0, 1])
  })

  test('of a node alone removes it at once', async () => {
    await using mesh = await createSimMesh({ seed: 6, nodes: 1 })
    const { team } = await withChild(mesh)
    await mesh.complete(mesh.store(0, team).destroy())
    expect(mesh.node(0).stores()).toMatchObject([{ state: 'destroyed', hasData: false }])
    expect(hasFiles(mesh, 0, team)).toBe(false)
  })
})

describe('leaving', () => {
  test('closes a root with all below, keeps the data and the names, and is undone without a token', async () => {
    await using mesh = await createSimMesh({ seed: 10, nodes: 3 })
    const { team, notes } = await withChild(mesh)
    await put(mesh, 1, notes, ['mine', 'before'])
    await mesh.complete(mesh.store(1, team).leave())
    for (const restarted of [false, true]) {
      if (restarted) await mesh.restart(1)
      expect(mesh.node(1).stores()).toMatchObject([
        { state: 'left', path: 'team', hasData: true },
        { state: 'left', path: 'team/notes', hasData: true },
      ])
      expect(() => mesh.node(1).store('team/notes').kernel()).toThrow(/left by this node: rejoin/)
    }
    await mesh.complete(mesh.store(1, team).leave())
    expect(await get(mesh, 0, notes, 'mine')).toBe('before')
    await put(mesh, 0, notes, ['since', 'then'])
    await mesh.time.pass(30_000)
    expect(await codeOf(mesh, mesh.store(0, team).rejoin())).toBe('WRONG_STATE')
    expect(await codeOf(mesh, mesh.store(1, notes).rejoin())).toBe('WRONG_STATE')
    await mesh.complete(mesh.store(1, team).rejoin())
    await put(mesh, 1, notes, ['mine', 'after'])
    await mesh.converge(notes)
    await mesh.converge(team)
    expect(await get(mesh, 1, notes, 'since')).toBe('then')
    expect(await get(mesh, 2, notes, 'mine')).toBe('after')
    expect(mesh.store(0, notes).status().openForks).toBe(0)
  })

  test('is for roots: what is below is archived, or left with its root', async () => {
    await using mesh = await createSimMesh({ seed: 11, nodes: 2 })
    const { notes } = await withChild(mesh)
    await expect(mesh.complete(mesh.store(1, notes).leave())).rejects.toThrow(
      /archive it for everybody, or leave its root/,
    )
  })

  test('hands over what is not with others yet', async () => {
    await using mesh = await createSimMesh({ seed: 12, nodes: 2 })
    const { team, notes } = await withChild(mesh)
    const writing = put(mesh, 1, notes, ['last', 'word'])
    await writing
    await mesh.complete(mesh.store(1, team).leave())
    expect(await get(mesh, 0, notes, 'last')).toBe('word')
  })

  test('is refused by a node that is alone with its data, and goes on as if nothing was', async () => {
    await using mesh = await createSimMesh({ seed: 13, nodes: 1 })
    const { team, notes } = await withChild(mesh)
    const refused = mesh.complete(mesh.store(0, team).leave())
    await expect(refused).rejects.toMatchObject({
      code: 'NOT_REPLICATED',
      detail: {
        stores: [
          { path: 'team', peer: undefined },
          { path: 'team/notes', peer: undefined },
        ],
      },
    })
    await put(mesh, 0, notes, ['k', 'w'])
    await mesh.complete(mesh.store(0, team).leave({ force: true }))
    expect(mesh.store(0, notes).state()).toBe('left')
    await mesh.complete(mesh.store(0, team).rejoin())
    expect(await get(mesh, 0, notes, 'k')).toBe('w')
  })

  test('is refused while the only others lack something, which it counts', async () => {
    await using mesh = await createSimMesh({ seed: 14, nodes: 3 })
    const { team, notes } = await withChild(mesh)
    await mesh.time.pass(60_000)
    mesh.partition([0], [1, 2])
    for (const key of ['a', 'b', 'c']) await put(mesh, 0, notes, [key, 'v'])
    await mesh.time.pass(60_000)
    const refused = mesh.complete(mesh.store(0, team).leave())
    await expect(refused).rejects.toMatchObject({
      code: 'NOT_REPLICATED',
      detail: { stores: [{ path: 'team/notes', unproven: 3 }] },
    })
    mesh.heal()
    await mesh.converge(notes)
    await mesh.complete(mesh.store(0, team).leave())
  })

  test('goes by what a peer wrote, where that shows that it has seen everything', async () => {
    await using mesh = await createSimMesh({ seed: 15, nodes: 2 })
    const { team } = await withChild(mesh)
    // Acks are written some seconds after something arrived.
    await mesh.time.pass(60_000)
    await mesh.converge(team)
    await mesh.stop(1)
    await mesh.run(() => mesh.node(0).network.connectedPeers().length === 0, 'the peer is gone')
    await mesh.complete(mesh.store(0, team).leave())
  })

  test('is refused where a peer that is there has the store no more, whatever it wrote once', async () => {
    await using mesh = await createSimMesh({ seed: 16, nodes: 2 })
    const { team } = await withChild(mesh)
    await mesh.time.pass(60_000)
    const { id: other } = await mesh.complete(mesh.node(0).createStore({ name: 'other' }))
    await mesh.complete(mesh.node(1).join(await mesh.invite(0, other)))
    await mesh.complete(mesh.store(1, team).leave())
    await mesh.run(() => mesh.node(0).network.connectedPeers().length === 1, 'they are connected')
    await mesh.time.pass(60_000)
    expect(await codeOf(mesh, mesh.store(0, team).leave())).toBe('NOT_REPLICATED')
  })

  test('works while the store is still on its way, which then goes on when rejoined', async () => {
    await using mesh = await createSimMesh({ seed: 17, nodes: 2 })
    const { id: team } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
    for (let key = 0; key < 200; key += 1) await put(mesh, 0, team, [`k${key}`, 'v'.repeat(2000)])
    const token = await mesh.invite(0, team)
    const joining = mesh.node(1).join(token)
    joining.catch(() => undefined)
    await mesh.run(() => mesh.node(1).stores()[0]?.state === 'bootstrapping', 'it is on its way')
    await mesh.complete(mesh.store(1, team).leave())
    expect(await codeOf(mesh, joining)).toBe('WRONG_STATE')
    await mesh.restart(1)
    expect(mesh.node(1).stores()).toMatchObject([{ state: 'left' }])
    await mesh.complete(mesh.store(1, team).rejoin())
    await mesh.converge(team)
  })
})

describe('deleting data', () => {
  test('takes leaving first, a confirmation and another holder, and leaves nothing', async () => {
    await using mesh = await createSimMesh({ seed: 20, nodes: 2 })
    const { team, notes } = await withChild(mesh)
    expect(await codeOf(mesh, mesh.store(1, team).deleteData({ confirmed: true }))).toBe('WRONG_STATE')
    await mesh.complete(mesh.store(1, team).leave())
    expect(await codeOf(mesh, mesh.store(1, team).deleteData())).toBe('NOT_CONFIRMED')
    const handle = mesh.store(1, team)
    const { bytes, stores } = await mesh.complete(handle.deleteData({ confirmed: true }))
    expect(stores).toBe(2)
    expect(bytes).toBeGreaterThan(10_000)
    expect(mesh.node(1).stores()).toEqual([])
    for (const id of [team, notes]) expect(hasFiles(mesh, 1, id)).toBe(false)
    expect(leftovers(mesh, 1)).toEqual([])
    expect(
      await codeOf(
        mesh,
        Promise.resolve().then(() => handle.state()),
      ),
    ).toBe('STORE_NOT_FOUND')
    await mesh.restart(1)
    expect(mesh.node(1).stores()).toEqual([])
  })

  test('is followed by joining again, where this node writes on after its own last write', async () => {
    await using mesh = await createSimMesh({ seed: 21, nodes: 3 })
    const { team, notes } = await withChild(mesh)
    await put(mesh, 1, notes, ['own', 'first'])
    await mesh.converge(notes)
    await mesh.complete(mesh.store(1, team).leave())
    await mesh.complete(mesh.store(1, team).deleteData({ confirmed: true }))
    await mesh.complete(mesh.node(1).join(await mesh.invite(0, team)))
    await mesh.converge(notes)
    expect(await get(mesh, 1, notes, 'own')).toBe('first')
    await put(mesh, 1, notes, ['own', 'second'])
    await mesh.converge(notes)
    for (const id of [team, notes]) expect(mesh.store(0, id).status().openForks).toBe(0)
    expect(mesh.store(0, notes).status().stats.forkCount).toBe(0)
    expect(mesh.store(0, team).peers()).toHaveLength(3)
  })

  test('that took the last copy of own writes keeps this node from writing until all peers are compared', async () => {
    await using mesh = await createSimMesh({ seed: 22, nodes: 3 })
    const { team, notes } = await withChild(mesh)
    await mesh.time.pass(60_000)
    mesh.partition([0], [1], [2])
    await put(mesh, 1, notes, ['lost', 'write'])
    await mesh.time.pass(60_000)
    expect(await codeOf(mesh, mesh.store(1, team).leave())).toBe('NOT_REPLICATED')
    await mesh.complete(mesh.store(1, team).leave({ force: true }))
    expect(await codeOf(mesh, mesh.store(1, team).deleteData({ confirmed: true }))).toBe('NOT_REPLICATED')
    await mesh.complete(mesh.store(1, team).deleteData({ confirmed: true, force: true }))
    mesh.partition([0, 1], [2])
    await mesh.complete(mesh.node(1).join(await mesh.invite(0, team)))
    await mesh.converge(notes, [0, 1])
    await expect(put(mesh, 1, notes, ['k', 'w'])).rejects.toThrow(/connect/)
    mesh.heal()
    await mesh.converge(notes)
    await mesh.run(() => mesh.node(1).network.connectedPeers().length === 2, 'all are connected')
    await mesh.complete(syncAll(mesh, 1, notes))
    expect(mesh.store(1, notes).status().held).toBeUndefined()
    await put(mesh, 1, notes, ['k', 'w'])
    await mesh.converge(notes)
    expect(mesh.store(0, notes).status().stats.forkCount).toBe(0)
  })

  test('of an archived child keeps what is known of it, and it comes again when it is unarchived', async () => {
    await using mesh = await createSimMesh({ seed: 23, nodes: 2 })
    const { notes } = await withChild(mesh)
    await put(mesh, 1, notes, ['own', 'write'])
    await mesh.converge(notes)
    await mesh.time.pass(60_000)
    await mesh.complete(mesh.store(0, notes).archive())
    await reach(mesh, notes, 'archived', [1])
    const { stores } = await mesh.complete(mesh.store(1, notes).deleteData({ confirmed: true }))
    expect(stores).toBe(1)
    expect(mesh.store(1, notes).summary()).toMatchObject({ state: 'archived', hasData: false, path: 'team/notes' })
    await mesh.restart(1)
    await mesh.complete(mesh.store(0, notes).unarchive())
    await mesh.converge(notes)
    await put(mesh, 1, notes, ['own', 'again'])
    await mesh.converge(notes)
    expect(mesh.store(0, notes).status().stats.forkCount).toBe(0)
  })

  test('of a root that was left by a single owner takes force', async () => {
    await using mesh = await createSimMesh({ seed: 24, nodes: 1 })
    const { team } = await withChild(mesh)
    await mesh.complete(mesh.store(0, team).leave({ force: true }))
    expect(await codeOf(mesh, mesh.store(0, team).deleteData({ confirmed: true }))).toBe('NOT_REPLICATED')
    await mesh.complete(mesh.store(0, team).deleteData({ confirmed: true, force: true }))
    expect(mesh.node(0).stores()).toEqual([])
    const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
    expect(toHex(id)).not.toBe(toHex(team))
  })
})
