/** Where chains end below an epoch: the same for all who have what lies below it, and signed by those who acknowledge it. */
import { create } from '@bufbuild/protobuf'
import { type Hlc, type ParsedIntention, toHex, toIntentionId, toPublicKey } from '@lattice/model'
import { weaver } from '@lattice/proto'
import { afterEach, describe, expect, test } from 'vitest'
import { type ChainEnd, type EndingLane, endingLanes, hashChainEnds } from '../src/chain-ends.ts'
import type { Kernel } from '../src/index.ts'
import { createMesh, kindsOf, openThree } from './epoch-nodes.ts'
import { until } from './foundation-scene.ts'
import { crypto, removeDirectories, write } from './harness.ts'
import { modelChainEnds } from './model-chain-ends.ts'
import { appOp } from './tracking-projector.ts'

afterEach(removeDirectories)

const end = (byte: number, change: Partial<ChainEnd> = {}): ChainEnd => ({
  author: toPublicKey(new Uint8Array(32).fill(byte)),
  id: toIntentionId(new Uint8Array(32).fill(byte + 16)),
  position: byte,
  generation: byte + 1,
  timestamp: { wall: 1_700_000_000_000 + byte, counter: byte },
  ...change,
})

describe('the hash of chain ends', () => {
  test('is that of the vector, in whatever order they come', () => {
    const ends = [end(1), end(2), end(2, { id: toIntentionId(new Uint8Array(32).fill(1)), position: 7 })]
    const hash = '6356f63636963b3f9e6b2271c15f5daf933ab06e829b1a878bf6f7682cf53999'
    expect(toHex(hashChainEnds(crypto, ends))).toBe(hash)
    expect(toHex(hashChainEnds(crypto, ends.toReversed()))).toBe(hash)
  })

  test('follows all that is said of an end', () => {
    const { id, author } = end(9)
    const later: Hlc = { ...end(1).timestamp, counter: 2 }
    const changes: readonly Partial<ChainEnd>[] = [
      {},
      { id },
      { author },
      { position: 2 },
      { generation: 3 },
      { timestamp: later },
    ]
    const hashes = changes.map((change) => toHex(hashChainEnds(crypto, [end(1, change), end(2)])))
    expect(new Set(hashes).size).toBe(changes.length)
  })
})

test('a chain ends with its lanes, but where one of them goes on', () => {
  const genesis: EndingLane = { author: 0, parent: undefined, last: 0 }
  const lanes = (...list: readonly { author: number; parent: readonly [number, number]; last: number }[]) =>
    endingLanes(
      new Map<number, EndingLane>([
        [0, genesis],
        ...list.map(
          ({ author, parent: [lane, position], last }, index) =>
            [index + 1, { author, parent: { lane, position }, last }] as const,
        ),
      ]),
    )
  // Other authors begin at the genesis, which is the end of its author's chain all the same.
  expect(lanes({ author: 1, parent: [0, 0], last: 4 })).toEqual([0, 1])
  expect(lanes({ author: 0, parent: [0, 0], last: 4 })).toEqual([1])
  const first = { author: 1, parent: [0, 0], last: 4 } as const
  expect(lanes(first, { author: 1, parent: [1, 2], last: 3 })).toEqual([0, 1, 2])
  expect(lanes(first, { author: 1, parent: [1, 4], last: 6 })).toEqual([0, 2])
})

describe('whoever acknowledges an epoch', () => {
  test('signs where chains end, whichever branch of one came first', async () => {
    const mesh = createMesh()
    const [a, b, c] = await openThree(mesh, { snapshots: true })
    // Another writes as the third.
    await mesh.run(c.kernel.close())
    const nodes = [a, b]
    const { signer: forker } = c
    await mesh.run(b.kernel.ingest(all(a.kernel), undefined))
    const [initial] = kindsOf(a.kernel, 'epoch')
    if (initial === undefined) expect.unreachable()
    const wall = (a.kernel.stats().hlc.wall ?? 0) + 1
    const first = write(forker, {
      prev: a.kernel.storeId,
      deps: [initial.id],
      at: { wall, counter: 0 },
      op: appOp('set a 1'),
    })
    const branches = [1, 2, 3].map((n) =>
      write(forker, { prev: first.id, deps: [first.id], at: { wall, counter: n }, op: appOp(`set b${n} 1`) }),
    )
    for (const [index, { kernel }] of nodes.entries()) {
      const order = index === 0 ? branches : branches.toReversed()
      for (const one of [first, ...order]) await mesh.run(kernel.ingest([one], undefined))
    }
    await mesh.connect(nodes)
    const epoch = await mesh.run(a.kernel.submitEpoch({ kind: 'prune' }))
    const signed = (kernel: Kernel) => kernel.epoch(epoch)?.roots ?? []
    await until(mesh, () => nodes.every(({ kernel }) => signed(kernel).length === 2))
    const made = all(a.kernel).find(({ id }) => toHex(id) === toHex(epoch))
    if (made === undefined) expect.unreachable()
    const ends = toHex(modelChainEnds(all(a.kernel), made))
    for (const { kernel } of nodes)
      expect(signed(kernel).map(({ chainEnds }) => toHex(chainEnds))).toEqual([ends, ends])
    for (const { kernel } of nodes) await mesh.run(kernel.close())
  })

  test('says it again with that where it has said the state alone', async () => {
    const mesh = createMesh()
    const nodes = await openThree(mesh, { snapshots: true })
    const [a, b] = nodes
    const [initial] = kindsOf(a.kernel, 'epoch')
    if (initial === undefined) expect.unreachable()
    const value = create(weaver.EpochAckOpSchema, { epoch: initial.id, stateRoot: new Uint8Array(32) })
    const said = write(b.signer, {
      prev: toIntentionId(a.kernel.storeId.slice()),
      deps: [initial.id],
      at: { wall: (a.kernel.stats().hlc.wall ?? 0) + 1, counter: 0 },
      op: { kind: 'epochAck', schema: 0, value },
    })
    await mesh.run(b.kernel.ingest([...all(a.kernel), said], undefined))
    await mesh.connect(nodes)
    // What it said before settles the epoch, and vouches for no state.
    expect(a.kernel.epoch(initial.id)).toMatchObject({ roots: [], acked: [b.signer.publicKey] })
    await until(mesh, () => nodes.every(({ kernel }) => kernel.epoch(initial.id)?.isFinal === true))
    expect(a.kernel.epoch(initial.id)?.roots).toHaveLength(3)
    for (const { kernel } of nodes) await mesh.run(kernel.close())
  })
})

function all(kernel: Kernel): readonly ParsedIntention[] {
  return kernel.scanWitness(1, 4096).map(({ parsed }) => parsed)
}
