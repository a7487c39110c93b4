import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type StoreId, toHex } from '@lattice/model'
import { system } from '@lattice/proto'
import { describe, expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { codeOf, get, put } from './support.ts'

/** A root that all share and a child of it, all of it on all nodes. */
async function withChild(mesh: SimMesh): Promise<{ team: StoreId; notes: StoreId }> {
  const team = await mesh.share('team')
  const { id: notes } = await mesh.complete(mesh.node(0).createStore({ name: 'notes', parent: team }))
  await put(mesh, 0, notes, ['k', 'v'])
  await mesh.converge(team)
  await mesh.converge(notes)
  return { team, notes }
}

async function reach(mesh: SimMesh, id: StoreId, state: string, indices: readonly number[]): Promise<void> {
  await mesh.run(
    () => indices.every((index) => mesh.store(index, id).state() === state),
    `it is ${state} on ${indices.join(', ')}`,
  )
}

function hasFiles(mesh: SimMesh, index: number, id: StoreId): boolean {
  return existsSync(join(mesh.peers[index]?.dataDir() ?? '', 'stores', toHex(id)))
}

function leftovers(mesh: SimMesh, index: number): string[] {
  return readdirSync(join(mesh.peers[index]?.dataDir() ?? '', 'stores')).filter((name) => name.includes('.'))
}

async function gone(mesh: SimMesh, id: StoreId, indices: readonly number[]): Promise<void> {
  await mesh.run(
    () => indices.every((index) => !mesh.store(index, id).summary().hasData),
    `its data is gone on ${indices.join(', ')}`,
  )
  for (const index of indices) expect(hasFiles(mesh, index, id)).toBe(false)
}

function acks(mesh: SimMesh, index: number, id: StoreId): string[] {
  return mesh
    .store(index, id)
    .systemEntries()
    .map(({ key }) => key)
    .filter((key) => key.includes('destroy-ack'))
}

async function joinAsAdmin(mesh: SimMesh, index: number, id: StoreId): Promise<void> {
  const { token } = await mesh.complete(mesh.store(0, id).invite({ role: system.Role.ADMIN }))
  await mesh.complete(mesh.node(index).join(token))
}

describe('archiving', () => {
  test('closes a child on every node, keeps its data, and is undone by unarchiving', async () => {
    await using mesh = await createSimMesh({ seed: 1, nodes: 3 })
    const { notes } = await withChild(mesh)
    await mesh.complete(mesh.store(0, notes).archive())
    expect(mesh.store(0, notes).state()).toBe('archived')
    await reach(mesh, notes, 'archived', [0, 1, 2])
    for (const index of [0, 1, 2]) {
      expect(mesh.store(index, notes).summary()).toMatchObject({ hasData: true, path: 'team/notes' })
      expect(() => mesh.store(index, notes).kernel()).toThrow(/is archived: an admin of its parent can unarchive it/)
      expect(await codeOf(mesh, put(mesh, index, notes, ['k', 'w']))).toBe('WRONG_STATE')
    }
    await mesh.restart(1)
    expect(mesh.store(1, notes).state()).toBe('archived')
    await mesh.complete(mesh.store(0, notes).unarchive())
    expect(mesh.store(0, notes).state()).toBe('active')
    await reach(mesh, notes, 'active', [0, 1, 2])
    expect(await get(mesh, 1, notes, 'k')).toBe('v')
    await put(mesh, 1, notes, ['k', 'w'])
    await mesh.converge(notes)
  })

  test('is done once, by an admin, to a child', async () => {
    await using mesh = await createSimMesh({ seed: 2, nodes: 2 })
    const { team, notes } = await withChild(mesh)
    expect(await codeOf(mesh, mesh.store(0, team).archive())).toBe('WRONG_STATE')
    expect(await codeOf(mesh, mesh.store(0, team).unarchive())).toBe('WRONG_STATE')
    expect(await codeOf(mesh, mesh.store(1, notes).archive())).toBe('NOT_ADMIN')
    await mesh.complete(mesh.store(0, notes).archive())
    const count = (): number => mesh.store(0, team).status().stats.witnessCount
    const before = count()
    await mesh.complete(mesh.store(0, notes).archive())
    await reach(mesh, notes, 'archived', [1])
    await mesh.complete(mesh.store(1, notes).archive())
    expect(count()).toBe(before)
    await mesh.complete(mesh.store(0, notes).unarchive())
    await mesh.complete(mesh.store(0, notes).unarchive())
    expect(count()).toBe(before + 1)
  })

  test('takes what is below along, shown as archived, and brings it back', async () => {
    await using mesh = await createSimMesh({ seed: 3, nodes: 2 })
    const { notes } = await withChild(mesh)
    const { id: drafts } = await mesh.complete(mesh.node(0).createStore({ name: 'drafts', parent: notes }))
    await mesh.converge(drafts)
    await mesh.complete(mesh.store(0, notes).archive())
    await reach(mesh, drafts, 'archived', [0, 1])
    expect(() => mesh.store(1, drafts).kernel()).toThrow(/is below .* is archived/)
    expect(await codeOf(mesh, mesh.store(0, drafts).archive())).toBe('WRONG_STATE')
    await mesh.restart(1)
    expect(mesh.store(1, drafts).summary()).toMatchObject({ state: 'archived', path: 'team/notes/drafts' })
    await mesh.complete(mesh.store(0, notes).unarchive())
    await mesh.converge(drafts)
  })

  test('reaches a node that was away, and one that only begins', async () => {
    await using mesh = await createSimMesh({ seed: 4, nodes: 3 })
    const { id: team } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
    const { id: notes } = await mesh.complete(mesh.node(0).createStore({ name: 'notes', parent: team }))
    await put(mesh, 0, notes, ['k', 'v'])
    await mesh.complete(mesh.node(1).join(await mesh.invite(0, team)))
    await mesh.converge(notes, [0, 1])
    await mesh.stop(1)
    await mesh.complete(mesh.store(0, notes).archive())
    await mesh.complete(mesh.node(2).join(await mesh.invite(0, team)))
    await mesh.start(1)
    await mesh.run(() => mesh.node(2).stores().length === 2, 'the newcomer knows of it')
    await reach(mesh, notes, 'archived', [0, 1, 2])
    expect(mesh.store(2, notes).summary()).toMatchObject({ hasData: false, name: 'notes' })
    await mesh.complete(mesh.store(0, notes).unarchive())
    await mesh.converge(notes)
    expect(await get(mesh, 2, notes, 'k')).toBe('v')
  })

  test('by two admins at once, one of whom undoes it, ends alike everywhere', async () => {
    await using mesh = await createSimMesh({ seed: 5, nodes: 3 })
    const { id: team } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
    await joinAsAdmin(mesh, 1, team)
    await mesh.complete(mesh.node(2).join(await mesh.invite(0, team)))
    const { id: notes } = await mesh.complete(mesh.node(0).createStore({ name: 'notes', parent: team }))
    await mesh.converge(notes)
    mesh.partition([0], [1, 2])
    await mesh.complete(mesh.store(0, notes).archive())
    await mesh.complete(mesh.store(1, notes).archive())
    await mesh.complete(mesh.store(1, notes).unarchive())
    mesh.heal()
    await mesh.converge(team)
    const states = (): string[] => [0, 1, 2].map((index) => mesh.store(index, notes).state())
    await mesh.run(() => new Set(states()).size === 1, 'all agree')
    await mesh.complete(mesh.store(0, notes).archive())
    await reach(mesh, notes, 'archived', [0, 1, 2])
  })
})

describe('destroying a child', () => {
  test('takes archiving first, an admin, and has no way back', async () => {
    await using mesh = await createSimMesh({ seed: 10, nodes: 2 })
    const { notes } = await withChild(mesh)
    await expect(mesh.complete(mesh.store(0, notes).destroy())).rejects.toThrow(/archive it first/)
    await mesh.complete(mesh.store(0, notes).archive())
    await reach(mesh, notes, 'archived', [1])
    expect(await codeOf(mesh, mesh.store(1, notes).destroy())).toBe('NOT_ADMIN')
    await mesh.complete(mesh.store(0, notes).destroy())
    expect(mesh.store(0, notes).state()).toBe('destroyed')
    await mesh.complete(mesh.store(0, notes).destroy())
    expect(await codeOf(mesh, mesh.store(0, notes).unarchive())).toBe('WRONG_STATE')
    expect(await codeOf(mesh, mesh.store(0, notes).archive())).toBe('WRONG_STATE')
  })

  test('removes its data with all below it once every peer that writes has acknowledged, each once', async () => {
    await using mesh = await createSimMesh({ seed: 11, nodes: 3 })
    const { team, notes } = await withChild(mesh)
    const { id: drafts } = await mesh.complete(mesh.node(0).createStore({ name: 'drafts', parent: notes }))
    await mesh.converge(drafts)
    await mesh.stop(2)
    await mesh.complete(mesh.store(0, notes).archive())
    await mesh.complete(mesh.store(0, notes).destroy())
    await mesh.run(() => mesh.store(0, notes).summary().awaiting.length === 1, 'one is waited for')
    const away = mesh.store(0, notes).summary().awaiting[0] ?? new Uint8Array()
    expect(mesh.store(0, notes).summary()).toMatchObject({ state: 'destroyed', hasData: true })
    expect(mesh.store(0, drafts).summary()).toMatchObject({ state: 'destroyed', hasData: true })
    await mesh.restart(0)
    await mesh.time.pass(60_000)
    expect(hasFiles(mesh, 0, notes)).toBe(true)
    expect(acks(mesh, 0, team)).toHaveLength(2)
    await mesh.start(2)
    expect(toHex(mesh.node(2).id)).toBe(toHex(away))
    await gone(mesh, notes, [0, 1, 2])
    for (const index of [0, 1, 2]) {
      expect(mesh.store(index, notes).summary()).toMatchObject({ state: 'destroyed', name: 'notes', awaiting: [] })
      expect(hasFiles(mesh, index, drafts)).toBe(false)
      expect(leftovers(mesh, index)).toEqual([])
      expect(mesh.node(index).stores()).toHaveLength(2)
    }
    for (const index of [0, 1, 2]) await mesh.restart(index)
    await mesh.converge(team)
    expect(acks(mesh, 0, team)).toHaveLength(3)
    expect(mesh.store(1, notes).summary()).toMatchObject({ state: 'destroyed', hasData: false })
  })

  test('waits for no reader, and is followed by them', async () => {
    await using mesh = await createSimMesh({ seed: 12, nodes: 2 })
    const { id: team } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
    const { id: notes } = await mesh.complete(mesh.node(0).createStore({ name: 'notes', parent: team }))
    const { token } = await mesh.complete(mesh.store(0, team).invite({ role: system.Role.READER }))
    await mesh.complete(mesh.node(1).join(token))
    await mesh.converge(notes)
    await mesh.stop(1)
    await mesh.complete(mesh.store(0, notes).archive())
    await mesh.complete(mesh.store(0, notes).destroy())
    await gone(mesh, notes, [0])
    await mesh.start(1)
    await reach(mesh, notes, 'destroyed', [1])
    await gone(mesh, notes, [1])
    expect(acks(mesh, 1, team)).toHaveLength(1)
  })

  test('frees its name', async () => {
    await using mesh = await createSimMesh({ seed: 13, nodes: 1 })
    const { team, notes } = await withChild(mesh)
    await mesh.complete(mesh.store(0, notes).archive())
    await mesh.complete(mesh.store(0, notes).destroy())
    const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'notes', parent: team }))
    expect(toHex(mesh.node(0).store('team/notes').id)).toBe(toHex(id))
    expect(toHex(mesh.node(0).store('notes').id)).toBe(toHex(id))
    const { path } = mesh.store(0, notes).summary()
    expect(path).toMatch(/^team\/notes~[0-9a-f]{12}$/)
    expect(toHex(mesh.node(0).store(path).id)).toBe(toHex(notes))
  })

  test('while another admin brings it back ends alike everywhere, whatever was deleted', async () => {
    await using mesh = await createSimMesh({ seed: 14, nodes: 3 })
    const { id: team } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
    await joinAsAdmin(mesh, 1, team)
    await mesh.complete(mesh.node(2).join(await mesh.invite(0, team)))
    const { id: notes } = await mesh.complete(mesh.node(0).createStore({ name: 'notes', parent: team }))
    await mesh.converge(notes)
    await mesh.complete(mesh.store(0, notes).archive())
    await reach(mesh, notes, 'archived', [0, 1, 2])
    mesh.partition([0, 2], [1])
    await mesh.complete(mesh.store(1, notes).unarchive())
    await mesh.complete(mesh.store(0, notes).destroy())
    await reach(mesh, notes, 'destroyed', [0, 2])
    mesh.heal()
    await mesh.converge(team)
    await reach(mesh, notes, 'destroyed', [0, 1, 2])
    await gone(mesh, notes, [0, 1, 2])
  })
})
