import { kvStore } from '@lattice/kvstore'
import { type PublicKey, silentLogger, type StoreId } from '@lattice/model'
import { openCrypto } from '@lattice/model/crypto'
import { type Node, openNode, type PeerEntry, type PeerSyncReport } from '@lattice/node'
import { system } from '@lattice/proto'
import { inlineFileCheck, inlineFileWork } from '@lattice/storage'
import type { StateMachine } from '@lattice/store-base'
import { describe, expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { put } from './support.ts'

const keyOf = (mesh: SimMesh, index: number): PublicKey => mesh.node(index).id

function peerAt(
  mesh: SimMesh,
  id: StoreId,
  { from, of }: { readonly from: number; readonly of: PublicKey },
): PeerEntry {
  const found = mesh
    .store(from, id)
    .peers()
    .find(({ publicKey }) => Buffer.compare(publicKey, of) === 0)
  if (found === undefined) throw new Error('the store has no such peer')
  return found
}

/** A node of the mesh that is down, started without a transport. */
async function openOffline({ time, peers, random }: SimMesh, index: number): Promise<Node> {
  return openNode({
    dataDir: peers[index]?.dataDir() ?? '',
    openers: new Map([[kvStore.storeType, () => kvStore as StateMachine]]),
    clock: time.scheduler.clock,
    scheduler: time.scheduler,
    random,
    logger: silentLogger,
    crypto: await openCrypto({ backend: 'wasm' }),
    fileCheck: inlineFileCheck,
    fileWork: inlineFileWork,
  })
}

async function syncAll(mesh: SimMesh, index: number, id: StoreId): Promise<ReadonlyMap<string, PeerSyncReport>> {
  const reports = new Map<string, PeerSyncReport>()
  const collect = async (): Promise<void> => {
    const { signal } = new AbortController()
    for await (const report of mesh.store(index, id).sync(signal)) reports.set(report.name, report)
  }
  await mesh.complete(collect())
  return reports
}

describe('a peer that this node has no connection to', () => {
  test('was last seen when it wrote what is here, lags by its acks, and is never seen in the future', async () => {
    await using mesh = await createSimMesh({ seed: 1, nodes: 3 })
    const id = await mesh.share()
    await mesh.converge(id)
    const far = keyOf(mesh, 2)
    mesh.network.cut(keyOf(mesh, 1), far)
    await mesh.run(() => !peerAt(mesh, id, { from: 1, of: far }).online, 'the two are apart')
    await mesh.time.pass(3_600_000)
    const before = peerAt(mesh, id, { from: 1, of: far }).lastSeen

    await put(mesh, 2, id, ['k', 'v'])
    const wroteMs = mesh.time.scheduler.clock.wallMs()
    await mesh.converge(id)
    const seen = peerAt(mesh, id, { from: 1, of: far })
    expect(seen).toMatchObject({ online: false, connected: false, sync: 'unknown' })
    expect(seen.lastSeen).toBeGreaterThan(before)
    expect(Math.abs(seen.lastSeen - wroteMs)).toBeLessThan(1_000)

    // What it has seen, it says by its acks, which come by way of the other.
    await put(mesh, 1, id, ['k', 'w'])
    expect(mesh.store(1, id).status().peersLagging).toBe(2)
    await mesh.run(() => mesh.store(1, id).status().peersLagging === 0, 'everybody has acknowledged')
    expect(peerAt(mesh, id, { from: 1, of: far }).lag).toMatchObject({ unseen: 0 })

    // The clock of this machine is set back: nobody was seen after now.
    const { clock } = mesh.time.scheduler
    clock.setWallMs(clock.wallMs() - 86_400_000)
    expect(peerAt(mesh, id, { from: 1, of: far }).lastSeen).toBe(clock.wallMs())
  })

  test('falls silent with the others once all is acknowledged: acks are not answered', async () => {
    await using mesh = await createSimMesh({ seed: 2, nodes: 3 })
    const id = await mesh.share()
    await put(mesh, 0, id, ['k', 'v'])
    await mesh.converge(id)
    await mesh.time.pass(120_000)
    const counts = (): readonly number[] => [0, 1, 2].map((at) => mesh.store(at, id).kernel().digest().witnessCount)
    const before = counts()
    await mesh.time.pass(3_600_000)
    expect(counts()).toEqual(before)
  })
})

describe('sync at a wish', () => {
  test('says of every peer what came of it, and leaves none out', async () => {
    await using mesh = await createSimMesh({ seed: 3, nodes: 5 })
    const id = await mesh.share()
    await mesh.converge(id)
    await mesh.complete(mesh.store(0, id).setPeerStatus('node-4', system.PeerStatus.DORMANT))
    await mesh.converge(id)
    await mesh.stop(3)
    await mesh.stop(4)
    const reports = await syncAll(mesh, 0, id)
    expect([...reports.keys()].toSorted()).toEqual(['node-1', 'node-2', 'node-3', 'node-4'])
    for (const name of ['node-1', 'node-2']) {
      expect(reports.get(name)).toMatchObject({ result: 'synced', failure: undefined })
    }
    expect(reports.get('node-3')).toMatchObject({ result: 'unreachable', failure: { code: 'PEER_UNREACHABLE' } })
    expect(reports.get('node-3')?.failure?.message).toContain('not reached at sim:')
    expect(reports.get('node-4')).toMatchObject({ result: 'inactive' })

    // Whoever is back is dialled, whatever pause its dials are in, and if one that is under way comes to nothing.
    for (const minutes of [21, 28, 31, 33, 42]) {
      await mesh.time.pass(minutes * 60_000)
      await mesh.start(3)
      expect((await syncAll(mesh, 0, id)).get('node-3')).toMatchObject({ result: 'synced' })
      await mesh.stop(3)
    }
  })

  test('without a network reaches nobody, and says so', async () => {
    await using mesh = await createSimMesh({ seed: 4, nodes: 2 })
    const id = await mesh.share()
    await mesh.converge(id)
    await mesh.stop(0)
    const alone = await mesh.complete(openOffline(mesh, 0))
    const reports: PeerSyncReport[] = []
    const collect = async (): Promise<void> => {
      for await (const report of alone.store(id).sync(new AbortController().signal)) reports.push(report)
    }
    await mesh.complete(collect())
    expect(reports).toMatchObject([{ name: 'node-1', result: 'unreachable', failure: { code: 'PEER_UNREACHABLE' } }])
    await mesh.complete(alone.close())
  })
})
