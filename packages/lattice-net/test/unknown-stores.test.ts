import { createAbortController, createSigner, type StoreId, toHex, toSeed, toStoreId } from '@lattice/model'
import type { BiStream } from '@lattice/net-types'
import { net } from '@lattice/proto'
import { afterEach, describe, expect, test } from 'vitest'
import { encodeFrame, type FrameInit } from '../src/frame.ts'
import { gossipTopic } from '../src/gossip/gossip-topic.ts'
import { createMesh, type Mesh } from './mesh.ts'

const open: Mesh[] = []
afterEach(async () => {
  for (const mesh of open.splice(0)) await mesh.close()
})

const WALL = 1_795_000_000_000n
const id = new Uint8Array(32).fill(5)
const sum = new Uint8Array(32).fill(6)

/** What a stranger can ask of a store, by protocol: everything that names one, also what breaks the protocol. */
function questions(storeId: Uint8Array, topic: Uint8Array): readonly (readonly [net.Protocol, readonly FrameInit[]])[] {
  const tip = { author: id, position: 3n, id }
  const hello = { storeId, witnessCount: 4n, fingerprint: sum }
  const junk = { intention: new Uint8Array(30), signature: new Uint8Array(64) }
  const joins = [net.MembershipKind.JOIN, net.MembershipKind.NEIGHBOR_HIGH, net.MembershipKind.DISCONNECT]
  return [
    [net.Protocol.RECONCILE, [{ case: 'hello', value: hello }]],
    [net.Protocol.RECONCILE, [{ case: 'hello', value: { ...hello, tips: [tip] } }]],
    [net.Protocol.BOOTSTRAP, [{ case: 'witnessPageRequest', value: { storeId, fromSeq: 1n, limit: 9 } }]],
    [net.Protocol.BOOTSTRAP, [{ case: 'witnessPageRequest', value: { storeId, fromSeq: 0n, limit: 0 } }]],
    [net.Protocol.FETCH, [{ case: 'fetchIntentions', value: { storeId, ids: [id, storeId] } }]],
    [net.Protocol.FETCH, [{ case: 'fetchIntentions', value: { storeId, ids: [] } }]],
    [net.Protocol.FETCH, [{ case: 'fetchChain', value: { storeId, target: storeId, limit: 4 } }]],
    [net.Protocol.GOSSIP, [{ case: 'push', value: { topic, storeId, round: 1, intentions: [junk] } }]],
    [net.Protocol.GOSSIP, [{ case: 'push', value: { topic, storeId, round: 1, intentions: [] } }]],
    [net.Protocol.GOSSIP, [{ case: 'ihave', value: { topic, storeId, ids: [id], rounds: [1] } }]],
    [net.Protocol.GOSSIP, [{ case: 'graft', value: { topic, storeId, ids: [id] } }]],
    [net.Protocol.GOSSIP, [{ case: 'prune', value: { topic } }]],
    [net.Protocol.GOSSIP, joins.map((kind) => ({ case: 'membership', value: { topic, kind } }))],
    [net.Protocol.GOSSIP, joins.map((kind) => ({ case: 'membership', value: { topic, kind, peer: id, ttl: 2 } }))],
    [
      net.Protocol.GOSSIP,
      [{ case: 'heartbeat', value: { stores: [{ storeId, witnessCount: 7n, fingerprint: sum, bulk: true }] } }],
    ],
    [net.Protocol.DIGEST, [{ case: 'digests', value: { nonce: new Uint8Array(16), stores: [], addresses: [] } }]],
    [net.Protocol.JOIN, [{ case: 'joinRequest', value: { storeId, secret: sum, name: 'n', addresses: [] } }]],
    [net.Protocol.PING, []],
  ]
}

/** Everything a stranger learns: what came back and how long it took, and what it is scored for. */
async function ask(prepare: Prepare, which: (mesh: Mesh) => StoreId): Promise<readonly unknown[]> {
  // Shut out for hardly any time, so that a question that breaks the protocol does not hide the next.
  const limits = { muteMs: 1, muteMaxMs: 1 }
  const mesh = await createMesh({ nodes: 1, seed: 'unknown', limits, network: { latencyMs: { min: 5, max: 5 } } })
  open.push(mesh)
  await prepare(mesh)
  const storeId = which(mesh)
  const pair = mesh.crypto.keyPairFromSeed(toSeed(new Uint8Array(32).fill(0xee)))
  const { signal } = createAbortController()
  const transport = mesh.network.transport(createSigner(mesh.crypto, pair).publicKey)
  const learned: unknown[] = []
  for (const [protocol, frames] of questions(storeId, gossipTopic(mesh.crypto, storeId, []))) {
    const connection = await mesh.settle(transport.connect(mesh.node(0).id, { addresses: [], signal }))
    const stream = await mesh.settle(connection.open())
    const startedMs = mesh.scheduler.clock.monotonicMs()
    const said = readAll(stream)
    for (const frame of [{ case: 'open', value: { protocol, version: 1, wallTime: WALL } } as const, ...frames]) {
      await mesh.settle(stream.write(encodeFrame(frame)).catch(() => undefined))
    }
    await mesh.advance(500)
    await mesh.settle(stream.finish().catch(() => undefined))
    learned.push([protocol, await mesh.settle(said), mesh.scheduler.clock.monotonicMs() - startedMs])
    await mesh.settle(connection.close('asked'))
    await mesh.advance(1_000)
  }
  for (const event of mesh.node(0).events) {
    if ('kind' in event && event.kind === 'misbehaviour') learned.push(event.code, event.message)
  }
  return learned
}

/** What came until the end, and which end. The network cuts it anywhere. */
async function readAll(stream: BiStream): Promise<string> {
  let hex = ''
  try {
    for (let bytes = await stream.read(); bytes !== undefined; bytes = await stream.read()) hex += toHex(bytes)
    return `${hex} end`
  } catch {
    return `${hex} reset`
  }
}

type Prepare = (mesh: Mesh) => Promise<unknown>
const another = toStoreId(new Uint8Array(32).fill(0xab))

describe('a stranger that asks for a store it may not use', () => {
  test.each<[string, Prepare]>([
    [
      'that is here, with a log, and not shared with it',
      async (mesh) => {
        mesh.node(0).store.setAccess(() => 'none')
        mesh.node(0).store.write(20)
      },
    ],
    [
      'that this node has left, archived or is deleting, while its files are here',
      async (mesh) => {
        mesh.node(0).store.write(20)
        await mesh.settle(mesh.node(0).service.unregister(mesh.storeId))
      },
    ],
    [
      'that another peer is talking about',
      async (mesh) => {
        const friend = mesh.addNode()
        mesh.node(0).store.setAccess((peer) => (toHex(peer) === toHex(friend.id) ? 'full' : 'none'))
        friend.service.want(mesh.node(0).id, [])
        friend.store.write(20)
        await mesh.advance(20_000)
      },
    ],
  ])('learns the same as of one that does not exist, byte for byte: one %s', async (_, prepare) => {
    const known = await ask(prepare, (mesh) => mesh.storeId)
    expect(known.length).toBeGreaterThanOrEqual(questions(another, another).length)
    expect(known).toEqual(await ask(prepare, () => another))
  })

  test('and would learn something of one that it may use', async () => {
    const asItIs: Prepare = async () => undefined
    expect(await ask(asItIs, (mesh) => mesh.storeId)).not.toEqual(await ask(asItIs, () => another))
  })
})
