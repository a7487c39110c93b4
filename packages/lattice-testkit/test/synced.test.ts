import type { StoreId } from '@lattice/model'
import { describe, expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { put } from './support.ts'

interface Compared {
  readonly synced: boolean
  readonly peersSynced: number
  readonly peersDiffering: number
}

function compared(mesh: SimMesh, index: number, id: StoreId): Compared {
  const { synced, peersSynced, peersDiffering } = mesh.store(index, id).status()
  return { synced, peersSynced, peersDiffering }
}

describe('synced', () => {
  test('holds on every node after pushes both ways, without a session', async () => {
    await using mesh = await createSimMesh({ seed: 1, nodes: 3, latencyMs: { min: 1, max: 40 } })
    const id = await mesh.share()
    const all = [0, 1, 2]
    const isSynced = (): boolean => all.every((index) => compared(mesh, index, id).peersSynced === 2)
    await mesh.run(isSynced, 'everyone is synced after joining')
    // The sessions of joining have ended, and told of their end.
    await mesh.time.pass(5_000)
    const stop = new AbortController()
    let sessions = 0
    for (const index of all) {
      const events = mesh.node(index).events(stop.signal)
      const count = async (): Promise<void> => {
        for await (const event of events) if ('kind' in event && event.kind === 'sync_result') sessions += 1
      }
      count().catch(() => undefined)
    }
    for (const index of all) {
      await put(mesh, index, id, [`from ${index}`, 'v'])
      await mesh.run(isSynced, 'everyone is synced again')
      for (const node of all) {
        expect(compared(mesh, node, id)).toEqual({ synced: true, peersSynced: 2, peersDiffering: 0 })
      }
    }
    expect(sessions).toBe(0)
    stop.abort()
  })

  test('holds again after writes at the same moment on both sides', async () => {
    await using mesh = await createSimMesh({ seed: 2, nodes: 2, latencyMs: { min: 5, max: 40 } })
    const id = await mesh.share()
    for (let round = 0; round < 10; round += 1) {
      await Promise.all([0, 1].map((index) => put(mesh, index, id, [`${index}/${round}`, 'v'])))
    }
    await mesh.run(() => [0, 1].every((index) => compared(mesh, index, id).synced), 'both are synced')
    expect(mesh.isConverged(id)).toBe(true)
  })

  test('is not said once a write cannot reach the peer, nor of a peer that is gone, and is said again after that', async () => {
    await using mesh = await createSimMesh({ seed: 3, nodes: 2 })
    const id = await mesh.share()
    const bothSynced = (): boolean => [0, 1].every((index) => compared(mesh, index, id).synced)
    await mesh.run(bothSynced, 'both are synced')
    mesh.partition([0], [1])
    await put(mesh, 0, id, ['k', 'v'])
    expect(compared(mesh, 0, id).synced).toBe(false)
    const apart = (): boolean => [0, 1].every((index) => mesh.node(index).network.connectedPeers().length === 0)
    await mesh.run(apart, 'both noticed')
    expect([0, 1].map((index) => compared(mesh, index, id))).toEqual([
      { synced: false, peersSynced: 0, peersDiffering: 0 },
      { synced: false, peersSynced: 0, peersDiffering: 0 },
    ])
    mesh.heal()
    await mesh.run(bothSynced, 'both are synced again')
    expect(mesh.isConverged(id)).toBe(true)
  })

  test('is not said of a store that no peer shares', async () => {
    await using mesh = await createSimMesh({ seed: 4, nodes: 1 })
    const { id } = await mesh.complete(mesh.node(0).createStore())
    expect(compared(mesh, 0, id)).toEqual({ synced: false, peersSynced: 0, peersDiffering: 0 })
  })
})
