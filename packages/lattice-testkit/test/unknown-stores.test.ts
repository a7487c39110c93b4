/** What whole nodes say of stores that are not for the asker: to a stranger nothing at all, to a member that it is over. */
import { createAbortController, type KeyPair, type StoreId, toSeed, toStoreId } from '@lattice/model'
import { openCrypto } from '@lattice/model/crypto'
import { createFrameDecoder, encodeFrame, type Frame, type FrameInit } from '@lattice/net'
import { gossipTopic, type StoreQuestion, storeQuestions } from '@lattice/net/testing'
import type { BiStream, Transport } from '@lattice/net-types'
import type { net } from '@lattice/proto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { joinAsAdmin, reach } from './life-support.ts'
import { codeOf, put } from './support.ts'

const crypto = await openCrypto({ backend: 'wasm' })
const ASKED = 0
/** Shut out for hardly any time, so that a question that breaks the protocol does not hide the next. */
const LIMITS = { muteMs: 1, muteMaxMs: 1 }
/** Long enough for every answer that comes at all, on links of five milliseconds. */
const PATIENCE_MS = 100
/** Between two connections, so that none is one too many. */
const PAUSE_MS = 1_000
/** Six stores, each made, shared and ended. */
const SETUP_MS = 60_000
const { signal } = createAbortController()

interface Heard {
  readonly protocol: net.Protocol
  /** Each frame with when it came, since the question; the time of day left out. */
  readonly frames: readonly (readonly [atMs: number, frame: unknown])[]
  readonly bytes: number
  readonly end: 'finished' | 'reset'
  readonly endedMs: number
}

/** Asks node 0 one question over a connection of its own. */
async function ask(mesh: SimMesh, transport: Transport, [protocol, frames]: StoreQuestion): Promise<Heard> {
  const { complete, time } = mesh
  const { clock } = time.scheduler
  const node = mesh.node(ASKED)
  const connection = await complete(transport.connect(node.id, { addresses: node.network.addresses(), signal }))
  const stream = await complete(connection.open())
  const startedMs = clock.monotonicMs()
  const hearing = hear(stream, () => clock.monotonicMs() - startedMs)
  const opening: FrameInit = { case: 'open', value: { protocol, version: 1, wallTime: BigInt(clock.wallMs()) } }
  for (const frame of [opening, ...frames]) await complete(stream.write(encodeFrame(frame)).catch(() => undefined))
  await time.pass(PATIENCE_MS)
  await complete(stream.finish().catch(() => undefined))
  const heard = await complete(hearing)
  await complete(connection.close('asked'))
  await time.pass(PAUSE_MS)
  return { protocol, ...heard }
}

async function hear(stream: BiStream, sinceMs: () => number): Promise<Omit<Heard, 'protocol'>> {
  const decoder = createFrameDecoder()
  const frames: [number, unknown][] = []
  let count = 0
  let end: Heard['end'] = 'finished'
  try {
    for (let bytes = await stream.read(); bytes !== undefined; bytes = await stream.read()) {
      count += bytes.length
      decoder.push(bytes)
      for (let next = decoder.next(); next.ok && next.value !== undefined; next = decoder.next()) {
        frames.push([sinceMs(), withoutTime(next.value)])
      }
    }
  } catch {
    end = 'reset'
  }
  return { frames, bytes: count, end, endedMs: sinceMs() }
}

function withoutTime(frame: Frame): unknown {
  return frame.case === 'accepted' ? { case: frame.case, version: frame.value.version } : frame
}

/** Everything that a peer learns of a store by asking for it. */
async function askAll(mesh: SimMesh, transport: Transport, storeId: StoreId): Promise<readonly Heard[]> {
  const heard: Heard[] = []
  for (const question of storeQuestions(storeId, gossipTopic(crypto, storeId, []))) {
    heard.push(await ask(mesh, transport, question))
  }
  return heard
}

interface Stores {
  readonly mesh: SimMesh
  /** The key of node 2, which was in all of them. */
  readonly member: KeyPair
  /** Not in use any more, each in its way, with or without its files. */
  readonly over: Readonly<Record<string, StoreId>>
  readonly active: StoreId
  /** A root whose end not all have acknowledged. */
  readonly ending: StoreId
  readonly tokens: ReadonlyMap<StoreId, string>
}

/** Node 0 is asked; node 1 shares all that is here with it; node 2 was in, and is away; node 3 is nobody yet. */
async function createStores(): Promise<Stores> {
  let member: KeyPair | undefined
  const mesh = await createSimMesh({
    seed: 'unknown',
    nodes: 4,
    latencyMs: { min: 5, max: 5 },
    networkLimits: LIMITS,
    wrapTransport: (wrapped) => {
      if (wrapped.index === 2) member = wrapped.keyPair
      return wrapped.transport
    },
  })
  const create = async (name: string, parent?: StoreId): Promise<StoreId> => {
    const { id } = await mesh.complete(
      mesh.node(ASKED).createStore({ name, ...(parent === undefined ? {} : { parent }) }),
    )
    await put(mesh, ASKED, id, ['k', 'v'])
    return id
  }
  const [active, left, removed, ending] = [
    await create('active'),
    await create('left'),
    await create('removed'),
    await create('ending'),
  ]
  const roots = [active, left, removed, ending]
  for (const id of roots) for (const index of [1, 2]) await joinAsAdmin(mesh, index, id)
  const tokens = new Map<StoreId, string>()
  for (const id of roots) tokens.set(id, await mesh.invite(ASKED, id))
  const [archived, deleting] = [await create('archived', active), await create('deleting', active)]
  for (const id of [...roots, archived, deleting]) await mesh.converge(id, [0, 1, 2])
  await mesh.stop(2)
  for (const id of [archived, deleting]) await mesh.complete(mesh.store(ASKED, id).archive())
  await reach(mesh, deleting, 'archived', [0, 1])
  await mesh.complete(mesh.store(ASKED, deleting).destroy())
  for (const id of [left, removed]) await mesh.complete(mesh.store(ASKED, id).leave())
  await mesh.complete(mesh.store(ASKED, removed).deleteData({ confirmed: true }))
  await mesh.complete(mesh.store(ASKED, ending).destroy())
  for (const id of [ending, deleting]) await reach(mesh, id, 'destroyed', [0, 1])
  await mesh.time.pass(30_000)
  if (member === undefined) throw new Error('a node opens its transport')
  return { mesh, member, active, ending, tokens, over: { archived, left, removed, deleting } }
}

const absent = toStoreId(new Uint8Array(32).fill(0xab))
const codesOf = (heard: readonly Heard[]): readonly unknown[] =>
  heard.map(({ frames }) => frames.map(([, frame]) => frame))

let stores: Stores
beforeAll(async () => {
  stores = await createStores()
}, SETUP_MS)
afterAll(() => stores.mesh.close())

describe('a peer that asks for a store', () => {
  test('the stores are what the others are about', () => {
    const { mesh, over, active, ending } = stores
    const stateOf = (id: StoreId): unknown => {
      const { state, hasData, awaiting } = mesh.store(ASKED, id).summary()
      return [state, hasData, awaiting.length]
    }
    const { removed, ...kept } = over
    expect(
      mesh
        .node(ASKED)
        .stores()
        .map(({ id }) => id),
    ).not.toContainEqual(removed)
    expect(stateOf(active)).toEqual(['active', true, 0])
    expect(stateOf(ending)).toEqual(['destroyed', true, 1])
    expect(Object.fromEntries(Object.entries(kept).map(([name, id]) => [name, stateOf(id)]))).toEqual({
      archived: ['archived', true, 0],
      left: ['left', true, 0],
      deleting: ['destroyed', true, 1],
    })
  })

  test('and is in none of them learns the same of each as of one that does not exist: frames, bytes and time', async () => {
    const { mesh, over, active, ending } = stores
    const pair = crypto.keyPairFromSeed(toSeed(new Uint8Array(32).fill(0xee)))
    const transport = mesh.network.transport(pair.publicKey)
    const nothing = await askAll(mesh, transport, absent)
    expect(JSON.stringify(codesOf(nothing))).toContain('no such store')
    for (const [name, id] of Object.entries({ ...over, active, ending })) {
      expect({ name, heard: await askAll(mesh, transport, id) }).toEqual({ name, heard: nothing })
    }
    await mesh.complete(transport.close())
  })

  test('and was in all of them is told that there is no such store where it is over, and hears of an end under way', async () => {
    const { mesh, over, active, ending, member } = stores
    const transport = mesh.network.transport(member.publicKey)
    turnAway(transport).catch(() => undefined)
    const nothing = await askAll(mesh, transport, absent)
    for (const [name, id] of Object.entries(over)) {
      expect({ name, told: codesOf(await askAll(mesh, transport, id)) }).toEqual({ name, told: codesOf(nothing) })
    }
    for (const id of [active, ending]) {
      const [hello] = await askAll(mesh, transport, id)
      expect(hello?.frames[1]).toMatchObject([10, { case: 'hello' }])
    }
    await mesh.complete(transport.close())
  })

  test('and shows a good token for it is refused by name where it is not in use, also once the node started anew', async () => {
    const { mesh, over, ending, active, tokens } = stores
    for (let start = 0; start < 2; start += 1) {
      for (const id of [over['left'], over['removed'], ending]) {
        const token = id && tokens.get(id)
        expect(await codeOf(mesh, mesh.node(3).join(token ?? ''))).toBe('TOKEN_UNKNOWN')
      }
      if (start === 0) await mesh.restart(ASKED)
    }
    expect(await codeOf(mesh, mesh.node(3).join(tokens.get(active) ?? ''))).toBe('resolved')
  })
})

/** Whoever is dialled for being in takes no connection. */
async function turnAway(transport: Transport): Promise<void> {
  for await (const connection of transport.incoming) connection.close('not now').catch(() => undefined)
}
