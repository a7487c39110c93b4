/**
 * Requests that nobody means, to a real node: each is refused with a typed error, in process and over gRPC alike, and
 * changes nothing.
 */
import { isLatticeError, readStoreId } from '@lattice/model'
import { daemon, system } from '@lattice/proto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BackendClosed, type LatticeBackend } from '../src/index.ts'
import { openRealNode, type RealNode } from './real-node.ts'

let real: RealNode
let storeId: Uint8Array

beforeAll(async () => {
  real = await openRealNode()
  const store = await real.node.createStore({ name: 'team', storeType: 'core:kvstore' })
  storeId = store.id
})

afterAll(async () => {
  await real[Symbol.asyncDispose]()
})

type Call = (backend: LatticeBackend, id: Uint8Array) => Promise<unknown>

async function lastOf(stream: AsyncIterable<unknown>): Promise<unknown> {
  let last: unknown
  for await (const each of stream) last = each
  return last
}

/** Every call that is about a store, with nothing else wrong. */
const ABOUT_A_STORE: Readonly<Record<string, Call>> = {
  archive: ({ store }, id) => store.archive({ storeId: id }),
  unarchive: ({ store }, id) => store.unarchive({ storeId: id }),
  destroy: ({ store }, id) => store.destroy({ storeId: id }),
  leave: ({ store }, id) => store.leave({ storeId: id }),
  rejoin: ({ store }, id) => store.rejoin({ storeId: id }),
  deleteData: ({ store }, id) => store.deleteData({ storeId: id, confirmed: true, force: true }),
  cancelInvite: ({ store }, id) => store.cancelInvite({ storeId: id, prefix: 'abcd' }),
  setPeerRole: ({ store }, id) => store.setPeerRole({ storeId: id, peer: 'nas', role: system.Role.ADMIN }),
  setPeerStatus: ({ store }, id) =>
    store.setPeerStatus({ storeId: id, peer: 'nas', status: system.PeerStatus.DORMANT }),
  revokePeer: ({ store }, id) => store.revokePeer({ storeId: id, peer: 'nas' }),
  listEpochs: ({ store }, id) => store.listEpochs({ storeId: id }),
  listExcluded: ({ store }, id) => store.listExcluded({ storeId: id }),
  getSnapshot: ({ store }, id) => store.getSnapshot({ storeId: id }),
  planPrune: ({ store }, id) => store.planPrune({ storeId: id }),
  prune: ({ store }, id) => store.prune({ storeId: id }),
  getPruning: ({ store }, id) => store.getPruning({ storeId: id }),
  setPrunePolicy: ({ store }, id) =>
    store.setPrunePolicy({ storeId: id, policy: { policy: { case: 'keepDays', value: 3 } } }),
  setPeerName: ({ store }, id) => store.setPeerName({ storeId: id, peer: '', name: 'x' }),
  listInvites: ({ store }, id) => store.listInvites({ storeId: id }),
  invite: ({ store }, id) => store.invite({ storeId: id }),
  setName: ({ store }, id) => store.setName({ storeId: id, name: 'x' }),
  'a child of it': ({ store }, id) => store.create({ name: 'x', parentId: id }),
}

/** What a caller sees of a failure. */
interface Refusal {
  readonly code: string
  readonly message: string
  readonly detail: unknown
}

async function refusalOf(backend: LatticeBackend, call: Call, id: Uint8Array): Promise<Refusal> {
  try {
    await call(backend, id)
  } catch (error) {
    if (!isLatticeError(error)) throw error
    return { code: error.code, message: error.message, detail: JSON.parse(JSON.stringify(error.detail)) as unknown }
  }
  throw new Error('it was not refused')
}

/** The refusal, which has to be the same both ways. */
async function refusal(call: Call, id: Uint8Array = storeId): Promise<Refusal> {
  const [first, second] = await Promise.all(real.backends.map(([, backend]) => refusalOf(backend, call, id)))
  expect(second).toEqual(first)
  if (first === undefined) throw new Error('there is a backend')
  return first
}

describe.each(Object.entries(ABOUT_A_STORE))('%s', (name, call) => {
  const lengths = name === 'a child of it' ? [1, 31, 33, 65_536] : [0, 1, 31, 33, 65_536]

  test.each(lengths)('refuses an id of %i bytes', async (length) => {
    const { code, message } = await refusal(call, new Uint8Array(length).fill(7))
    expect({ code, message }).toEqual({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining(`this one has ${length}`) as string,
    })
  })

  test('finds no store of an id that nobody gave', async () => {
    expect((await refusal(call, new Uint8Array(32).fill(7))).code).toBe('STORE_NOT_FOUND')
  })
})

describe('a value that is in no enum', () => {
  const calls: Readonly<Record<string, Call>> = {
    strategy: ({ store }, id) => store.create({ name: 'x', parentId: id, strategy: 99 as daemon.ChildStrategy }),
    role: ({ store }, id) => store.setPeerRole({ storeId: id, peer: 'nas', role: 99 as system.Role }),
    'role of an invite': ({ store }, id) => store.invite({ storeId: id, role: -1 as system.Role }),
    status: ({ store }, id) => store.setPeerStatus({ storeId: id, peer: 'nas', status: 99 as system.PeerStatus }),
  }

  test.each(Object.entries(calls))('is refused: %s', async (_name, call) => {
    const { code, message } = await refusal(call)
    expect(code).toBe('INVALID_ARGUMENT')
    expect(message).toMatch(/is no (?:ChildStrategy|Role|PeerStatus) that this node knows/u)
  })
})

describe('text that is longer than anything can be called', () => {
  const calls: Readonly<Record<string, (backend: LatticeBackend, id: Uint8Array, text: string) => Promise<unknown>>> = {
    'a name of a store': ({ store }, id, name) => store.setName({ storeId: id, name }),
    'a name of a new store': ({ store }, _id, name) => store.create({ name }),
    'a type': ({ store }, _id, storeType) => store.create({ name: 'x', storeType }),
    'a reference': ({ store }, _id, reference) => store.resolve({ reference }),
    'a token': ({ store }, _id, token) => lastOf(store.join({ token })),
    'a prefix': ({ store }, id, prefix) => store.cancelInvite({ storeId: id, prefix }),
    'a peer': ({ store }, id, peer) => store.setPeerRole({ storeId: id, peer, role: system.Role.ADMIN }),
    'a peer to mark': ({ store }, id, peer) =>
      store.setPeerStatus({ storeId: id, peer, status: system.PeerStatus.DORMANT }),
    'a name of a peer': ({ store }, id, name) => store.setPeerName({ storeId: id, peer: '', name }),
    'a peer to explain': ({ node }, id, peer) => node.why({ storeId: id, peer }),
    'a directory': ({ node }, _id, directory) => lastOf(node.backup({ directory })),
    'a name of the node': ({ node }, _id, name) => node.setName({ name }),
    'a head': ({ store }, id, head) => store.inspectBranch({ storeId: id, heads: ['abcd', head] }),
  }

  test.each(Object.entries(calls))('is refused: %s', async (_name, call) => {
    for (const text of ['x'.repeat(20_000), '世'.repeat(20_000), 'y'.repeat(1 << 20)]) {
      const { code, message } = await refusal((backend, id) => call(backend, id, text))
      expect(code).toBe('INVALID_ARGUMENT')
      expect(message.length).toBeLessThan(200)
    }
  })

  test('and below that is quoted in part, so that the refusal still arrives', async () => {
    const reference = '世'.repeat(4000)
    for (const [, { store }] of real.backends) {
      const failure = await store.resolve({ reference }).catch((error: unknown) => error)
      expect(failure).toMatchObject({ code: 'STORE_NOT_FOUND' })
    }
  })
})

describe('names that cannot be shown, or would be paths', () => {
  test.each(['a/b', '\u001B[2J', 'a\nb', '\u202Eabc', ' '])('%j is refused for a store', async (name) => {
    expect((await refusal(({ store }) => store.create({ name }))).code).toBe('INVALID_ARGUMENT')
    expect((await refusal(({ store }, id) => store.setName({ storeId: id, name }))).code).toBe('INVALID_ARGUMENT')
  })
})

test('half a character is refused as well, though a socket cannot carry it', async () => {
  for (const [, { store }] of real.backends) {
    const failure = await store.create({ name: 'a\uD800' }).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'INVALID_ARGUMENT' })
  }
})

test('what was refused has changed nothing', async () => {
  const [[, backend] = []] = real.backends
  const { stores } = (await backend?.store.list({})) ?? { stores: [] }
  expect(stores.map(({ name, state }) => ({ name, state }))).toEqual([
    { name: 'team', state: daemon.StoreState.ACTIVE },
  ])
  const { invites } = (await backend?.store.listInvites({ storeId })) ?? { invites: [] }
  expect(invites).toEqual([])
  expect(readStoreId(storeId)).toBeDefined()
})

test('a backend that was closed refuses every call, and the node goes on', async () => {
  const [[, backend] = []] = real.backends
  await backend?.close()
  await expect(backend?.store.list({})).rejects.toBeInstanceOf(BackendClosed)
  expect(real.node.stores()).toHaveLength(1)
})
