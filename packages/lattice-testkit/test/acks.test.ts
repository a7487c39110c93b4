/** Acks, lag and forks between whole nodes. */
import { cpSync } from 'node:fs'
import { idKey, type StoreId, verifyForkProof } from '@lattice/model'
import { openCrypto } from '@lattice/model/crypto'
import type { PeerEntry } from '@lattice/node'
import { describe, expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { get, put } from './support.ts'

const HOUR_MS = 3_600_000
const crypto = await openCrypto()

/** What `at` shows of another node. */
function peerOf(mesh: SimMesh, id: StoreId, { at, of }: { readonly at: number; readonly of: number }): PeerEntry {
  const key = idKey(mesh.node(of).id)
  const found = mesh
    .store(at, id)
    .peers()
    .find(({ publicKey }) => idKey(publicKey) === key)
  if (found === undefined) throw new Error(`node ${of} is no peer`)
  return found
}

function counts(mesh: SimMesh, id: StoreId): number[] {
  return mesh.peers.flatMap((peer) => (peer.isUp() ? [peer.node().store(id).kernel().stats().witnessCount] : []))
}

describe('nodes', () => {
  test('acknowledge what was written, show who lags and for how long, and fall silent', async () => {
    await using mesh = await createSimMesh({ seed: 1, nodes: 3 })
    const id = await mesh.share()
    await mesh.converge(id)
    await mesh.time.pass(30_000)
    await mesh.converge(id)
    const quiet = counts(mesh, id)
    await mesh.time.pass(HOUR_MS)
    expect(counts(mesh, id)).toEqual(quiet)
    expect(mesh.store(0, id).status()).toMatchObject({ peersLagging: 0, openForks: 0, synced: true })

    mesh.partition([2])
    await put(mesh, 0, id, ['a', 'v'])
    await put(mesh, 1, id, ['b', 'v'])
    await mesh.time.pass(60_000)
    const since = mesh
      .store(0, id)
      .kernel()
      .history(undefined, 10)
      .map(({ wallTime }) => wallTime)
    const behind = peerOf(mesh, id, { at: 0, of: 2 })
    expect(behind).toMatchObject({ sync: 'unknown', lag: { unseen: 2 } })
    expect(since).toContain(behind.lag?.unseenSinceMs)
    expect(peerOf(mesh, id, { at: 0, of: 1 })).toMatchObject({ sync: 'synced', lag: { unseen: 0 } })
    expect(peerOf(mesh, id, { at: 0, of: 0 }).lag).toBeUndefined()
    expect(mesh.store(0, id).status().peersLagging).toBe(1)
    const { stable } = mesh.store(0, id).status()

    mesh.heal()
    await mesh.converge(id)
    await mesh.run(() => mesh.store(0, id).status().peersLagging === 0, 'the last has acknowledged')
    await mesh.time.pass(30_000)
    expect(mesh.store(0, id).status().stable).toBeGreaterThanOrEqual(stable + 2)
    const all = counts(mesh, id)
    // Two writes, and an ack of each of three nodes for what the partition let each see, at most twice.
    expect(Math.max(...all) - Math.max(...quiet)).toBeLessThanOrEqual(2 + 6)
    await mesh.time.pass(HOUR_MS)
    expect(counts(mesh, id)).toEqual(all)
    const { authors } = mesh.store(1, id).observations()
    expect(authors.map(({ seen }) => seen.length)).toEqual([3, 3, 3])
  })

  test('that come back from a backup fork, converge, show the fork and its proof, and join it with the next write', async () => {
    await using mesh = await createSimMesh({ seed: 2, nodes: 3 })
    const id = await mesh.share()
    await mesh.converge(id)
    await mesh.time.pass(30_000)
    await mesh.stop(2)
    const { dataDir } = mesh.peers[2] ?? { dataDir: () => '' }
    const backup = `${dataDir()}.backup`
    cpSync(dataDir(), backup, { recursive: true })
    await mesh.start(2)
    await put(mesh, 2, id, ['lost', 'in the crash'])
    await mesh.converge(id)
    await mesh.stop(2)
    // The machine dies; what was backed up comes back, and writes before it meets anybody.
    mesh.partition([2])
    await mesh.start(2, { dataDir: backup })
    await put(mesh, 2, id, ['new', 'after the restore'])
    mesh.heal()
    await mesh.converge(id)
    for (const index of [0, 1, 2]) {
      expect(await get(mesh, index, id, 'lost')).toBe('in the crash')
      expect(await get(mesh, index, id, 'new')).toBe('after the restore')
      const [fork] = mesh.store(index, id).kernel().forks(10)
      expect(fork?.author).toEqual(mesh.node(2).id)
      const proof = fork && mesh.store(index, id).kernel().forkProof(fork.ids)
      const proven = proof && verifyForkProof(crypto, proof)
      expect(proven?.ok === true && proven.value.author).toEqual(mesh.node(2).id)
      expect(peerOf(mesh, id, { at: index, of: 2 }).forked).toBe(true)
    }
    await put(mesh, 2, id, ['next', 'joins'])
    await mesh.converge(id)
    for (const index of [0, 1, 2]) {
      expect(mesh.store(index, id).status().openForks).toBe(0)
      expect(peerOf(mesh, id, { at: index, of: 2 })).toMatchObject({ forked: true, forkJoined: true })
    }
    await mesh.time.pass(HOUR_MS)
    await mesh.converge(id)
    const all = counts(mesh, id)
    await mesh.time.pass(HOUR_MS)
    expect(counts(mesh, id)).toEqual(all)
  })
})
