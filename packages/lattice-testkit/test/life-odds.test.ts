/** What the acts do where something else is wrong as well. */
import { closeSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { type StoreId, toHex } from '@lattice/model'
import { describe, expect, test } from 'vitest'
import type { StoragePoint } from '@lattice/storage'
import { setChildStatus } from '@lattice/systemstore'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { hasFiles, reach, withChild } from './life-support.ts'
import { codeOf, get, put } from './support.ts'

function damageLog(mesh: SimMesh, index: number, id: StoreId): void {
  const path = join(mesh.peers[index]?.dataDir() ?? '', 'stores', toHex(id), 'log.db')
  const file = openSync(path, 'r+')
  writeSync(file, new Uint8Array(6000).fill(0xa5), 0, 6000, 0)
  closeSync(file)
}

describe('a store that does not open', () => {
  test('does not take what is below it along', async () => {
    await using mesh = await createSimMesh({ seed: 1, nodes: 1 })
    const { team, notes } = await withChild(mesh)
    await mesh.stop(0)
    damageLog(mesh, 0, team)
    await mesh.start(0)
    expect(mesh.node(0).stores()).toMatchObject([
      { state: 'failed', path: 'team', error: { code: 'LOG_DAMAGED' } },
      { state: 'active', path: 'team/notes' },
    ])
    expect(await get(mesh, 0, notes, 'k')).toBe('v')
    expect(await codeOf(mesh, mesh.store(0, notes).archive())).toBe('LOG_DAMAGED')
    expect(hasFiles(mesh, 0, notes)).toBe(true)
  })

  test('can be left and removed by force, and joined again', async () => {
    await using mesh = await createSimMesh({ seed: 2, nodes: 2 })
    const { team, notes } = await withChild(mesh)
    await put(mesh, 1, notes, ['own', 'write'])
    await mesh.converge(notes)
    await mesh.time.pass(60_000)
    await mesh.stop(1)
    damageLog(mesh, 1, team)
    await mesh.start(1)
    expect(mesh.store(1, team).state()).toBe('failed')
    expect(await codeOf(mesh, mesh.store(1, team).leave())).toBe('NOT_REPLICATED')
    await mesh.complete(mesh.store(1, team).leave({ force: true }))
    expect(
      mesh
        .node(1)
        .stores()
        .map(({ state }) => state),
    ).toEqual(['left', 'left'])
    await mesh.complete(mesh.store(1, team).deleteData({ confirmed: true, force: true }))
    await mesh.complete(mesh.node(1).join(await mesh.invite(0, team)))
    await mesh.converge(notes)
    expect(await get(mesh, 1, notes, 'own')).toBe('write')
  })
})

describe('what is below something that is out of use', () => {
  test('can lose its data alone, and has it again with it', async () => {
    await using mesh = await createSimMesh({ seed: 3, nodes: 2 })
    const { team, notes } = await withChild(mesh)
    const { id: drafts } = await mesh.complete(mesh.node(0).createStore({ name: 'drafts', parent: notes }))
    await put(mesh, 0, drafts, ['k', 'v'])
    await mesh.converge(drafts)
    await mesh.time.pass(60_000)
    await mesh.complete(mesh.store(0, notes).archive())
    await reach(mesh, drafts, 'archived', [1])
    const { stores } = await mesh.complete(mesh.store(1, drafts).deleteData({ confirmed: true }))
    expect(stores).toBe(1)
    expect([notes, drafts].map((id) => hasFiles(mesh, 1, id))).toEqual([true, false])
    expect(mesh.store(1, drafts).summary()).toMatchObject({ state: 'archived', hasData: false })
    await mesh.complete(mesh.store(0, notes).unarchive())
    await mesh.converge(drafts)
    expect(await get(mesh, 1, drafts, 'k')).toBe('v')
    await mesh.complete(mesh.store(1, team).leave())
    expect(await codeOf(mesh, mesh.store(1, drafts).leave())).toBe('WRONG_STATE')
  })

  test('is not joined by a token, which says what is in the way', async () => {
    await using mesh = await createSimMesh({ seed: 4, nodes: 2 })
    const { id: team } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
    const { id: board } = await mesh.complete(
      mesh.node(0).createStore({ name: 'board', parent: team, strategy: 'independent' }),
    )
    await mesh.complete(mesh.node(1).join(await mesh.invite(0, team)))
    await mesh.run(() => mesh.node(1).stores().length === 2, 'the board is known')
    const token = await mesh.invite(0, board)
    await mesh.complete(mesh.store(0, board).archive())
    await reach(mesh, board, 'archived', [1])
    await expect(mesh.complete(mesh.node(1).join(token))).rejects.toThrow(/is archived/)
  })
})

describe('acts that come together', () => {
  test('run one after another, each on what the one before left', async () => {
    await using mesh = await createSimMesh({ seed: 5, nodes: 2 })
    const { team } = await withChild(mesh)
    await mesh.time.pass(60_000)
    const store = mesh.store(1, team)
    const outcomes = await mesh.complete(
      Promise.allSettled([
        store.leave(),
        store.rejoin(),
        store.leave(),
        store.deleteData({ confirmed: true }),
        store.leave(),
      ]),
    )
    expect(outcomes.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'fulfilled',
      'fulfilled',
      'rejected',
    ])
    expect(mesh.node(1).stores()).toEqual([])
  })

  // Whether others hold what is closed is seen by opening it: nobody else may open it meanwhile.
  test('with a change from elsewhere do not keep a store from opening', async () => {
    await using mesh = await createSimMesh({ seed: 8, nodes: 1 })
    const { id: team } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
    const { id: notes } = await mesh.complete(mesh.node(0).createStore({ name: 'notes', parent: team }))
    await put(mesh, 0, notes, ['k', 'v'])
    await mesh.complete(mesh.store(0, notes).archive())
    await mesh.stop(0)
    let isArmed = false
    let unarchive = (): Promise<unknown> => Promise.resolve()
    let unarchived: Promise<unknown> | undefined
    const at = (point: StoragePoint, path: string): void => {
      if (!isArmed || point !== 'opened' || !path.includes(toHex(notes))) return
      isArmed = false
      unarchived = unarchive()
    }
    await mesh.start(0, { storageHooks: { at } })
    const kernel = mesh.store(0, team).kernel()
    const { op, deps } = setChildStatus({ author: mesh.node(0).id, child: notes, status: 'active' })
    unarchive = () => kernel.submit({ kind: 'system', schema: 0, value: op.value }, { deps })
    isArmed = true
    expect(await codeOf(mesh, mesh.store(0, team).leave())).toBe('NOT_REPLICATED')
    expect(isArmed).toBe(false)
    await mesh.complete(Promise.resolve(unarchived))
    await reach(mesh, notes, 'active', [0])
    expect(await get(mesh, 0, notes, 'k')).toBe('v')
  })

  test('leaving stops when it is told to, and nothing was', async () => {
    await using mesh = await createSimMesh({ seed: 6, nodes: 2 })
    const { team, notes } = await withChild(mesh)
    const controller = new AbortController()
    controller.abort(new Error('changed my mind'))
    await expect(mesh.store(1, team).leave({ signal: controller.signal })).rejects.toThrow('changed my mind')
    await put(mesh, 1, notes, ['k', 'w'])
  })

  test('end with the node, which closes meanwhile and leaves nothing open', async () => {
    await using mesh = await createSimMesh({ seed: 7, nodes: 2 })
    const { team, notes } = await withChild(mesh)
    await mesh.complete(mesh.store(0, notes).archive())
    await reach(mesh, notes, 'archived', [1])
    const store = mesh.store(1, team)
    const acts = Array.from({ length: 20 }, (_, nth) => (nth % 2 === 0 ? store.leave() : store.rejoin()))
    const outcomes = Promise.all(acts.map((act) => codeOf(mesh, act)))
    await mesh.stop(1)
    const codes = await outcomes
    const cut = codes.findIndex((code) => code !== 'resolved')
    expect(cut).toBeGreaterThanOrEqual(0)
    // One may be cut short; those after it have not begun.
    expect(new Set(codes.slice(cut + 1))).toEqual(new Set(['CLOSED']))
    expect(await codeOf(mesh, store.leave())).toBe('CLOSED')
    await mesh.start(1)
    const { state } = mesh.store(1, team).summary()
    expect(
      mesh
        .node(1)
        .stores()
        .map((summary) => summary.state),
    ).toEqual(state === 'left' ? ['left', 'left'] : ['active', 'archived'])
    if (state === 'left') await mesh.complete(mesh.store(1, team).rejoin())
    await mesh.converge(team)
  })
})
