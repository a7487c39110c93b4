import { type Clock, equalBytes, MAX_DRIFT_MS, type StoreId, toSeed } from '@lattice/model'
import { DEFAULT_LIMITS } from '@lattice/net'
import { net } from '@lattice/proto'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { sharedCrypto } from '../src/shared-crypto.ts'
import { createRawPeer } from './raw-peer.ts'
import { codeOf, get, keyOf, put } from './support.ts'

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
    expect(mesh.node(2).network.clock().verdict).toBe('good')
    await restartAhead(mesh, 2)
    await mesh.run(() => mesh.node(2).network.clock().verdict === 'ahead', 'the node knows')
    expect(mesh.node(0).network.clock().verdict).toBe('good')
    expect(await codeOf(mesh, put(mesh, 2, id, ['k', 'v']))).toBe('CLOCK_SKEW')
    await put(mesh, 0, id, ['k', 'w'])
    await mesh.converge(id)
    expect(await get(mesh, 2, id, 'k')).toBe('w')
  })

  test('begins no store that its peers could not take: neither now nor after its next start', async () => {
    await using mesh = await createSimMesh({ seed: 4, nodes: 2 })
    await mesh.share()
    mesh.skew(1, AHEAD_MS)
    await mesh.restart(1)
    await mesh.run(() => mesh.node(1).network.clock().verdict === 'ahead', 'the node knows')
    expect(await codeOf(mesh, mesh.node(1).createStore({ name: 'other' }))).toBe('CLOCK_SKEW')
    expect(mesh.node(1).stores()).toHaveLength(1)
    mesh.skew(1, 0)
    await mesh.restart(1)
    expect(mesh.node(1).stores()).toHaveLength(1)
    await mesh.complete(mesh.node(1).createStore({ name: 'other' }))
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

describe('a board that boots in 1970', () => {
  const boots = (mesh: SimMesh): { readonly clock: Clock } => {
    const { clock } = mesh.time.scheduler
    const startedMs = clock.monotonicMs()
    return { clock: { wallMs: () => clock.monotonicMs() - startedMs, monotonicMs: clock.monotonicMs } }
  }

  test('joins with one peer, reads, writes and stops nobody, after every boot again', async () => {
    await using mesh = await createSimMesh({ seed: 4, nodes: 2 })
    await mesh.stop(1)
    await mesh.start(1, boots(mesh))
    const { id } = await mesh.complete(mesh.node(0).createStore())
    await put(mesh, 0, id, ['from before', 'v'])
    // Long after the genesis, so that nothing follows from it.
    await mesh.time.pass(3_600_000)
    await put(mesh, 0, id, ['before', 'v'])
    await mesh.complete(mesh.node(1).join(await mesh.invite(0, id)))
    await put(mesh, 1, id, ['board', 'one'])
    await put(mesh, 0, id, ['right', 'one'])
    await mesh.converge(id)
    expect(mesh.node(1).network.clock().verdict).toBe('behind')
    expect(mesh.node(0).network.clock()).toEqual({ verdict: 'good', aheadMs: undefined })
    await mesh.stop(1)
    await mesh.time.pass(86_400_000)
    await put(mesh, 0, id, ['right', 'two'])
    await mesh.start(1, boots(mesh))
    await put(mesh, 1, id, ['board', 'two'])
    await mesh.converge(id)
    await put(mesh, 0, id, ['right', 'three'])
    await put(mesh, 1, id, ['board', 'three'])
    await mesh.converge(id)
    expect([await get(mesh, 1, id, 'right'), await get(mesh, 0, id, 'board')]).toEqual(['three', 'three'])
    expect(mesh.store(1, id).kernel().floating(10)).toEqual([])
  })
})

const YEAR_MS = 365 * 86_400_000
/** Strangers are shown out some time later. */
const MEANWHILE_MS = DEFAULT_LIMITS.strangerIdleMs / 2

/** Keys that nobody let in connect to a node, and say what the time is, all alike. */
async function strangersSay(mesh: SimMesh, to: number, wallMs: () => number): Promise<void> {
  const crypto = await sharedCrypto()
  for (let index = 0; index < 3; index += 1) {
    const keyPair = crypto.keyPairFromSeed(toSeed(new Uint8Array(32).fill(0xa0 + index)))
    const stranger = createRawPeer(mesh, keyPair, to, wallMs)
    await mesh.complete(stranger.connect())
    const ping = await mesh.complete(stranger.open(net.Protocol.PING))
    await mesh.complete(ping.ended)
    expect([stranger.count('accepted'), stranger.isConnected()]).toEqual([1, true])
  }
}

/** How far from the true time the last write of a node is. */
function lastWriteOffMs(mesh: SimMesh, index: number, id: StoreId): number {
  const kernel = mesh.store(index, id).kernel()
  const tip = kernel.tipOf(mesh.node(index).id)
  const wall = tip && kernel.get(tip)?.parsed.intention.timestamp.wall
  return Math.abs((wall ?? 0) - mesh.time.scheduler.clock.wallMs())
}

describe('strangers that agree on a wrong time', () => {
  test.each<[string, number]>([
    ['a year ago', -YEAR_MS],
    ['the year 2100', 75 * YEAR_MS],
  ])('stop no write, and move no timestamp: %s', async (_, byMs) => {
    await using mesh = await createSimMesh({ seed: 5, nodes: 1 })
    const { id } = await mesh.complete(mesh.node(0).createStore())
    await strangersSay(mesh, 0, () => mesh.time.scheduler.clock.wallMs() + byMs)
    await put(mesh, 0, id, ['k', 'v'])
    expect(lastWriteOffMs(mesh, 0, id)).toBeLessThan(1000)
    await mesh.complete(mesh.node(0).createStore({ name: 'other' }))
    expect(mesh.node(0).network.clock()).toEqual({ verdict: 'good', aheadMs: undefined })
  })

  test('do not keep a node that is ahead from hearing so of its peers', async () => {
    await using mesh = await createSimMesh({ seed: 6, nodes: 3 })
    const id = await mesh.share()
    await mesh.converge(id)
    const { clock } = mesh.time.scheduler
    await restartAhead(mesh, 2)
    await strangersSay(mesh, 2, () => clock.wallMs() + AHEAD_MS)
    await mesh.run(() => mesh.node(2).network.clock().verdict === 'ahead', 'the node knows', MEANWHILE_MS)
    expect(await codeOf(mesh, put(mesh, 2, id, ['k', 'v']))).toBe('CLOCK_SKEW')
  })

  test('do not keep a node that is behind from being put right by two of its peers that agree', async () => {
    await using mesh = await createSimMesh({ seed: 8, nodes: 3 })
    const id = await mesh.share()
    await mesh.converge(id)
    const { clock } = mesh.time.scheduler
    await mesh.stop(2)
    // By what it has witnessed it may be right.
    await mesh.time.pass(3_600_000)
    const wallMs = (): number => clock.wallMs() - 3_600_000
    await mesh.start(2, { clock: { wallMs, monotonicMs: clock.monotonicMs } })
    await strangersSay(mesh, 2, wallMs)
    await mesh.run(() => (mesh.node(2).network.clock().aheadMs ?? 0) < -3_500_000, 'its peers say so', MEANWHILE_MS)
    await put(mesh, 2, id, ['k', 'v'])
    expect(lastWriteOffMs(mesh, 2, id)).toBeLessThan(1000)
  })
})

test('a peer that is removed has no more say in the time, at once', async () => {
  await using mesh = await createSimMesh({ seed: 7, nodes: 2 })
  mesh.skew(1, MAX_DRIFT_MS / 2)
  const id = await mesh.share()
  await mesh.run(() => (mesh.node(0).network.clock().aheadMs ?? 0) < -MAX_DRIFT_MS / 3, 'the peer is heard')
  await mesh.complete(mesh.store(0, id).revokePeer(keyOf(mesh, 1)))
  const connected = mesh.node(0).network.connectedPeers()
  expect(connected.some(({ publicKey }) => equalBytes(publicKey, mesh.node(1).id))).toBe(true)
  expect(mesh.node(0).network.clock().aheadMs).toBeUndefined()
})

describe('clocks of chance', () => {
  // Whatever the clocks say, and however nodes meet: once all that was written has come of age, all hold the same.
  test('delay and never divide', { timeout: 60_000 }, async () => {
    const runs = fc.record({
      seed: fc.integer({ min: 1, max: 1_000_000 }),
      offsets: fc.array(fc.oneof(fc.integer({ min: -300_000, max: 300_000 }), fc.constant(-1e12)), {
        minLength: 3,
        maxLength: 3,
      }),
    })
    await fc.assert(
      fc.asyncProperty(runs, async ({ seed, offsets }) => {
        await using mesh = await createSimMesh({ seed, nodes: 3 })
        const id = await mesh.share()
        await mesh.converge(id)
        const { clock } = mesh.time.scheduler
        for (const [index, offset] of offsets.entries()) {
          await mesh.stop(index)
          const wallMs = (): number => Math.max(0, clock.wallMs() + offset)
          await mesh.start(index, { clock: { wallMs, monotonicMs: clock.monotonicMs } })
        }
        for (let n = 0; n < 8; n += 1) {
          const cut = mesh.random.below(4)
          if (cut < 3) mesh.partition([cut])
          else mesh.heal()
          // A node that is ahead of those it sees refuses, and says so.
          const code = await codeOf(mesh, put(mesh, mesh.random.below(3), id, [`k${n}`, 'v']))
          expect(['resolved', 'CLOCK_SKEW']).toContain(code)
          await mesh.time.pass(mesh.random.below(30_000))
        }
        mesh.heal()
        await mesh.time.pass(900_000)
        await mesh.run(() => mesh.isConverged(id), 'all hold the same', 900_000)
        for (const index of [0, 1, 2]) expect(mesh.store(index, id).kernel().floating(10)).toEqual([])
      }),
      { numRuns: 2 },
    )
  })
})
