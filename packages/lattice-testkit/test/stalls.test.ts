/** A projection that stalls: seen by whoever follows the node, mended by a command, and no matter to other stores. */
import { kvStore } from '@lattice/kvstore'
import { createAbortController, isLagged, type StoreType } from '@lattice/model'
import type { NodeEvent } from '@lattice/node'
import type { StateMachine } from '@lattice/store-base'
import { describe, expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { get, kvOf, put } from './support.ts'

/** The kv machine, that throws for the value `bad` while it is broken. */
function breakable(): { isBroken: boolean; readonly openers: ReadonlyMap<StoreType, () => StateMachine> } {
  const machine = kvStore as StateMachine
  const state = {
    isBroken: false,
    openers: new Map([
      [
        kvStore.storeType,
        (): StateMachine => ({
          ...machine,
          apply: (table, op) => {
            if (state.isBroken && Buffer.from(op.payload).includes('bad')) throw new Error('the machine is broken')
            return machine.apply(table, op)
          },
        }),
      ],
    ]),
  }
  return state
}

function follow(mesh: SimMesh, index: number): { readonly seen: NodeEvent[]; readonly end: () => void } {
  const seen: NodeEvent[] = []
  const controller = createAbortController()
  const events = mesh.node(index).events(controller.signal)
  const reading = async (): Promise<void> => {
    for await (const event of events) if (!isLagged(event)) seen.push(event)
  }
  reading().catch(() => undefined)
  return { seen, end: () => controller.abort() }
}

describe('a projection that stalls', () => {
  test('is told and shown, goes on by retry once mended, and stops no other store', async () => {
    const machine = breakable()
    await using mesh = await createSimMesh({ seed: 1, nodes: 2, openers: machine.openers })
    const id = await mesh.share('team')
    const { id: other } = await mesh.complete(mesh.node(0).createStore({ name: 'other' }))
    await put(mesh, 0, id, ['a', '1'])
    await mesh.converge(id)
    // Node 1 is broken, node 0 is not: the machine is one object, so node 0 writes before it breaks.
    mesh.partition([0], [1])
    await put(mesh, 0, id, ['b', 'bad'])
    await put(mesh, 0, id, ['c', '3'])
    machine.isBroken = true
    const { seen, end } = follow(mesh, 1)
    mesh.heal()
    await mesh.run(() => mesh.store(1, id).status().projection.stalled !== undefined, 'node 1 stalls')
    const { stalled, appliedSeq, headSeq } = mesh.store(1, id).status().projection
    expect(stalled).toMatchObject({ seq: appliedSeq + 1 })
    await mesh.run(
      () => mesh.store(1, id).kernel().stats().witnessCount === mesh.store(0, id).kernel().stats().witnessCount,
      'replication goes on',
    )
    expect(headSeq).toBeGreaterThan(appliedSeq)
    await put(mesh, 0, other, ['k', 'v'])
    expect(await get(mesh, 0, other, 'k')).toBe('v')
    await expect(mesh.complete(mesh.store(1, id).retry())).rejects.toMatchObject({ code: 'PROJECTION_STALLED' })
    await expect(mesh.complete(kvOf(mesh, 1, id).put('d', '4'))).rejects.toMatchObject({ code: 'PROJECTION_STALLED' })
    machine.isBroken = false
    await mesh.complete(mesh.store(1, id).retry())
    await mesh.converge(id)
    expect(mesh.store(1, id).status().projection.stalled).toBeUndefined()
    expect(await get(mesh, 1, id, 'b')).toBe('bad')
    end()
    const kinds = seen.map(({ kind }) => kind).filter((kind) => kind === 'stalled' || kind === 'resumed')
    expect(kinds.at(0)).toBe('stalled')
    expect(kinds.at(-1)).toBe('resumed')
    expect(seen.find(({ kind }) => kind === 'stalled')).toMatchObject({
      error: 'the machine is broken',
      since: expect.any(Number) as number,
    })
  })

  test('rebuilding tells how far it is, and that it is through', async () => {
    await using mesh = await createSimMesh({ seed: 2, nodes: 1 })
    const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
    const entries = Array.from({ length: 4500 }, (_, index) => ({ key: `k${index}`, value: 'v' }))
    await mesh.complete(kvOf(mesh, 0, id).import(entries, { keysPerWrite: 1 }))
    const { seen, end } = follow(mesh, 0)
    await mesh.complete(mesh.store(0, id).rebuild())
    const { witnessCount } = mesh.store(0, id).kernel().stats()
    await mesh.run(() => seen.some(({ kind }) => kind === 'rebuilt'), 'it is told')
    end()
    const progress = seen.filter((event) => event.kind === 'projection_progress')
    expect(progress.length).toBeGreaterThan(5)
    expect(progress.at(-1)).toMatchObject({ done: witnessCount, total: witnessCount })
  })
})
