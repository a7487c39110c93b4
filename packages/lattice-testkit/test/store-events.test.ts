import { isLagged, type StoreId } from '@lattice/model'
import type { NodeEvent } from '@lattice/node'
import { expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { reach, withChild } from './life-support.ts'
import { put } from './support.ts'

/** What is told of stores from now on, a line each. */
function follow(mesh: SimMesh, index: number): string[] {
  const told: string[] = []
  const names = new Map<string, string>()
  const nameOf = (id: StoreId): string => String(id)
  const line = (event: NodeEvent): string | undefined => {
    if (event.kind === 'store_changed') {
      const { id, path, state, hasData, awaiting } = event.summary
      names.set(nameOf(id), path)
      return `${path} ${state}${hasData ? '' : ' (no data)'}${awaiting.length > 0 ? ` (awaiting ${awaiting.length})` : ''}`
    }
    return event.kind === 'store_removed' ? `${names.get(nameOf(event.storeId))} removed` : undefined
  }
  const run = async (): Promise<void> => {
    for await (const event of mesh.node(index).events(new AbortController().signal)) {
      const text = isLagged(event) ? 'lagged' : line(event)
      if (text !== undefined) told.push(text)
    }
  }
  run().catch((error: unknown) => told.push(`failed: ${String(error)}`))
  return told
}

test('each change of a store is told once, in order, and nothing else', async () => {
  await using mesh = await createSimMesh({ seed: 1, nodes: 2 })
  const { team, notes } = await withChild(mesh)
  const told = follow(mesh, 1)
  await put(mesh, 1, notes, ['k', 'w'])
  await mesh.converge(notes)
  await mesh.time.pass(60_000)
  expect(told).toEqual([])
  await mesh.complete(mesh.store(0, notes).setName('diary'))
  await mesh.complete(mesh.store(0, notes).archive())
  await reach(mesh, notes, 'archived', [1])
  await mesh.complete(mesh.store(0, notes).unarchive())
  await mesh.converge(notes)
  await mesh.complete(mesh.store(1, team).leave())
  await mesh.complete(mesh.store(1, team).deleteData({ confirmed: true }))
  await mesh.complete(mesh.node(1).join(await mesh.invite(0, team)))
  await mesh.converge(notes)
  await mesh.complete(mesh.store(0, notes).archive())
  await mesh.complete(mesh.store(0, notes).destroy())
  await mesh.run(() => !mesh.store(1, notes).summary().hasData, 'its data is gone')
  await mesh.time.pass(1_000)
  const passing = told.filter((text) => !text.includes('bootstrapping'))
  expect(passing).toEqual([
    'team/diary active',
    'team/diary archived',
    'team/diary active',
    'team left',
    'team/diary left',
    'team/diary removed',
    'team removed',
    'team active',
    'team/diary active',
    'team/diary archived',
    'team/diary destroyed (awaiting 2)',
    'team/diary destroyed (awaiting 1)',
    'team/diary destroyed (no data)',
  ])
})
