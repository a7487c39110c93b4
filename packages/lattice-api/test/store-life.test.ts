/**
 * The life of stores, peers and invites of a real node, through each backend: what a caller is answered, and told by
 * events, must not depend on the way.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { toHex, toStoreId } from '@lattice/model'
import { daemon, system } from '@lattice/proto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { LatticeBackend } from '../src/index.ts'
import { openRealNode, type RealNode } from './real-node.ts'

const { ACTIVE, ARCHIVED, DESTROYED, LEFT } = daemon.StoreState
const UNKNOWN_PEER = 'fefefefefe'

let real: RealNode

beforeEach(async () => {
  real = await openRealNode()
})

afterEach(async () => {
  await real[Symbol.asyncDispose]()
})

const codeOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => 'done',
    (error: unknown) => (error as { readonly code?: unknown }).code,
  )

describe.each([0, 1])('by backend %i', (index) => {
  const backend = (): LatticeBackend => {
    const [, opened] = real.backends[index] ?? []
    if (opened === undefined) throw new Error('there are two')
    return opened
  }
  const create = (name: string, parentId?: Uint8Array, strategy?: daemon.ChildStrategy): Promise<daemon.StoreInfo> =>
    backend().store.create({ name, ...(parentId && { parentId }), ...(strategy && { strategy }) })
  const now = async (storeId: Uint8Array): Promise<daemon.StoreInfo | undefined> => {
    const { stores } = await backend().store.list({})
    return stores.find(({ id }) => toHex(id) === toHex(storeId))
  }
  const hasFiles = (id: Uint8Array): boolean => existsSync(join(real.dataDir, 'stores', toHex(id)))

  test.each([
    [daemon.ChildStrategy.UNSPECIFIED, 'inherited'],
    [daemon.ChildStrategy.INHERITED, 'inherited'],
    [daemon.ChildStrategy.INDEPENDENT, 'independent'],
    [daemon.ChildStrategy.SNAPSHOT, 'snapshot'],
  ])('a child is created with strategy %i: %s', async (strategy, expected) => {
    const root = await create('team')
    const child = await create('notes', root.id, strategy)
    expect(child).toMatchObject({ path: 'team/notes', state: ACTIVE, hasData: true, awaiting: [] })
    expect((await backend().store.getStatus({ storeId: child.id })).strategy).toBe(expected)
  })

  test('a child is archived, opened again, archived, destroyed, and its data goes', async () => {
    const { store } = backend()
    const root = await create('team')
    const { id: storeId } = await create('notes', root.id)
    expect(await codeOf(store.archive({ storeId: root.id }))).toBe('WRONG_STATE')
    expect(await codeOf(store.destroy({ storeId }))).toBe('WRONG_STATE')
    expect(await store.archive({ storeId })).toMatchObject({ state: ARCHIVED, hasData: true })
    expect(await codeOf(store.getStatus({ storeId }))).toBe('WRONG_STATE')
    expect(await store.unarchive({ storeId })).toMatchObject({ state: ACTIVE })
    await store.archive({ storeId })
    expect(await store.destroy({ storeId })).toMatchObject({ state: DESTROYED, awaiting: [] })
    expect(hasFiles(storeId)).toBe(false)
    expect(await codeOf(store.unarchive({ storeId }))).toBe('WRONG_STATE')
  })

  test('a root is left, rejoined, and deleted, each with its refusals', async () => {
    const { store } = backend()
    const { id: storeId } = await create('team')
    expect(await codeOf(store.rejoin({ storeId }))).toBe('WRONG_STATE')
    expect(await codeOf(store.deleteData({ storeId, confirmed: true, force: true }))).toBe('WRONG_STATE')
    expect(await codeOf(store.leave({ storeId }))).toBe('NOT_REPLICATED')
    expect(await store.leave({ storeId, force: true })).toMatchObject({ state: LEFT, hasData: true })
    expect(await store.rejoin({ storeId })).toMatchObject({ state: ACTIVE })
    await store.leave({ storeId, force: true })
    expect(await codeOf(store.deleteData({ storeId }))).toBe('NOT_CONFIRMED')
    expect(await codeOf(store.deleteData({ storeId, force: true }))).toBe('NOT_CONFIRMED')
    expect(await codeOf(store.deleteData({ storeId, confirmed: true }))).toBe('NOT_REPLICATED')
    expect(hasFiles(storeId)).toBe(true)
    const { bytes, stores } = await store.deleteData({ storeId, confirmed: true, force: true })
    expect(bytes).toBeGreaterThan(0n)
    expect(stores).toBe(1)
    expect(hasFiles(storeId)).toBe(false)
    expect((await now(storeId))?.hasData ?? false).toBe(false)
  })

  test('events tell of each change of a store', async () => {
    const ending = new AbortController()
    const told: string[] = []
    const { id: storeId } = await create('team')
    const events = backend().node.subscribe({}, { signal: ending.signal })
    const reading = (async () => {
      for await (const { event } of events) {
        if (event.case !== 'storeChanged' || toHex(event.value.id) !== toHex(storeId)) continue
        told.push(`${event.value.name} ${event.value.state}`)
        if (event.value.state === LEFT) return
      }
    })()
    await backend().node.getStatus({})
    await backend().store.setName({ storeId, name: 'crew' })
    await backend().store.leave({ storeId, force: true })
    await reading
    ending.abort()
    expect(told).toContain(`crew ${ACTIVE}`)
    expect(told.at(-1)).toBe(`crew ${LEFT}`)
  })

  test('invites are cancelled by a prefix, and what is no prefix is refused', async () => {
    const { store } = backend()
    const { id: storeId } = await create('team')
    const { tokenHash } = await store.invite({ storeId, uses: 3, role: system.Role.READER })
    for (const prefix of ['', 'ab', 'xyz!', 'g'.repeat(64), 'f'.repeat(65)]) {
      expect(await codeOf(store.cancelInvite({ storeId, prefix }))).toBe('INVALID_ARGUMENT')
    }
    const prefix = toHex(tokenHash).slice(0, 8)
    expect(await store.cancelInvite({ storeId, prefix })).toMatchObject({
      tokenHash,
      status: system.InviteStatus.CANCELLED,
      claimedBy: [],
    })
    expect(await codeOf(store.cancelInvite({ storeId, prefix }))).toBe('WRONG_STATE')
  })

  test('peers are named, and refused what they cannot be', async () => {
    const { store } = backend()
    const { id: storeId } = await create('team')
    expect(await store.setPeerName({ storeId, peer: '', name: 'desk' })).toMatchObject({ name: 'desk', self: true })
    const { peers } = await store.listPeers({ storeId })
    expect(peers.map(({ name }) => name)).toEqual(['desk'])
    for (const name of ['', 'a\nb', 'x'.repeat(4000)]) {
      expect(await codeOf(store.setPeerName({ storeId, peer: '', name }))).toBe('INVALID_ARGUMENT')
    }
    for (const call of [
      store.setPeerName({ storeId, peer: UNKNOWN_PEER, name: 'x' }),
      store.setPeerRole({ storeId, peer: UNKNOWN_PEER, role: system.Role.ADMIN }),
      store.setPeerStatus({ storeId, peer: UNKNOWN_PEER, status: system.PeerStatus.DORMANT }),
    ]) {
      expect(await codeOf(call)).toBe('PEER_NOT_FOUND')
    }
    expect(await codeOf(store.setPeerRole({ storeId, peer: 'desk', role: system.Role.UNSPECIFIED }))).toBe(
      'INVALID_ARGUMENT',
    )
    expect(await codeOf(store.setPeerRole({ storeId, peer: 'desk', role: system.Role.READER }))).toBe('WRONG_STATE')
    for (const status of [system.PeerStatus.UNSPECIFIED, system.PeerStatus.INVITED, system.PeerStatus.REVOKED]) {
      expect(await codeOf(store.setPeerStatus({ storeId, peer: 'desk', status }))).toBe('INVALID_ARGUMENT')
    }
  })

  test('revoking is refused where it cannot be, and epochs and what they cut are listed', async () => {
    const { store } = backend()
    const { id: storeId } = await create('team')
    expect(await codeOf(store.revokePeer({ storeId, peer: UNKNOWN_PEER }))).toBe('PEER_NOT_FOUND')
    expect(await codeOf(store.revokePeer({ storeId }))).toBe('INVALID_ARGUMENT')
    expect(await codeOf(store.revokePeer({ storeId, peer: 'desk', self: true }))).toBe('INVALID_ARGUMENT')
    // The only peer of its store.
    expect(await codeOf(store.revokePeer({ storeId, self: true, force: true }))).toBe('WRONG_STATE')
    const none = await store.listEpochs({ storeId })
    expect(none).toMatchObject({ epochs: [], total: 0n, nextPageToken: new Uint8Array() })
    for (const length of [3, 32, 33]) {
      expect(await codeOf(store.listEpochs({ storeId, pageToken: new Uint8Array(length) }))).toBe('INVALID_ARGUMENT')
    }
    expect(await store.listExcluded({ storeId })).toMatchObject({ entries: [], nextPageToken: new Uint8Array() })
    for (const length of [3, 32]) {
      expect(await codeOf(store.listExcluded({ storeId, pageToken: new Uint8Array(length) }))).toBe('INVALID_ARGUMENT')
    }
    const follow = async (epoch: Uint8Array): Promise<void> => {
      for await (const each of store.followEpoch({ storeId, epoch })) expect(each).toBeUndefined()
    }
    expect(await codeOf(follow(new Uint8Array(3)))).toBe('INVALID_ARGUMENT')
    expect(await codeOf(follow(new Uint8Array(32)))).toBe('INTENTION_NOT_FOUND')
  })

  test('epochs are listed a page at a time', async () => {
    const { store } = backend()
    const { id: storeId } = await create('team')
    const kernel = real.node.store(toStoreId(storeId)).kernel()
    const made: string[] = []
    for (let n = 0; n < 5; n += 1) made.unshift(toHex(await kernel.submitEpoch({ kind: 'initial' })))
    const listed: string[] = []
    let pageToken = new Uint8Array()
    do {
      const page = await store.listEpochs({ storeId, limit: 2, pageToken })
      expect(page.total).toBe(5n)
      listed.push(...page.epochs.map(({ id }) => toHex(id)))
      pageToken = Uint8Array.from(page.nextPageToken)
      const wrong = Uint8Array.of(2, ...pageToken.subarray(1))
      expect(await codeOf(store.listEpochs({ storeId, pageToken: wrong }))).toBe('INVALID_ARGUMENT')
    } while (pageToken.length > 0)
    expect(listed).toEqual(made)
  })

  test('what is missing and how the node is are answered, and an unknown peer is not found', async () => {
    const { node } = backend()
    const { id: storeId } = await create('team')
    const { findings } = await node.diagnose({})
    expect(findings.length).toBeGreaterThan(0)
    for (const { severity, code, what, detailJson } of findings) {
      expect(daemon.SeveritySchema.value[severity]?.localName).not.toBe('UNSPECIFIED')
      expect(code).toMatch(/^[a-z][a-z0-9_]*$/u)
      expect(what).not.toBe('')
      expect(JSON.parse(detailJson)).toBeTypeOf('object')
    }
    expect(await codeOf(node.why({ storeId }))).toBe('done')
    expect(await codeOf(node.why({ storeId, peer: UNKNOWN_PEER }))).toBe('PEER_NOT_FOUND')
  })
})
