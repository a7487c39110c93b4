import { type StoreId, toHex, toStoreId } from '@lattice/model'
import { system } from '@lattice/proto'
import { addChild, admitPeer, setChildStatus, type SystemWrite } from '@lattice/systemstore'
import { kvStore } from '@lattice/kvstore'
import { describe, expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { hasFiles, reach } from './life-support.ts'
import { codeOf, get, put } from './support.ts'

/** Writes to a system table as any admin's own software could. */
async function write(mesh: SimMesh, index: number, [id, made]: readonly [StoreId, SystemWrite]): Promise<void> {
  const { kernel } = mesh.store(index, id)
  await mesh.complete(kernel().submit({ kind: 'system', schema: 0, value: made.op.value }, { deps: made.deps }))
}

async function declare(
  mesh: SimMesh,
  index: number,
  { parent, child, independent = false }: { parent: StoreId; child: StoreId; independent?: boolean },
): Promise<void> {
  const author = mesh.node(index).id
  const made = addChild({ author, child, alias: 'mine', storeType: kvStore.storeType, independent })
  await write(mesh, index, [parent, made])
}

async function setStatus(
  mesh: SimMesh,
  index: number,
  { parent, child, status }: { parent: StoreId; child: StoreId; status: 'active' | 'archived' | 'destroyed' },
): Promise<void> {
  await write(mesh, index, [parent, setChildStatus({ author: mesh.node(index).id, child, status })])
}

function paths(mesh: SimMesh, index: number): string[] {
  return mesh
    .node(index)
    .stores()
    .map(({ path }) => path)
}

describe('a deep hierarchy', () => {
  const DEPTH = 21
  // Some dozens of databases, each of whose commits waits for the disk.
  const PATIENCE_MS = 90_000

  test(
    'is listed, opened, resolved, archived and left at every depth',
    async () => {
      await using mesh = await createSimMesh({ seed: 1, nodes: 2 })
      const { id: root } = await mesh.complete(mesh.node(0).createStore({ name: 's0' }))
      const ids = [root]
      for (let depth = 1; depth < DEPTH; depth += 1) {
        const parent = ids[depth - 1] ?? root
        ids.push((await mesh.complete(mesh.node(0).createStore({ name: `s${depth}`, parent }))).id)
      }
      const deepest = ids[DEPTH - 1] ?? root
      const path = ids.map((_, depth) => `s${depth}`).join('/')
      await mesh.complete(mesh.node(1).join(await mesh.invite(0, root)))
      await mesh.converge(deepest)
      for (const index of [0, 1]) {
        expect(paths(mesh, index)).toHaveLength(DEPTH)
        expect(toHex(mesh.node(index).store(path).id)).toBe(toHex(deepest))
        expect(mesh.store(index, deepest).summary().path).toBe(path)
        expect(mesh.store(index, deepest).peers()).toHaveLength(2)
      }
      await put(mesh, 1, deepest, ['deep', 'down'])
      await mesh.converge(deepest)
      expect(await get(mesh, 0, deepest, 'deep')).toBe('down')
      const middle = ids[3] ?? root
      await mesh.complete(mesh.store(0, middle).archive())
      await reach(mesh, deepest, 'archived', [0, 1])
      await mesh.restart(1)
      expect(mesh.store(1, deepest).state()).toBe('archived')
      await mesh.complete(mesh.store(0, middle).unarchive())
      await mesh.converge(deepest)
      await mesh.complete(mesh.store(1, root).leave())
      expect(mesh.store(1, deepest).state()).toBe('left')
      const { stores } = await mesh.complete(mesh.store(1, root).deleteData({ confirmed: true }))
      expect(stores).toBe(DEPTH)
    },
    PATIENCE_MS,
  )
})

describe('names that collide', () => {
  test('are told apart by ids, on every node alike, also of children made at the same time', async () => {
    await using mesh = await createSimMesh({ seed: 2, nodes: 2 })
    const { id: team } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
    const { token } = await mesh.complete(mesh.store(0, team).invite({ role: system.Role.ADMIN }))
    await mesh.complete(mesh.node(1).join(token))
    await mesh.converge(team)
    mesh.partition([0], [1])
    const { id: one } = await mesh.complete(mesh.node(0).createStore({ name: 'notes', parent: team }))
    const { id: two } = await mesh.complete(mesh.node(1).createStore({ name: 'notes', parent: team }))
    const { id: sole } = await mesh.complete(mesh.node(1).createStore({ name: '日記 ✍️', parent: team }))
    expect(mesh.store(0, one).summary().path).toBe('team/notes')
    mesh.heal()
    for (const id of [one, two, sole]) await mesh.converge(id)
    for (const index of [0, 1]) {
      expect(mesh.store(index, one).summary().path).toBe(`team/notes~${toHex(one).slice(0, 12)}`)
      expect(mesh.store(index, two).summary().path).toBe(`team/notes~${toHex(two).slice(0, 12)}`)
      expect(toHex(mesh.node(index).store('team/日記 ✍️').id)).toBe(toHex(sole))
      for (const id of [one, two, sole]) {
        expect(toHex(mesh.node(index).store(mesh.store(index, id).summary().path).id)).toBe(toHex(id))
      }
      expect(() => mesh.node(index).store('team/notes')).toThrow(expect.objectContaining({ code: 'STORE_AMBIGUOUS' }))
    }
    await mesh.complete(mesh.store(0, one).setName('other'))
    expect(mesh.store(0, two).summary().path).toBe('team/notes')
  })
})

describe('a child with peers of its own', () => {
  test('is known to the others, and taken part in by who is invited to it', async () => {
    await using mesh = await createSimMesh({ seed: 10, nodes: 3 })
    const team = await mesh.share('team')
    const { id } = await mesh.complete(
      mesh.node(0).createStore({ name: 'board', parent: team, strategy: 'independent' }),
    )
    await put(mesh, 0, id, ['k', 'v'])
    await mesh.run(() => paths(mesh, 2).length === 2, 'it is known')
    await mesh.converge(team)
    for (const index of [1, 2]) {
      expect(mesh.store(index, id).summary()).toMatchObject({ state: 'left', hasData: false, path: 'team/board' })
    }
    expect(mesh.store(0, id).status().strategy).toBe('independent')
    expect(mesh.store(0, id).peers()).toHaveLength(1)
    await mesh.restart(1)
    await mesh.complete(mesh.node(1).join(await mesh.invite(0, id)))
    await mesh.converge(id, [0, 1])
    await mesh.run(() => mesh.store(1, id).summary().path === 'team/board', 'it is in its place')
    await put(mesh, 1, id, ['k', 'w'])
    await mesh.converge(id, [0, 1])
    await mesh.time.pass(60_000)
    expect(mesh.store(2, id).state()).toBe('left')
    expect(hasFiles(mesh, 2, id)).toBe(false)
    await mesh.complete(mesh.store(1, id).leave())
    expect(mesh.store(1, team).state()).toBe('active')
    await mesh.complete(mesh.store(1, id).rejoin())
    await mesh.converge(id, [0, 1])
    await mesh.complete(mesh.store(0, id).archive())
    await reach(mesh, id, 'archived', [0, 1, 2])
    await mesh.complete(mesh.store(0, id).unarchive())
    await reach(mesh, id, 'active', [0, 1])
    await reach(mesh, id, 'left', [2])
  })

  test('is fetched by one that was admitted without a token once it is told to take part', async () => {
    await using mesh = await createSimMesh({ seed: 14, nodes: 2 })
    const team = await mesh.share('team')
    const { id } = await mesh.complete(
      mesh.node(0).createStore({ name: 'board', parent: team, strategy: 'independent' }),
    )
    await mesh.run(() => paths(mesh, 1).length === 2, 'it is known')
    await mesh.complete(mesh.store(1, id).rejoin())
    await mesh.run(() => mesh.store(1, id).summary().error !== undefined, 'it is refused')
    expect(mesh.store(1, id).state()).toBe('bootstrapping')
    await mesh.complete(mesh.store(1, id).leave())
    expect(mesh.store(1, id).state()).toBe('left')
    const author = mesh.node(0).id
    await write(mesh, 0, [id, admitPeer({ author, peer: mesh.node(1).id, role: 'writer', addedAt: 1 })])
    await mesh.complete(mesh.store(1, id).rejoin())
    await mesh.converge(id)
  })

  test('can be joined by one that does not have its parent, and finds its place once that is there', async () => {
    await using mesh = await createSimMesh({ seed: 11, nodes: 2 })
    const { id: team } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
    const { id } = await mesh.complete(
      mesh.node(0).createStore({ name: 'board', parent: team, strategy: 'independent' }),
    )
    await mesh.complete(mesh.node(1).join(await mesh.invite(0, id)))
    expect(paths(mesh, 1)).toEqual(['board'])
    await expect(mesh.complete(mesh.store(1, id).destroy())).rejects.toThrow(/is a child of/)
    await mesh.complete(mesh.node(1).join(await mesh.invite(0, team)))
    await mesh.run(() => paths(mesh, 1).includes('team/board'), 'it is in its place')
    expect(paths(mesh, 1)).toEqual(['team', 'team/board'])
  })

  test('copied at its creation keeps them, whoever comes to the parent later', async () => {
    await using mesh = await createSimMesh({ seed: 12, nodes: 3 })
    const { id: team } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
    const { token } = await mesh.complete(mesh.store(0, team).invite({ role: system.Role.ADMIN }))
    await mesh.complete(mesh.node(1).join(token))
    const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'then', parent: team, strategy: 'snapshot' }))
    await mesh.converge(id, [0, 1])
    const peers = mesh.store(1, id).peers()
    expect(peers.map(({ name }) => name).toSorted()).toEqual(['node-0', 'node-1'])
    expect(peers.every(({ role }) => role === system.Role.ADMIN)).toBe(true)
    await put(mesh, 1, id, ['k', 'v'])
    await mesh.converge(id, [0, 1])
    await mesh.complete(mesh.node(2).join(await mesh.invite(0, team)))
    await mesh.time.pass(120_000)
    expect(mesh.store(2, id).summary()).toMatchObject({ state: 'bootstrapping', error: { code: expect.any(String) } })
    await mesh.complete(mesh.node(2).join(await mesh.invite(1, id)))
    await mesh.converge(id)
  })

  test('of a root makes no sense but for its own', async () => {
    await using mesh = await createSimMesh({ seed: 13, nodes: 1 })
    for (const strategy of ['inherited', 'snapshot'] as const) {
      expect(await codeOf(mesh, mesh.node(0).createStore({ name: 'x', strategy }))).toBe('INVALID_ARGUMENT')
    }
    await mesh.complete(mesh.node(0).createStore({ name: 'x', strategy: 'independent' }))
    expect(paths(mesh, 0)).toEqual(['x'])
  })
})

describe('a hostile declaration', () => {
  /** Node 2 is admin of `evil`, in which node 1 is a member; `team` with `notes` is of nodes 0 and 1. */
  async function withEvil(seed: string): Promise<{ mesh: SimMesh; team: StoreId; notes: StoreId; evil: StoreId }> {
    const mesh = await createSimMesh({ seed, nodes: 3 })
    const { id: team } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
    const { id: notes } = await mesh.complete(mesh.node(0).createStore({ name: 'notes', parent: team }))
    await put(mesh, 0, notes, ['k', 'v'])
    const { id: evil } = await mesh.complete(mesh.node(2).createStore({ name: 'evil' }))
    await mesh.complete(mesh.node(1).join(await mesh.invite(2, evil)))
    return { mesh, team, notes, evil }
  }

  test.each(['archived', 'destroyed'] as const)(
    'of stores of another mesh does nothing to them (%s)',
    async (status) => {
      const { mesh, team, notes, evil } = await withEvil(`taken ${status}`)
      await using _ = mesh
      await mesh.complete(mesh.node(1).join(await mesh.invite(0, team)))
      await mesh.converge(notes, [0, 1])
      for (const child of [team, notes]) {
        await declare(mesh, 2, { parent: evil, child })
        await setStatus(mesh, 2, { parent: evil, child, status })
      }
      await mesh.converge(evil, [1, 2])
      await mesh.restart(1)
      await mesh.time.pass(60_000)
      for (const id of [team, notes])
        expect(mesh.store(1, id).summary()).toMatchObject({ state: 'active', hasData: true })
      expect(mesh.store(1, team).summary().parentId).toBeUndefined()
      expect(mesh.store(1, notes).summary().path).toBe('team/notes')
      await put(mesh, 1, notes, ['k', 'w'])
      await mesh.converge(notes, [0, 1])
    },
  )

  test.each([false, true])(
    'made before a store arrives does not keep it away (independent: %s)',
    async (independent) => {
      const { mesh, team, notes, evil } = await withEvil(`before ${independent}`)
      await using _ = mesh
      for (const child of [team, notes]) await declare(mesh, 2, { parent: evil, child, independent })
      await mesh.run(() => mesh.node(1).stores().length === 3, 'the declarations have arrived')
      await mesh.time.pass(60_000)
      await mesh.complete(mesh.node(1).join(await mesh.invite(0, team)))
      await mesh.run(() => paths(mesh, 1).includes('team/notes'), 'it is where it belongs')
      await mesh.converge(notes, [0, 1])
      expect(paths(mesh, 1).toSorted()).toEqual(['evil', 'team', 'team/notes'])
      await setStatus(mesh, 2, { parent: evil, child: notes, status: 'archived' })
      await mesh.converge(evil, [1, 2])
      await mesh.time.pass(10_000)
      expect(mesh.store(1, notes).state()).toBe('active')
    },
  )

  test.each(['archived', 'destroyed'] as const)(
    'that ends a store before it arrives does not keep it away either (%s)',
    async (status) => {
      const { mesh, team, notes, evil } = await withEvil(`ended ${status}`)
      await using _ = mesh
      for (const child of [team, notes]) {
        await declare(mesh, 2, { parent: evil, child })
        await setStatus(mesh, 2, { parent: evil, child, status })
      }
      await mesh.run(() => mesh.node(1).stores().length === 3, 'the declarations have arrived')
      await mesh.converge(evil, [1, 2])
      expect(mesh.store(1, team).state()).toBe(status)
      await mesh.complete(mesh.node(1).join(await mesh.invite(0, team)))
      await mesh.converge(notes, [0, 1])
      expect(paths(mesh, 1).toSorted()).toEqual(['evil', 'team', 'team/notes'])
      await mesh.restart(1)
      await mesh.time.pass(10_000)
      expect(mesh.store(1, team).summary()).toMatchObject({ state: 'active', hasData: true })
      expect(mesh.store(1, notes).summary()).toMatchObject({ state: 'active', hasData: true })
    },
  )

  test('of a store that belongs elsewhere is seen through when that arrives, and what was fetched goes', async () => {
    const { mesh, evil } = await withEvil('foreign')
    await using _ = mesh
    const { id: own } = await mesh.complete(mesh.node(2).createStore({ name: 'own' }))
    await put(mesh, 2, own, ['k', 'v'])
    const author = mesh.node(2).id
    await write(mesh, 2, [own, admitPeer({ author, peer: mesh.node(1).id, role: 'writer', addedAt: 1 })])
    await declare(mesh, 2, { parent: evil, child: own })
    await mesh.run(
      () =>
        mesh
          .node(1)
          .stores()
          .some(({ error }) => error?.code === 'BOOTSTRAP_FAILED'),
      'it is seen',
    )
    await mesh.time.pass(120_000)
    expect(mesh.store(1, own).summary()).toMatchObject({
      state: 'left',
      hasData: false,
      error: { message: expect.stringContaining('belongs to another store or to none') },
    })
    expect(hasFiles(mesh, 1, own)).toBe(false)
    expect(hasFiles(mesh, 2, own)).toBe(true)
    expect(mesh.store(2, own).summary()).toMatchObject({ state: 'active', path: 'own' })
    await mesh.restart(1)
    await mesh.time.pass(120_000)
    expect(mesh.store(1, own).summary()).toMatchObject({ state: 'left', hasData: false })
    await mesh.complete(mesh.node(1).join(await mesh.invite(2, own)))
    expect(paths(mesh, 1).toSorted()).toEqual(['evil', 'own'])
    expect(await get(mesh, 1, own, 'k')).toBe('v')
  })

  test('of itself, of its root, of its own parent or in a circle changes nothing', async () => {
    await using mesh = await createSimMesh({ seed: 33, nodes: 2 })
    const team = await mesh.share('team')
    const { id: notes } = await mesh.complete(mesh.node(0).createStore({ name: 'notes', parent: team }))
    const { id: drafts } = await mesh.complete(mesh.node(0).createStore({ name: 'drafts', parent: notes }))
    await mesh.converge(drafts)
    for (const [parent, child] of [
      [team, team],
      [notes, team],
      [drafts, notes],
      [drafts, drafts],
      [team, drafts],
    ] as const) {
      await declare(mesh, 0, { parent, child })
      await setStatus(mesh, 0, { parent, child, status: 'archived' })
    }
    for (const id of [team, notes, drafts]) await mesh.converge(id)
    await mesh.restart(1)
    for (const index of [0, 1]) {
      expect(paths(mesh, index)).toEqual(['team', 'team/notes', 'team/notes/drafts'])
      for (const id of [team, notes, drafts]) expect(mesh.store(index, id).state()).toBe('active')
    }
  })

  test('of an id that nobody has waits with its reason and disturbs nobody', async () => {
    await using mesh = await createSimMesh({ seed: 34, nodes: 2 })
    const team = await mesh.share('team')
    const ghosts = Array.from({ length: 18 }, () => toStoreId(mesh.random.bytes(32)))
    for (const child of ghosts) await declare(mesh, 0, { parent: team, child })
    const { id: notes } = await mesh.complete(mesh.node(0).createStore({ name: 'notes', parent: team }))
    await mesh.converge(notes)
    await mesh.time.pass(60_000)
    const [ghost] = ghosts
    expect(ghost && mesh.store(1, ghost).summary()).toMatchObject({
      state: 'bootstrapping',
      error: { code: 'BOOTSTRAP_FAILED' },
    })
    await put(mesh, 1, notes, ['k', 'v'])
    await mesh.converge(notes)
    for (const child of ghosts) await setStatus(mesh, 0, { parent: team, child, status: 'destroyed' })
    await mesh.run(
      () => [0, 1].every((index) => ghosts.every((id) => !mesh.store(index, id).summary().hasData)),
      'nothing is left of them',
    )
    await mesh.complete(mesh.store(1, team).leave())
  }, 90_000)
})
