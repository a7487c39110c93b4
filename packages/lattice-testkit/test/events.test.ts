/** What a node tells whoever follows it: each change once, when it is so, and nothing that is none. */
import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { kvStore } from '@lattice/kvstore'
import { isLagged, type PublicKey, type StoreId, type StoreType, toHex } from '@lattice/model'
import type { NodeEvent } from '@lattice/node'
import { system } from '@lattice/proto'
import type { StateMachine } from '@lattice/store-base'
import { setPeerDevice } from '@lattice/systemstore'
import { describe, expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { codeOf, put } from './support.ts'

interface Followed {
  readonly seen: NodeEvent[]
  readonly of: <Kind extends NodeEvent['kind']>(kind: Kind) => readonly Extract<NodeEvent, { kind: Kind }>[]
  readonly lagged: () => number
  readonly end: () => void
}

/** Follows a node from now on. */
function follow(mesh: SimMesh, index: number): Followed {
  const seen: NodeEvent[] = []
  let missed = 0
  const controller = new AbortController()
  const events = mesh.node(index).events(controller.signal)
  const read = async (): Promise<void> => {
    for await (const event of events) {
      if (isLagged(event)) missed += event.lagged
      else seen.push(event)
    }
  }
  read().catch(() => undefined)
  return {
    seen,
    of: <Kind extends NodeEvent['kind']>(kind: Kind) =>
      seen.filter((event): event is Extract<NodeEvent, { kind: Kind }> => event.kind === kind),
    lagged: () => missed,
    end: () => controller.abort(),
  }
}

const isKey = (a: PublicKey, b: PublicKey): boolean => toHex(a) === toHex(b)

/** Zeroes every page of a closed log that holds the text. */
function destroyPages(path: string, text: string): void {
  const content = readFileSync(path)
  const file = openSync(path, 'r+')
  for (let at = content.indexOf(text); at >= 0; at = content.indexOf(text, at + 1)) {
    writeSync(file, new Uint8Array(4096), 0, 4096, Math.floor(at / 4096) * 4096)
  }
  closeSync(file)
}

/** Until these nodes, by default all, hold the same, and what was acknowledged is acknowledged. */
async function settle(
  mesh: SimMesh,
  id: StoreId,
  indices: readonly number[] = mesh.peers.map((_, index) => index),
): Promise<void> {
  await mesh.converge(id, indices)
  await mesh.time.pass(30_000)
  await mesh.run(() => indices.every((index) => mesh.store(index, id).status().synced), 'they are synced')
}

describe('a peer that joins', () => {
  test('is told to those that are there, with the claim of its invite; the newcomer is not told the past', async () => {
    await using mesh = await createSimMesh({ seed: 1, nodes: 3 })
    const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
    const inviter = follow(mesh, 0)
    const { token, tokenHash } = await mesh.complete(mesh.store(0, id).invite({ uses: 2 }))
    await mesh.complete(mesh.node(1).join(token))
    await settle(mesh, id, [0, 1])
    const earlier = follow(mesh, 1)
    const newcomer = follow(mesh, 2)
    await mesh.complete(mesh.node(2).join(token))
    await settle(mesh, id)

    const claims = inviter.of('invite_claimed')
    expect(claims.map(({ usesLeft }) => usesLeft)).toEqual([1, 0])
    expect(claims.map(({ claimedBy }) => toHex(claimedBy))).toEqual([1, 2].map((index) => toHex(mesh.node(index).id)))
    for (const claim of claims) expect(toHex(claim.tokenHash)).toBe(toHex(tokenHash))
    expect(earlier.of('invite_claimed')).toMatchObject([{ usesLeft: 0, claimedBy: mesh.node(2).id }])
    expect(newcomer.of('invite_claimed')).toEqual([])

    const of2 = earlier.of('peer_changed').filter(({ peer }) => isKey(peer, mesh.node(2).id))
    expect(of2[0]).toMatchObject({ storeId: id, status: system.PeerStatus.ACTIVE, role: system.Role.WRITER })
    expect(of2.at(-1)).toMatchObject({ name: 'node-2' })
    // Admitted, and named where that came later; never the same twice.
    expect(new Set(of2.map(({ name }) => name)).size).toBe(of2.length)
    for (const { peer } of newcomer.of('peer_changed')) expect(isKey(peer, mesh.node(2).id)).toBe(true)
    expect(newcomer.of('store_ready')).toHaveLength(1)
    expect(newcomer.of('bootstrap_progress').length).toBeGreaterThan(0)
  })

  test('is told again when its name is another, and not for what is not shown', async () => {
    await using mesh = await createSimMesh({ seed: 2, nodes: 2 })
    const id = await mesh.share('team')
    await settle(mesh, id)
    const { of } = follow(mesh, 0)
    await mesh.complete(mesh.node(1).setName('nas'))
    await mesh.run(() => of('peer_changed').length > 0, 'it is told')
    await mesh.complete(mesh.node(1).setName('nas'))
    // It says more of itself, which is not shown.
    const again = setPeerDevice({ author: mesh.node(1).id, device: 'a box in the cellar' })
    const op = { kind: 'system', schema: 0, value: again.op.value } as const
    await mesh.complete(mesh.store(1, id).kernel().submit(op, { deps: again.deps }))
    await settle(mesh, id)
    expect(of('peer_changed')).toMatchObject([{ storeId: id, peer: mesh.node(1).id, name: 'nas' }])
    expect(of('invite_claimed')).toEqual([])
  })
})

describe('a peer that falls behind', () => {
  test('is told once it is, with how much, and once it has caught up', async () => {
    await using mesh = await createSimMesh({ seed: 3, nodes: 2 })
    const id = await mesh.share('team')
    await settle(mesh, id)
    const { of } = follow(mesh, 0)
    mesh.partition([0], [1])
    await put(mesh, 0, id, ['a', '1'])
    await put(mesh, 0, id, ['b', '2'])
    await mesh.time.pass(10_000)
    expect(of('peer_lag')).toEqual([])
    await mesh.time.pass(600_000)
    expect(of('peer_lag')).toMatchObject([{ storeId: id, peer: mesh.node(1).id, lag: { unseen: 2 } }])
    await put(mesh, 0, id, ['c', '3'])
    await mesh.time.pass(60_000)
    expect(of('peer_lag')).toHaveLength(1)
    mesh.heal()
    await mesh.run(() => of('peer_lag').length > 1, 'it has caught up')
    await settle(mesh, id)
    expect(of('peer_lag').slice(1)).toMatchObject([{ peer: mesh.node(1).id, lag: { unseen: 0 } }])
  })

  test('is not told of replicas that write all the time', async () => {
    await using mesh = await createSimMesh({ seed: 4, nodes: 3 })
    const id = await mesh.share('team')
    await settle(mesh, id)
    const followed = [0, 1, 2].map((index) => follow(mesh, index))
    for (let n = 0; n < 120; n += 1) {
      await put(mesh, n % 3, id, [`k${n}`, 'v'])
      await mesh.time.pass(500)
    }
    for (const { of } of followed) expect(of('peer_lag')).toEqual([])
  })
})

describe('everything else is told once', () => {
  test('who comes and goes, and what exchanges ended with', async () => {
    await using mesh = await createSimMesh({ seed: 6, nodes: 2 })
    const id = await mesh.share('team')
    await settle(mesh, id)
    const { of } = follow(mesh, 0)
    await mesh.stop(1)
    await mesh.run(() => of('peer_offline').length > 0, 'it is gone')
    await put(mesh, 0, id, ['k', 'v'])
    await mesh.start(1)
    await settle(mesh, id)
    expect(of('peer_offline')).toMatchObject([{ peer: mesh.node(1).id }])
    expect(of('peer_online')).toMatchObject([{ peer: mesh.node(1).id }])
    expect(of('sync_result').length).toBeGreaterThan(0)
    for (const { outcome } of of('sync_result')) expect(outcome).toMatchObject({ kind: 'done', storeId: id })
  })

  test('a join that fails', async () => {
    await using mesh = await createSimMesh({ seed: 7, nodes: 3 })
    const { id } = await mesh.complete(mesh.node(0).createStore())
    const token = await mesh.invite(0, id)
    await mesh.complete(mesh.node(1).join(token))
    const { of } = follow(mesh, 2)
    expect(await codeOf(mesh, mesh.node(2).join(token))).toBe('TOKEN_USED')
    await mesh.run(() => of('join_failed').length > 0, 'it is told')
    expect(of('join_failed')).toMatchObject([{ storeId: id, failure: { code: 'TOKEN_USED' } }])
    expect(of('store_ready')).toEqual([])
  })

  test('a fork', async () => {
    await using mesh = await createSimMesh({ seed: 8, nodes: 2 })
    const id = await mesh.share('team')
    await settle(mesh, id)
    const { of } = follow(mesh, 0)
    // Node 1 writes, is set back to before, and writes again.
    mesh.partition([0], [1])
    const before = mesh.store(1, id).kernel()
    await put(mesh, 1, id, ['k', 'one'])
    const [written] = before.history(undefined, 1)
    if (written === undefined) throw new Error('it was written')
    const { intentions } = before.read([written.parsed.id], 100_000)
    await mesh.stop(1)
    for (const file of ['log.db', 'state.db']) {
      rmSync(join(mesh.peers[1]?.dataDir() ?? '', 'stores', toHex(id), file))
    }
    mesh.heal()
    await mesh.start(1)
    await mesh.complete(mesh.store(1, id).repair({ acceptFork: true }))
    await put(mesh, 1, id, ['k', 'two'])
    await settle(mesh, id)
    await mesh.complete(mesh.store(0, id).kernel().ingest(intentions, mesh.node(1).id))
    await mesh.run(() => of('fork_detected').length > 0, 'it is told')
    await settle(mesh, id)
    expect(of('fork_detected')).toMatchObject([{ storeId: id, author: mesh.node(1).id }])
  })

  test('a store that fails; and once it is repaired, that it is there, and stands still from the start', async () => {
    const state = { isBroken: false }
    const machine = kvStore as StateMachine
    const breakable: StateMachine = {
      ...machine,
      apply: (table, op) => {
        if (state.isBroken) throw new Error('the machine is broken')
        return machine.apply(table, op)
      },
    }
    const openers = new Map<StoreType, () => StateMachine>([[kvStore.storeType, () => breakable]])
    await using mesh = await createSimMesh({ seed: 9, nodes: 2, openers })
    const id = await mesh.share('team')
    for (let n = 0; n < 90; n += 1) await put(mesh, 0, id, [`k${n}`, `value-${n}-`.padEnd(300, '.')])
    await settle(mesh, id)
    await mesh.stop(1)
    destroyPages(join(mesh.peers[1]?.dataDir() ?? '', 'stores', toHex(id), 'log.db'), 'value-20-')
    mesh.partition([0], [1])
    await mesh.start(1)
    const { of } = follow(mesh, 1)
    // The damage lies behind what is read at open.
    expect(() => mesh.store(1, id).kernel().scanWitness(1, 100)).toThrow(
      expect.objectContaining({ code: 'LOG_DAMAGED' }),
    )
    await mesh.run(() => of('store_failed').length > 0, 'it has failed')
    mesh.heal()
    await mesh.run(() => mesh.node(1).network.connectedPeers().length === 1, 'node 0 is there')
    state.isBroken = true
    await mesh.complete(mesh.store(1, id).repair())
    await mesh.run(() => of('store_ready').length > 0, 'it is in use')
    expect(of('store_failed')).toMatchObject([{ storeId: id, failure: { code: 'LOG_DAMAGED' } }])
    expect(of('store_ready')).toMatchObject([{ storeId: id }])
    expect(of('stalled')).toMatchObject([{ storeId: id, error: 'the machine is broken' }])
    state.isBroken = false
    await mesh.complete(mesh.store(1, id).retry())
    await settle(mesh, id)
    expect(of('resumed')).toMatchObject([{ storeId: id }])
    expect(of('stalled')).toHaveLength(1)
  })

  test('a clock that is ahead, and right again', async () => {
    await using mesh = await createSimMesh({ seed: 10, nodes: 2 })
    const id = await mesh.share('team')
    await settle(mesh, id)
    const { clock } = mesh.time.scheduler
    let aheadMs = 0
    await mesh.stop(1)
    await mesh.start(1, { clock: { wallMs: () => clock.wallMs() + aheadMs, monotonicMs: clock.monotonicMs } })
    await mesh.run(() => mesh.store(1, id).status().synced, 'both are synced')
    const { of } = follow(mesh, 1)
    aheadMs = 120_000
    await mesh.stop(0)
    await mesh.start(0)
    await mesh.run(() => of('clock_skew').length > 0, 'it is told')
    expect(of('clock_skew')[0]?.aheadMs).toBeGreaterThan(100_000)
    aheadMs = 0
    await mesh.restart(0)
    await mesh.run(() => of('clock_skew').length > 1, 'it is told that it is right')
    expect(of('clock_skew')).toHaveLength(2)
  })

  test('a follower that does not read is told how much it missed', async () => {
    await using mesh = await createSimMesh({ seed: 11, nodes: 2 })
    const id = await mesh.share('team')
    const token = await mesh.invite(0, id)
    const controller = new AbortController()
    const events = mesh.node(1).events(controller.signal)
    for (let n = 0; n < 1500; n += 1) expect(await codeOf(mesh, mesh.node(1).join(token))).toBe('STORE_EXISTS')
    let [lagged, failed] = [0, 0]
    for await (const event of events) {
      if (isLagged(event)) lagged += event.lagged
      else if (event.kind === 'join_failed') failed += 1
      // The rest was kept, and ends with the last.
      if (lagged > 0 && lagged + failed >= 1500) break
    }
    expect(lagged).toBeGreaterThan(400)
    expect(failed).toBeGreaterThan(1000)
  })
})
