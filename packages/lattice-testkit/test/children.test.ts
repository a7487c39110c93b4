import { toHex } from '@lattice/model'
import { system } from '@lattice/proto'
import { isAdmin, setChildStatus } from '@lattice/systemstore'
import { describe, expect, test } from 'vitest'
import { createSimMesh } from '../src/index.ts'
import { codeOf, get, put } from './support.ts'

describe('a child store', () => {
  test('appears on every node of its parent, with its peers, under its path', async () => {
    await using mesh = await createSimMesh({ seed: 1, nodes: 3 })
    const team = await mesh.share('team')
    const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'notes', parent: team }))
    await mesh.converge(id)
    for (const index of [0, 1, 2]) {
      const found = mesh.node(index).store('team/notes')
      expect(toHex(found.id)).toBe(toHex(id))
      expect(found.peers()).toHaveLength(3)
      expect(found.status().strategy).toBe('inherited')
    }
    await put(mesh, 1, id, ['by', 'member'])
    await put(mesh, 2, id, ['too', 'yes'])
    await mesh.converge(id)
    expect(await get(mesh, 0, id, 'by')).toBe('member')
  })

  test('is there for who joins its parent later, at every depth', async () => {
    await using mesh = await createSimMesh({ seed: 2, nodes: 2 })
    const { id: team } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
    const { id: notes } = await mesh.complete(mesh.node(0).createStore({ name: 'notes', parent: team }))
    const { id: drafts } = await mesh.complete(mesh.node(0).createStore({ name: 'drafts', parent: notes }))
    await put(mesh, 0, drafts, ['deep', 'down'])
    await mesh.complete(mesh.node(1).join(await mesh.invite(0, team)))
    await mesh.converge(drafts)
    expect(await get(mesh, 1, drafts, 'deep')).toBe('down')
    expect(
      mesh
        .node(1)
        .stores()
        .map(({ path }) => path),
    ).toEqual(['team', 'team/notes', 'team/notes/drafts'])
    await put(mesh, 1, drafts, ['back', 'up'])
    await mesh.converge(drafts)
  })

  test('admits whom its parent admits, also when the parent is the last to know', async () => {
    await using mesh = await createSimMesh({ seed: 3, nodes: 3 })
    const { id: team } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
    await mesh.complete(mesh.node(1).join(await mesh.invite(0, team)))
    const { id: notes } = await mesh.complete(mesh.node(0).createStore({ name: 'notes', parent: team }))
    await mesh.converge(notes, [0, 1])
    await mesh.stop(1)
    await mesh.complete(mesh.node(2).join(await mesh.invite(0, team)))
    await mesh.converge(notes)
    await put(mesh, 2, notes, ['from', 'the new one'])
    await mesh.converge(notes)
    await mesh.start(1)
    await mesh.converge(notes)
    expect(await get(mesh, 1, notes, 'from')).toBe('the new one')
  })

  test('of a name that two made at once is two stores, told apart by their ids', async () => {
    await using mesh = await createSimMesh({ seed: 4, nodes: 2 })
    const { id: team } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
    await mesh.complete(mesh.node(0).createStore({ name: 'notes', parent: team }))
    await mesh.complete(mesh.node(0).createStore({ name: 'notes', parent: team }))
    expect(() => mesh.node(0).store('team/notes')).toThrow(expect.objectContaining({ code: 'STORE_AMBIGUOUS' }))
    const paths = mesh
      .node(0)
      .stores()
      .map(({ path }) => path)
    expect(paths).toEqual(['team', expect.stringMatching(/^team\/notes~[0-9a-f]{12}$/), expect.any(String)])
    for (const path of paths) expect(mesh.node(0).store(path).summary().path).toBe(path)
  })

  test('is made by an admin of a parent in use, and takes its invites there', async () => {
    await using mesh = await createSimMesh({ seed: 5, nodes: 2 })
    const team = await mesh.share('team')
    expect(await codeOf(mesh, mesh.node(1).createStore({ name: 'notes', parent: team }))).toBe('NOT_ADMIN')
    const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'notes', parent: team }))
    expect(await codeOf(mesh, mesh.store(0, id).invite({}))).toBe('NOT_SUPPORTED')
    expect(
      mesh
        .node(1)
        .stores()
        .filter(({ state }) => state === 'failed'),
    ).toEqual([])
  })

  test('has the admins of its parent, those that come later too, and nobody else', async () => {
    await using mesh = await createSimMesh({ seed: 15, nodes: 3 })
    const { id: team, invite } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
    const { id: notes } = await mesh.complete(mesh.node(0).createStore({ name: 'notes', parent: team }))
    const { token } = await mesh.complete(invite({ role: system.Role.ADMIN }))
    await mesh.complete(mesh.node(1).join(token))
    await mesh.complete(mesh.node(2).join(await mesh.invite(0, team)))
    const isAdminOf = (index: number): boolean =>
      isAdmin(mesh.store(index, notes).kernel().tables().system, mesh.node(index).id)
    await mesh.run(() => mesh.store(1, notes).state() === 'active' && isAdminOf(1), 'the new admin is one there, too')
    const { id: drafts } = await mesh.complete(mesh.node(1).createStore({ name: 'drafts', parent: notes }))
    await mesh.converge(drafts)
    // The creator of the parent did not make this one.
    await mesh.complete(mesh.store(0, drafts).setName('sketches'))
    await mesh.complete(mesh.store(0, drafts).archive())
    await mesh.converge(notes)
    expect(isAdminOf(2)).toBe(false)
    expect(await codeOf(mesh, mesh.node(2).createStore({ name: 'mine', parent: notes }))).toBe('NOT_ADMIN')
    // A peer that is promoted is one from then on.
    await mesh.complete(mesh.store(0, team).setPeerRole('node-2', system.Role.ADMIN))
    await mesh.run(() => isAdminOf(2), 'the promoted admin is one there, too')
  })

  test('is closed everywhere when it is archived, keeps its data, and comes back', async () => {
    await using mesh = await createSimMesh({ seed: 8, nodes: 2 })
    const team = await mesh.share('team')
    const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'notes', parent: team }))
    await put(mesh, 0, id, ['k', 'v'])
    await mesh.converge(id)
    const setStatus = async (status: 'active' | 'archived' | 'destroyed'): Promise<void> => {
      const write = setChildStatus({ author: mesh.node(0).id, child: id, status })
      const { kernel } = mesh.store(0, team)
      await mesh.complete(kernel().submit({ kind: 'system', schema: 0, value: write.op.value }, { deps: write.deps }))
    }
    const everywhere = (state: string): Promise<void> =>
      mesh.run(() => [0, 1].every((index) => mesh.store(index, id).state() === state), `it is ${state} everywhere`)
    await setStatus('archived')
    await everywhere('archived')
    expect(await codeOf(mesh, put(mesh, 1, id, ['k', 'w']))).toBe('WRONG_STATE')
    await mesh.restart(1)
    expect(mesh.store(1, id).state()).toBe('archived')
    await setStatus('active')
    await everywhere('active')
    expect(await get(mesh, 1, id, 'k')).toBe('v')
    await put(mesh, 1, id, ['k', 'w'])
    await mesh.converge(id)
    await setStatus('destroyed')
    await everywhere('destroyed')
  })

  test('is renamed in its parent', async () => {
    await using mesh = await createSimMesh({ seed: 6, nodes: 2 })
    const team = await mesh.share('team')
    const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'notes', parent: team }))
    await mesh.converge(id)
    await mesh.complete(mesh.store(0, id).setName('diary'))
    await mesh.converge(team)
    expect(mesh.store(1, id).summary()).toMatchObject({ name: 'diary', path: 'team/diary', parentId: team })
  })

  test('a name or type that cannot be is refused, and nothing is made', async () => {
    await using mesh = await createSimMesh({ seed: 7, nodes: 1 })
    for (const name of ['a/b', ' x', 'a\u0000', 'n'.repeat(200), '..']) {
      expect(await codeOf(mesh, mesh.node(0).createStore({ name }))).toBe('INVALID_ARGUMENT')
    }
    expect(await codeOf(mesh, mesh.node(0).createStore({ storeType: 'core:nothing' }))).toBe('STORE_TYPE_UNKNOWN')
    expect(await codeOf(mesh, mesh.node(0).createStore({ storeType: 'Not A Type' }))).toBe('STORE_TYPE_UNKNOWN')
    expect(mesh.node(0).stores()).toEqual([])
  })
})
