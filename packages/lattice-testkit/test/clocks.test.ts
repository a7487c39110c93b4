import { MAX_DRIFT_MS } from '@lattice/model'
import { describe, expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { codeOf, get, put } from './support.ts'

const AHEAD_MS = 2 * MAX_DRIFT_MS

/** Restarts a node with a clock that is ahead of everyone else's. */
async function restartAhead(mesh: SimMesh, index: number, alone = false): Promise<void> {
  const { clock } = mesh.time.scheduler
  await mesh.stop(index)
  if (alone) mesh.partition([index])
  await mesh.start(index, { clock: { wallMs: () => clock.wallMs() + AHEAD_MS, monotonicMs: clock.monotonicMs } })
}

interface Traffic {
  sessions: number
  received: number
}

/** Counts a node's sessions, and the intentions they brought, until `stop` aborts. */
function countSessions(mesh: SimMesh, index: number, stop: AbortController): Traffic {
  const traffic = { sessions: 0, received: 0 }
  const events = mesh.node(index).events(stop.signal)
  const follow = async (): Promise<void> => {
    for await (const event of events) {
      if (!('kind' in event) || event.kind !== 'sync_result' || event.outcome.kind !== 'done') continue
      traffic.sessions += 1
      traffic.received += event.outcome.received
    }
  }
  follow().catch(() => undefined)
  return traffic
}

describe('a node whose clock is two minutes ahead', () => {
  test('knows it, shows it, and refuses writes that its peers could not take', async () => {
    await using mesh = await createSimMesh({ seed: 1, nodes: 3 })
    const id = await mesh.share()
    await mesh.converge(id)
    expect(mesh.node(2).network.clockSkewed()).toBe(false)
    await restartAhead(mesh, 2)
    await mesh.run(() => mesh.node(2).network.clockSkewed(), 'the node knows')
    expect(mesh.node(0).network.clockSkewed()).toBe(false)
    expect(await codeOf(mesh, put(mesh, 2, id, ['k', 'v']))).toBe('CLOCK_SKEW')
    await put(mesh, 0, id, ['k', 'w'])
    await mesh.converge(id)
    expect(await get(mesh, 2, id, 'k')).toBe('w')
  })

  test('wrote alone: its writes float, are sent once, hold up nobody, and are witnessed when their time comes', async () => {
    await using mesh = await createSimMesh({ seed: 2, nodes: 3 })
    const id = await mesh.share()
    await mesh.converge(id)
    await restartAhead(mesh, 2, true)
    for (let n = 0; n < 5; n += 1) await put(mesh, 2, id, [`early ${n}`, 'v'])
    const writtenAt = mesh.time.scheduler.clock.monotonicMs()
    const stop = new AbortController()
    const traffic = [0, 1].map((index) => countSessions(mesh, index, stop))
    mesh.heal()
    const floating = (index: number): number => mesh.store(index, id).kernel().stats().floatingCount
    await mesh.run(() => floating(0) >= 5 && floating(1) >= 5, 'the early writes float with the others')
    await put(mesh, 0, id, ['now', 'v'])
    await mesh.run(() => [...mesh.store(1, id).kernel().tables().app.scan({})].length === 1, 'others go on')
    await mesh.run(() => mesh.store(0, id).status().peersSynced === 1, 'others agree')
    expect(mesh.store(0, id).status()).toMatchObject({ synced: false, peersDiffering: 1 })
    // Until shortly before their time.
    await mesh.time.pass(writtenAt + AHEAD_MS - MAX_DRIFT_MS - 2_000 - mesh.time.scheduler.clock.monotonicMs())
    expect(floating(0)).toBeGreaterThanOrEqual(5)
    expect(traffic.map(({ received }) => received)).toEqual([5, 5])
    for (const { sessions } of traffic) expect(sessions).toBeLessThan(12)
    await mesh.run(() => mesh.isConverged(id), 'their time has come', 10_000)
    expect(await get(mesh, 0, id, 'early 4')).toBe('v')
    await mesh.run(() => [0, 1, 2].every((index) => mesh.store(index, id).status().synced), 'all are synced', 300_000)
    stop.abort()
  })

  test('lets nobody in, and says why', async () => {
    await using mesh = await createSimMesh({ seed: 3, nodes: 2 })
    await restartAhead(mesh, 0)
    const { id } = await mesh.complete(mesh.node(0).createStore())
    const token = await mesh.invite(0, id)
    expect(await codeOf(mesh, mesh.node(1).join(token))).toBe('CLOCK_SKEW')
    expect(mesh.node(1).stores()).toEqual([])
    expect(mesh.store(0, id).peers()).toHaveLength(1)
  })
})
