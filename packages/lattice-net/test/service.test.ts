import { createAbortController, isLatticeError, toHex, utf8Encode } from '@lattice/model'
import { describe, expect, test } from 'vitest'
import {
  createTreeGossip,
  DEFAULT_LIMITS,
  type GossipFactory,
  type NetworkEvent,
  type SyncOutcome,
} from '../src/index.ts'
import { createMesh, type Mesh, openMesh } from './mesh.ts'

async function syncOutcomes(mesh: Mesh, index: number): Promise<SyncOutcome[]> {
  const outcomes: SyncOutcome[] = []
  const collect = async (): Promise<void> => {
    const { service } = mesh.node(index)
    for await (const outcome of service.sync(mesh.storeId, createAbortController().signal)) outcomes.push(outcome)
  }
  await mesh.settle(collect())
  return outcomes
}

describe('sync on connect', () => {
  test('two nodes with different writes hold the same once they connect', async () => {
    const mesh = await openMesh({ nodes: 2 })
    mesh.node(0).store.write(30)
    mesh.node(1).store.write(50)
    mesh.node(0).service.want(mesh.node(1).id, [])
    await mesh.until('convergence', mesh.converged)
    expect(mesh.node(0).store.digest().witnessCount).toBe(81)
  })

  test('a write on one node reaches the other at once', async () => {
    const mesh = await openMesh({ nodes: 2 })
    mesh.node(0).service.want(mesh.node(1).id, [])
    await mesh.until('connection', () => mesh.node(1).service.connectedPeers().length === 1)
    await mesh.advance(5_000)
    const before = mesh.scheduler.clock.monotonicMs()
    mesh.node(1).store.write(1)
    await mesh.until('the push', mesh.converged)
    expect(mesh.scheduler.clock.monotonicMs() - before).toBeLessThan(200)
  })

  test('sync says what was exchanged, and synced only of equal digests', async () => {
    const mesh = await openMesh({ nodes: 3 })
    mesh.connectAll()
    await mesh.until('connections', () => mesh.nodes.every(({ service }) => service.connectedPeers().length === 2))
    await mesh.advance(5_000)
    const outcomes = await syncOutcomes(mesh, 0)
    expect(outcomes.map((outcome) => outcome.kind === 'done' && outcome.synced)).toEqual([true, true])
  })
})

function eventsOf(mesh: Mesh, index: number, kind: NetworkEvent['kind']): readonly NetworkEvent[] {
  return mesh.node(index).events.flatMap((event) => ('kind' in event && event.kind === kind ? [event] : []))
}
const allConnected = (mesh: Mesh): boolean =>
  mesh.nodes.every(({ service }) => service.connectedPeers().length === mesh.nodes.length - 1)

describe('convergence', () => {
  test.each([1, 2, 3])('five nodes that write through partitions converge once these end (seed %i)', async (seed) => {
    const mesh = await openMesh({ nodes: 5, seed: `partition ${seed}` })
    mesh.connectAll()
    await mesh.until('connections', () => allConnected(mesh))
    const ids = mesh.nodes.map(({ id }) => id)
    for (let round = 0; round < 3; round += 1) {
      mesh.network.partition([ids.slice(0, 2 + (round % 2)), ids.slice(2 + (round % 2))])
      for (const [index, { store }] of mesh.nodes.entries()) store.write(1 + ((seed + index + round) % 7))
      await mesh.advance(15_000)
      for (const { store } of mesh.nodes) store.write(2)
      mesh.network.heal()
      await mesh.until(`convergence of round ${round}`, () => mesh.converged() && allConnected(mesh), 600_000)
    }
    expect(mesh.nodes.every(({ store }) => store.floatingCount() === 0)).toBe(true)
  })

  test('a node that hears only from one other passes on what that one has from a third', async () => {
    const mesh = await openMesh({ nodes: 3 })
    mesh.node(0).service.want(mesh.node(1).id, [])
    mesh.node(1).service.want(mesh.node(2).id, [])
    await mesh.until('connections', () => mesh.node(1).service.connectedPeers().length === 2)
    await mesh.advance(3_000)
    mesh.node(0).store.write(4)
    mesh.node(2).store.write(4)
    await mesh.until('convergence', () => mesh.converged() && mesh.node(0).store.digest().witnessCount === 9, 5_000)
  })

  test('connections that are lost again and again only delay', async () => {
    const mesh = await openMesh({ nodes: 3, seed: 'lossy', network: { loseOneIn: 25 } })
    mesh.connectAll()
    for (let round = 0; round < 20; round += 1) {
      for (const { store } of mesh.nodes) store.write(3)
      await mesh.advance(700)
    }
    await mesh.until('convergence', () => mesh.converged() && mesh.node(0).store.digest().witnessCount === 181, 900_000)
  })

  test('a session cut at any message loses nothing: the next connection completes it', async () => {
    const build = async (cutAt: number) => {
      let messages = 0
      const armed: { cut?: () => void } = {}
      const mesh = await createMesh({
        nodes: 2,
        seed: 'cuts',
        network: {
          onEvent: ({ kind }) => {
            if (kind === 'lost') return
            messages += 1
            if (messages === cutAt) armed.cut?.()
          },
        },
      })
      armed.cut = () => mesh.scheduler.soon(() => mesh.network.disconnect(mesh.node(0).id, mesh.node(1).id))
      for (let run = 0; run < 3; run += 1) mesh.node(0).store.write(30, 4_000)
      for (let run = 0; run < 2; run += 1) mesh.node(1).store.write(30, 4_000)
      mesh.node(0).service.want(mesh.node(1).id, [])
      await mesh.until('convergence', mesh.converged)
      expect(mesh.node(0).store.digest().witnessCount).toBe(151)
      await mesh.close()
      return messages
    }
    const total = await build(-1)
    expect(total).toBeGreaterThan(20)
    for (let cutAt = 1; cutAt <= total; cutAt += 1) await build(cutAt)
  })

  test('the same seed gives the same run', async () => {
    const run = async (): Promise<string> => {
      const trace: string[] = []
      const mesh = await createMesh({
        nodes: 3,
        seed: 'twice',
        network: { loseOneIn: 60, onEvent: (event) => trace.push(JSON.stringify(event)) },
      })
      mesh.connectAll()
      for (const { store } of mesh.nodes) store.write(9)
      await mesh.advance(20_000)
      await mesh.close()
      return toHex(mesh.crypto.blake3(utf8Encode(trace.join(''))))
    }
    expect(await run()).toBe(await run())
  })
})

describe('connections', () => {
  test('two nodes that dial each other at once keep one connection, the same on both sides', async () => {
    for (let seed = 0; seed < 10; seed += 1) {
      const mesh = await createMesh({ nodes: 2, seed: `dial ${seed}` })
      mesh.connectAll()
      await mesh.advance(20_000)
      expect(mesh.network.connectionCount()).toBe(1)
      const [a] = mesh.node(0).service.connectedPeers()
      const [b] = mesh.node(1).service.connectedPeers()
      expect(a?.outgoing).not.toBe(b?.outgoing)
      await mesh.close()
    }
  })

  test('a peer that cannot be reached is dialled at growing intervals, up to the bound', async () => {
    const dials: number[] = []
    const mesh = await openMesh({
      nodes: 2,
      network: {
        onEvent: ({ kind }) => {
          if (kind === 'dial') dials.push(mesh.scheduler.clock.monotonicMs())
        },
      },
    })
    mesh.network.cut(mesh.node(0).id, mesh.node(1).id)
    mesh.node(0).service.want(mesh.node(1).id, [])
    await mesh.advance(30 * 60_000)
    const gaps = dials.slice(1).map((at, index) => at - (dials[index] ?? 0))
    expect(gaps.length).toBeGreaterThan(10)
    expect(gaps.length).toBeLessThan(70)
    expect(Math.max(...gaps)).toBeLessThanOrEqual(DEFAULT_LIMITS.dialBackoffMaxMs + DEFAULT_LIMITS.dialDeadlineMs)
    expect(gaps.at(-1)).toBeGreaterThan((gaps[0] ?? 0) * 3)

    mesh.network.heal()
    await mesh.until('connection', () => allConnected(mesh), 2 * 60_000)
  })

  test('a peer that went away is seen as gone, and as back', async () => {
    const mesh = await openMesh({ nodes: 2 })
    const { service } = mesh.node(0)
    service.want(mesh.node(1).id, [])
    await mesh.until('connection', () => allConnected(mesh))
    mesh.network.cut(mesh.node(0).id, mesh.node(1).id)
    await mesh.until('loss', () => service.connectedPeers().length === 0)
    expect(service.presence(mesh.node(1).id)?.online).toBe(false)
    mesh.network.heal()
    await mesh.until('return', () => allConnected(mesh))
    expect(eventsOf(mesh, 0, 'peer_online')).toHaveLength(2)
    expect(eventsOf(mesh, 0, 'peer_offline')).toHaveLength(1)
  })

  test('a peer that is wanted no more is not dialled again', async () => {
    const mesh = await openMesh({ nodes: 2 })
    mesh.node(0).service.want(mesh.node(1).id, [])
    await mesh.until('connection', () => allConnected(mesh))
    mesh.node(0).service.unwant(mesh.node(1).id)
    mesh.network.disconnect(mesh.node(0).id, mesh.node(1).id)
    await mesh.advance(10 * 60_000)
    expect(mesh.node(0).service.connectedPeers()).toEqual([])
  })

  test('a stranger that does nothing is shown out', async () => {
    const mesh = await openMesh({ nodes: 2, register: false })
    mesh.node(0).service.want(mesh.node(1).id, [])
    await mesh.until('connection', () => allConnected(mesh))
    mesh.node(0).service.unwant(mesh.node(1).id)
    await mesh.until('the end', () => mesh.network.connectionCount() === 0, 3 * DEFAULT_LIMITS.strangerIdleMs)
  })

  test('a node whose clock is ahead of its peers learns it', async () => {
    const mesh = await openMesh({ nodes: 1 })
    const late = mesh.addNode()
    mesh.scheduler.clock.setWallMs(mesh.scheduler.clock.wallMs() + 1)
    mesh.node(0).service.want(late.id, [])
    await mesh.until('connection', () => allConnected(mesh))
    await mesh.advance(1_000)
    expect(Math.abs((mesh.node(0).service.peerTime()?.medianMs ?? 0) - mesh.scheduler.clock.wallMs())).toBeLessThan(100)
    mesh.scheduler.clock.setWallMs(mesh.scheduler.clock.wallMs() + 40_000)
    expect(mesh.scheduler.clock.wallMs() - (mesh.node(0).service.peerTime()?.medianMs ?? 0)).toBeGreaterThan(39_000)
  })
})

describe('close', () => {
  test('ends every task and timer, in the middle of sessions too', async () => {
    for (const afterMs of [0, 5, 20, 60, 200, 1_000]) {
      const mesh = await createMesh({ nodes: 3, seed: `close ${afterMs}` })
      for (const { store } of mesh.nodes) store.write(200, 500)
      mesh.connectAll()
      await mesh.advance(afterMs)
      await mesh.close()
      await mesh.advance(20_000)
      expect(mesh.scheduler.pending()).toBe(0)
      expect(mesh.network.connectionCount()).toBe(0)
    }
  })

  test('is idempotent, and nothing can be started after it', async () => {
    const mesh = await createMesh({ nodes: 2 })
    await mesh.close()
    await mesh.close()
    const { service, store } = mesh.node(0)
    expect(() => service.register(store)).toThrow('closed')
    await expect(
      service.join(
        { inviter: mesh.node(1).id, addresses: [], storeId: mesh.storeId, secret: new Uint8Array(32), name: '' },
        createAbortController().signal,
      ),
    ).rejects.toMatchObject({ code: 'CLOSED' })
  })

  test('waits for what a session has handed to a store', async () => {
    const mesh = await createMesh({ nodes: 2 })
    mesh.connectAll()
    await mesh.until('connection', () => allConnected(mesh))
    await mesh.advance(5_000)
    let free: () => void = () => undefined
    let isIngesting = false
    const { store, service } = mesh.node(0)
    store.beforeIngest = () => {
      isIngesting = true
      return new Promise((resolve) => {
        free = resolve
      })
    }
    // Written where nobody pushes it, so that the session of `sync` brings it.
    await mesh.settle(mesh.node(1).service.unregister(mesh.storeId))
    mesh.node(1).store.write(3)
    mesh.node(1).service.register(mesh.node(1).store)
    const work = (async () => {
      for await (const outcome of service.sync(mesh.storeId, createAbortController().signal)) return outcome
      return undefined
    })()
    await mesh.until('the ingest', () => isIngesting, 100)
    let isClosed = false
    const closing = service.close().then(() => {
      isClosed = true
    })
    await mesh.advance(1_000)
    expect(isClosed).toBe(false)
    free()
    await mesh.settle(closing)
    expect(await mesh.settle(work)).toMatchObject({ kind: 'failed' })
    await mesh.close()
  })

  test('a store that is unregistered is spoken of no more, and its sessions have ended', async () => {
    const mesh = await openMesh({ nodes: 2 })
    mesh.connectAll()
    await mesh.until('connection', () => allConnected(mesh))
    await mesh.advance(2_000)
    await mesh.settle(mesh.node(1).service.unregister(mesh.storeId))
    await mesh.node(1).service.unregister(mesh.storeId)
    mesh.node(0).store.write(1)
    const [outcome] = await syncOutcomes(mesh, 0)
    expect(outcome).toMatchObject({ kind: 'failed', error: { code: 'STORE_NOT_FOUND' } })
    await mesh.advance(60_000)
    mesh.node(1).service.register(mesh.node(1).store)
    await mesh.until('convergence', mesh.converged, 5_000)
  })
})

describe('isolation', () => {
  test('a peer without access gets nothing, and the answer for a store that does not exist', async () => {
    const mesh = await openMesh({ nodes: 2 })
    mesh.node(0).store.setAccess(() => 'none')
    mesh.node(0).store.write(5)
    mesh.node(1).service.want(mesh.node(0).id, [])
    await mesh.until('connection', () => allConnected(mesh))
    await mesh.advance(20_000)
    mesh.node(0).store.write(5)
    mesh.node(1).store.write(1)
    await mesh.advance(20_000)
    expect(mesh.node(1).store.digest().witnessCount).toBe(2)
    expect(mesh.node(0).store.digest().witnessCount).toBe(11)
    const [outcome] = await syncOutcomes(mesh, 1)
    expect(outcome?.kind === 'failed' && isLatticeError(outcome.error) && outcome.error.message).toBe(
      'the peer refused: no such store',
    )
    expect(await syncOutcomes(mesh, 0)).toEqual([])
  })

  test('a peer that gains access is synced with by the next write', async () => {
    const mesh = await openMesh({ nodes: 2 })
    mesh.node(0).store.setAccess(() => 'none')
    mesh.node(0).store.write(5)
    mesh.node(1).service.want(mesh.node(0).id, [])
    await mesh.until('connection', () => allConnected(mesh))
    await mesh.advance(20_000)
    mesh.node(0).store.setAccess(() => 'full')
    mesh.node(0).store.write(1)
    await mesh.until('convergence', mesh.converged, 10_000)
  })

  test('sync of a store that is not registered is an error', async () => {
    const mesh = await openMesh({ nodes: 1, register: false })
    await expect(syncOutcomes(mesh, 0)).rejects.toMatchObject({ code: 'STORE_NOT_FOUND' })
  })
})

describe('push', () => {
  test.each(['gap', 'end'])('a push that is lost heals by itself, in the middle and at the end (%s)', async (where) => {
    let lose = false
    const gossip: GossipFactory = (deps) => {
      const direct = createTreeGossip(deps)
      return { ...direct, publish: (store, batch) => (lose ? undefined : direct.publish(store, batch)) }
    }
    const mesh = await openMesh({ nodes: 2, gossip })
    mesh.connectAll()
    await mesh.until('connection', () => allConnected(mesh))
    await mesh.advance(5_000)
    lose = true
    mesh.node(0).store.write(3)
    lose = false
    if (where === 'gap') mesh.node(0).store.write(1)
    else mesh.node(1).store.write(1)
    // A gap is known at once; a digest that differs is given time to settle.
    const withinMs = where === 'gap' ? DEFAULT_LIMITS.differDelayMs - 200 : 5_000
    await mesh.until('convergence', mesh.converged, withinMs)
    expect(mesh.node(0).store.digest().witnessCount).toBe(5)
    await mesh.advance(3_000)
    const results = [0, 1].flatMap((index) => eventsOf(mesh, index, 'sync_result'))
    // What a gap lacks is fetched, and nothing more is known to be lacking. An end that nothing follows takes a session.
    expect(results).toHaveLength(where === 'gap' ? 0 : 2)
  })

  test('pushes wait while a session runs, on both sides, and go on after it', async () => {
    const calls: string[] = []
    const gossip: GossipFactory = (deps) => {
      const direct = createTreeGossip(deps)
      return {
        ...direct,
        hold: (peer, storeId) => {
          calls.push('hold')
          direct.hold(peer, storeId)
        },
        release: (peer, storeId) => {
          calls.push('release')
          direct.release(peer, storeId)
        },
      }
    }
    const mesh = await openMesh({ nodes: 2, gossip })
    mesh.connectAll()
    await mesh.until('connection', () => allConnected(mesh))
    await mesh.advance(5_000)
    calls.length = 0
    await syncOutcomes(mesh, 0)
    await mesh.advance(1_000)
    expect(calls.toSorted()).toEqual(['hold', 'hold', 'release', 'release'])
    mesh.node(0).store.write(1)
    await mesh.until('the push', mesh.converged, 200)
  })

  test('more than the queue holds is reconciled instead', async () => {
    const mesh = await openMesh({ nodes: 2 })
    mesh.connectAll()
    await mesh.until('connection', () => allConnected(mesh))
    await mesh.advance(5_000)
    for (let run = 0; run < 400; run += 1) mesh.node(0).store.write(2, 30_000)
    await mesh.until('convergence', mesh.converged, 60_000)
  })

  test('what a peer sent is not sent back to it', async () => {
    const mesh = await openMesh({ nodes: 2 })
    mesh.connectAll()
    await mesh.until('connection', () => allConnected(mesh))
    await mesh.advance(5_000)
    const before = mesh.node(0).store.ingested().intentions
    mesh.node(0).store.write(10)
    await mesh.until('convergence', mesh.converged, 5_000)
    await mesh.advance(10_000)
    expect(mesh.node(0).store.ingested().intentions).toBe(before)
  })

  test('nodes that write to each other all the time settle with few sessions once they stop', async () => {
    const mesh = await openMesh({ nodes: 2 })
    mesh.connectAll()
    await mesh.until('connection', () => allConnected(mesh))
    for (let round = 0; round < 300; round += 1) {
      for (const { store } of mesh.nodes) store.write(1)
      await mesh.advance(30)
    }
    await mesh.until('convergence', mesh.converged, 5_000)
    const sessions = eventsOf(mesh, 0, 'sync_result').length
    await mesh.advance(10 * 60_000)
    expect(eventsOf(mesh, 0, 'sync_result').length - sessions).toBeLessThan(4)
    expect(sessions).toBeLessThan(20)
  })
})

describe('diagnosis', () => {
  test('says why a peer is not there, and forgets it once it is', async () => {
    const mesh = await openMesh({ nodes: 2 })
    const [a, b] = [mesh.node(0), mesh.node(1)]
    mesh.network.partition([[a.id], [b.id]])
    a.service.want(b.id, ['sim:nowhere'])
    await mesh.until('a failed dial', () => (a.service.diagnosis(b.id).dial?.attempts ?? 0) > 1)
    expect(a.service.diagnosis(b.id)).toMatchObject({
      mutedForMs: 0,
      dial: { lastFailure: { addresses: ['sim:nowhere'] } },
    })
    mesh.network.heal()
    await mesh.until('a connection', () => a.service.connectedPeers().length === 1, 300_000)
    expect(a.service.diagnosis(b.id)).toMatchObject({ ended: undefined, dial: { lastFailure: undefined } })
    await mesh.settle(b.service.close())
    await mesh.until('the end', () => a.service.connectedPeers().length === 0)
    expect(a.service.diagnosis(b.id).ended).toMatchObject({ by: 'remote', message: 'the node closes' })
  })

  test('says that the peer does not have the store, until it does', async () => {
    const mesh = await openMesh({ nodes: 1 })
    const a = mesh.node(0)
    const b = mesh.addNode({ register: false })
    a.service.want(b.id, [])
    await mesh.until('a connection', () => a.service.connectedPeers().length === 1)
    const { exchange } = a.service
    await mesh.until('the refusal', () => exchange(b.id, mesh.storeId).lastFailure !== undefined)
    expect(exchange(b.id, mesh.storeId)).toMatchObject({
      isRunning: false,
      lastFailure: { code: 'STORE_NOT_FOUND', refused: true },
    })
    b.service.register(b.store)
    await mesh.until('convergence', mesh.converged)
    await mesh.until('no trouble', () => exchange(b.id, mesh.storeId).lastFailure === undefined)
  })
})
