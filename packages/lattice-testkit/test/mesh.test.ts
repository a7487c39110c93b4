import { readdirSync } from 'node:fs'
import { openKv } from '@lattice/kvstore'
import { toHex } from '@lattice/model'
import { PeerUnreachable } from '@lattice/net-types'
import { describe, expect, test } from 'vitest'
import { createSimMesh } from '../src/index.ts'
import { get, kvOf, put } from './support.ts'

describe('a mesh of nodes', () => {
  test('create, invite, join, write on both sides, converge', async () => {
    await using mesh = await createSimMesh({ seed: 1, nodes: 2 })
    const id = await mesh.share('team')
    await put(mesh, 0, id, ['from-a', '1'])
    await put(mesh, 1, id, ['from-b', '2'])
    await mesh.converge(id)
    expect(await get(mesh, 1, id, 'from-a')).toBe('1')
    expect(await get(mesh, 0, id, 'from-b')).toBe('2')
  })

  test('a store is live where it was joined with all that was written before', async () => {
    await using mesh = await createSimMesh({ seed: 2, nodes: 3 })
    const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
    const kv = kvOf(mesh, 0, id)
    const writes = Array.from({ length: 2000 }, (_, index) => kv.put(`key ${index}`, `value ${index}`))
    await mesh.complete(Promise.all(writes))
    for (const index of [1, 2]) {
      const progress: string[] = []
      const joined = mesh.node(index).join(await mesh.invite(0, id), {
        onProgress: (at) => progress.push(at.kind === 'stage' ? at.stage : `${at.done}/${at.total}`),
      })
      const store = await mesh.complete(joined)
      expect(store.name()).toBe('team')
      expect(await openKv(store).count()).toBe(2000)
      expect(progress.slice(0, 3)).toEqual(['connecting', 'redeeming', 'bootstrapping'])
      expect(progress.length).toBeGreaterThan(3)
    }
    await mesh.converge(id)
  })

  test('peers who joined through one another find each other, and know each other by name', async () => {
    await using mesh = await createSimMesh({ seed: 3, nodes: 4 })
    const id = await mesh.share()
    await mesh.converge(id)
    await mesh.run(
      () => mesh.peers.every((peer) => peer.node().network.connectedPeers().length === 3),
      'everyone is connected to everyone',
    )
    for (const peer of mesh.peers) {
      const store = peer.node().store(id)
      expect(
        store
          .peers()
          .map(({ name }) => name)
          .sort(),
      ).toEqual(['node-0', 'node-1', 'node-2', 'node-3'])
      expect(store.peers().filter(({ self }) => self)).toHaveLength(1)
      expect(store.peers().every(({ online }) => online)).toBe(true)
      expect(store.status()).toMatchObject({ peers: 4, peersOnline: 4, strategy: 'independent', readable: true })
    }
  })

  test('a key edited on both sides of a partition is conflicted everywhere alike, until it is resolved', async () => {
    await using mesh = await createSimMesh({ seed: 4, nodes: 3 })
    const id = await mesh.share()
    await put(mesh, 0, id, ['motto', 'before'])
    await mesh.converge(id)
    mesh.partition([0], [1, 2])
    await put(mesh, 0, id, ['motto', 'from 0'])
    await put(mesh, 1, id, ['motto', 'from 1'])
    await put(mesh, 0, id, ['alone', 'x'])
    await mesh.time.pass(60_000)
    expect(await get(mesh, 2, id, 'motto')).toBe('from 1')
    mesh.heal()
    await mesh.converge(id)
    const seen = await Promise.all([0, 1, 2].map((index) => kvOf(mesh, index, id).inspect('motto')))
    expect(seen[0]).toHaveLength(2)
    expect(seen[1]).toEqual(seen[0])
    expect(seen[2]).toEqual(seen[0])
    expect((await kvOf(mesh, 2, id).get('motto')).conflicted).toBe(true)
    await mesh.complete(kvOf(mesh, 2, id).resolve('motto', 'agreed'))
    await mesh.converge(id)
    for (const index of [0, 1, 2]) {
      expect(await kvOf(mesh, index, id).get('motto')).toMatchObject({ conflicted: false })
      expect(await get(mesh, index, id, 'motto')).toBe('agreed')
      expect(await get(mesh, index, id, 'alone')).toBe('x')
    }
  })

  test('a node that was away catches up by itself, also with what it wrote meanwhile', async () => {
    await using mesh = await createSimMesh({ seed: 5, nodes: 2 })
    const id = await mesh.share()
    await mesh.stop(1)
    await put(mesh, 0, id, ['while-away', 'yes'])
    await mesh.stop(0)
    await mesh.start(1)
    await put(mesh, 1, id, ['offline', 'too'])
    await mesh.start(0)
    await mesh.converge(id)
    expect(await get(mesh, 0, id, 'offline')).toBe('too')
    expect(await get(mesh, 1, id, 'while-away')).toBe('yes')
  })

  test('a store joined while another member was away reaches that member when it returns', async () => {
    await using mesh = await createSimMesh({ seed: 6, nodes: 3 })
    const { id } = await mesh.complete(mesh.node(0).createStore())
    await mesh.complete(mesh.node(1).join(await mesh.invite(0, id)))
    await mesh.stop(1)
    await mesh.complete(mesh.node(2).join(await mesh.invite(0, id)))
    await put(mesh, 2, id, ['new', 'member'])
    await mesh.converge(id)
    await mesh.stop(0)
    // Only the newcomer is up, and node 1 does not know it yet.
    await mesh.start(1)
    await mesh.time.pass(30_000)
    await mesh.start(0)
    await mesh.converge(id)
    expect(await get(mesh, 1, id, 'new')).toBe('member')
  })

  test('a peer that was connected before it was known to take part is reconciled with at once', async () => {
    await using mesh = await createSimMesh({ seed: 12, nodes: 3 })
    const { id } = await mesh.complete(mesh.node(0).createStore())
    await mesh.complete(mesh.node(1).join(await mesh.invite(0, id)))
    await mesh.converge(id, [0, 1])
    mesh.network.cut(mesh.node(0).id, mesh.node(1).id)
    await mesh.complete(mesh.node(2).join(await mesh.invite(0, id)))
    await mesh.run(
      () =>
        mesh
          .node(1)
          .network.connectedPeers()
          .some(({ publicKey }) => toHex(publicKey) === toHex(mesh.node(2).id)),
      'the newcomer has come',
    )
    // Node 1 does not take it yet: it does not know the writer.
    mesh.network.cut(mesh.node(0).id, mesh.node(2).id)
    await put(mesh, 2, id, ['early', 'word'])
    await mesh.time.pass(1000)
    mesh.network.heal()
    mesh.network.cut(mesh.node(0).id, mesh.node(2).id)
    await mesh.run(() => mesh.isConverged(id, [1, 2]), 'what was refused before has come', 20_000)
    expect(await get(mesh, 1, id, 'early')).toBe('word')
  })

  test('a peer is dialled where it was last seen, also by who never was told its address', async () => {
    await using mesh = await createSimMesh({ seed: 13, nodes: 3 })
    const id = await mesh.share()
    await mesh.converge(id)
    await mesh.run(
      () => mesh.peers.every((peer) => peer.node().network.connectedPeers().length === 2),
      'everyone has met everyone',
    )
    for (const index of [0, 1, 2]) await mesh.stop(index)
    await mesh.start(1)
    await put(mesh, 1, id, ['k', 'v'])
    // Node 2 joined last, so only it was given an address of the other; now it cannot dial.
    await mesh.start(2, {
      openTransport: ({ publicKey }) => ({
        ...mesh.network.transport(publicKey),
        connect: (peer) => Promise.reject(new PeerUnreachable(peer, [])),
      }),
    })
    await mesh.converge(id)
  })

  test('sync says what was done with each peer, and status says synced of equal digests only', async () => {
    await using mesh = await createSimMesh({ seed: 7, nodes: 2 })
    const id = await mesh.share()
    await mesh.converge(id)
    const outcomes: unknown[] = []
    const sync = (async () => {
      for await (const outcome of mesh.store(0, id).sync(new AbortController().signal)) outcomes.push(outcome)
    })()
    await mesh.complete(sync)
    expect(outcomes).toMatchObject([{ result: 'synced', name: 'node-1', sent: 0, received: 0 }])
    expect(mesh.store(0, id).status().synced).toBe(true)
    mesh.partition([0], [1])
    await put(mesh, 0, id, ['k', 'v'])
    expect(mesh.store(0, id).status().synced).toBe(false)
  })

  test('closing hands over what a peer lacks, and a closed node refuses', async () => {
    await using mesh = await createSimMesh({ seed: 8, nodes: 2 })
    const id = await mesh.share()
    await mesh.converge(id)
    const node = mesh.node(0)
    const write = kvOf(mesh, 0, id).put('last', 'word')
    await mesh.complete(write)
    await mesh.stop(0)
    expect(await get(mesh, 1, id, 'last')).toBe('word')
    expect(() => node.store(id)).toThrow(expect.objectContaining({ code: 'CLOSED' }))
    await expect(node.createStore()).rejects.toMatchObject({ code: 'CLOSED' })
    await node.close()
    await mesh.start(0)
    await mesh.converge(id)
  })

  test('the node tells what happens', async () => {
    await using mesh = await createSimMesh({ seed: 9, nodes: 2 })
    const stop = new AbortController()
    const kinds: string[] = []
    const following = (async () => {
      for await (const event of mesh.node(1).events(stop.signal)) kinds.push('kind' in event ? event.kind : 'lagged')
    })()
    await mesh.share()
    await mesh.time.pass(5000)
    stop.abort()
    await following
    expect(kinds).toEqual(expect.arrayContaining(['peer_online', 'bootstrap_progress', 'store_ready', 'sync_result']))
  })

  test('watchers on one node see what another writes', async () => {
    await using mesh = await createSimMesh({ seed: 10, nodes: 2 })
    const id = await mesh.share()
    const stop = new AbortController()
    const seen: string[] = []
    const watch = kvOf(mesh, 1, id).watch({ signal: stop.signal })
    const watching = (async () => {
      for await (const event of watch) if (event.kind === 'put') seen.push(Buffer.from(event.key).toString())
    })()
    await put(mesh, 0, id, ['one', '1'])
    await put(mesh, 0, id, ['two', '2'])
    await mesh.converge(id)
    await mesh.run(() => seen.length === 2, 'both writes were seen')
    expect(seen).toEqual(['one', 'two'])
    stop.abort()
    await watching
  })

  test('a store is named, renamed and found by name, prefix and id', async () => {
    await using mesh = await createSimMesh({ seed: 11, nodes: 2 })
    const id = await mesh.share('team')
    expect(mesh.node(1).store('team').id).toEqual(id)
    expect(mesh.node(1).store(toHex(id).slice(0, 8)).id).toEqual(id)
    await mesh.complete(mesh.store(0, id).setName('family'))
    await mesh.run(() => mesh.store(1, id).name() === 'family', 'the new name has arrived')
    expect(() => mesh.node(0).store('team')).toThrow(expect.objectContaining({ code: 'STORE_NOT_FOUND' }))
    await mesh.complete(mesh.node(1).setName('laptop'))
    await mesh.run(
      () =>
        mesh
          .store(0, id)
          .peers()
          .some((peer) => peer.name === 'laptop'),
      'the new name of the node has arrived',
    )
    expect(readdirSync(mesh.peers[0]?.dataDir() ?? '').sort()).toEqual(
      expect.arrayContaining(['identity.key', 'lock', 'meta.db', 'stores']),
    )
  })
})
