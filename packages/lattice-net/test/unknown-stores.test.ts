import { createAbortController, createSigner, type StoreId, toHex, toSeed, toStoreId } from '@lattice/model'
import type { BiStream } from '@lattice/net-types'
import { describe, expect, test } from 'vitest'
import { encodeFrame } from '../src/frame.ts'
import { gossipTopic } from '../src/gossip/gossip-topic.ts'
import { storeQuestions } from '../src/testing/store-questions.ts'
import { type Mesh, openMesh } from './mesh.ts'

const WALL = 1_795_000_000_000n

/** Everything a stranger learns: what came back and how long it took, and what it is scored for. */
async function ask(prepare: Prepare, which: (mesh: Mesh) => StoreId): Promise<readonly unknown[]> {
  // Shut out for hardly any time, so that a question that breaks the protocol does not hide the next.
  const limits = { muteMs: 1, muteMaxMs: 1 }
  const mesh = await openMesh({ nodes: 1, seed: 'unknown', limits, network: { latencyMs: { min: 5, max: 5 } } })
  await prepare(mesh)
  const storeId = which(mesh)
  const pair = mesh.crypto.keyPairFromSeed(toSeed(new Uint8Array(32).fill(0xee)))
  const { signal } = createAbortController()
  const transport = mesh.network.transport(createSigner(mesh.crypto, pair).publicKey)
  const learned: unknown[] = []
  for (const [protocol, frames] of storeQuestions(storeId, gossipTopic(mesh.crypto, storeId, []))) {
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
    expect(known.length).toBeGreaterThanOrEqual(storeQuestions(another, another).length)
    expect(known).toEqual(await ask(prepare, () => another))
  })

  test('and would learn something of one that it may use', async () => {
    const asItIs: Prepare = async () => undefined
    expect(await ask(asItIs, (mesh) => mesh.storeId)).not.toEqual(await ask(asItIs, () => another))
  })
})
