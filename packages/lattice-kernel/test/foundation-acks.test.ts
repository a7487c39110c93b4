/** Who signs again and again keeps nobody from being shown a foundation. */
import { create } from '@bufbuild/protobuf'
import {
  type IntentionId,
  type KnownOp,
  parseSignedIntention,
  type SignedIntention,
  toHex,
  toIntentionId,
} from '@lattice/model'
import { weaver } from '@lattice/proto'
import { afterEach, expect, test } from 'vitest'
import { others } from './epoch-nodes.ts'
import { itemsOf, makeStore, openMade, openScene } from './foundation-scene.ts'
import { crypto, removeDirectories, write } from './harness.ts'

afterEach(removeDirectories)

const saying = (epoch: IntentionId, stateRoot: Uint8Array): KnownOp => ({
  kind: 'epochAck',
  schema: 0,
  value: create(weaver.EpochAckOpSchema, { epoch, stateRoot, chainEnds: new Uint8Array(32) }),
})

const rootOf = (signed: SignedIntention): string => {
  const parsed = parseSignedIntention(crypto, signed)
  if (!parsed.ok || parsed.value.op.kind !== 'epochAck') throw new Error('it is an ack')
  return `${toHex(parsed.value.intention.author)} ${toHex(parsed.value.op.value.stateRoot)}`
}

test('of each signer two acks are told, which differ, and who begins with them begins', async () => {
  const scene = await openScene()
  const { mesh, nodes, epoch } = scene
  const [a] = nodes
  const [, liar] = others
  if (liar === undefined) throw new Error('there are two')
  const before = itemsOf(a.kernel, epoch).filter(({ kind }) => kind === 'ack')
  expect(before).toHaveLength(3)
  // On a branch of its chain each, where the log keeps them all.
  const genesis = toIntentionId(a.kernel.storeId.slice())
  const wall = (a.kernel.stats().hlc.wall ?? 0) + 1
  const at = { wall, counter: 0 }
  const branch = (op: KnownOp) => write(liar, { prev: genesis, deps: [genesis, epoch], at, op })
  const roots = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2), new Uint8Array(5), new Uint8Array(32).fill(3)]
  const lies = roots.map((root) => branch(saying(epoch, root)))
  const outcomes = await mesh.run(a.kernel.ingest(lies, undefined))
  expect(outcomes.map(({ kind }) => kind)).toEqual(lies.map(() => 'witnessed'))
  const acks = itemsOf(a.kernel, epoch).flatMap((item) => (item.kind === 'ack' ? [item.ack] : []))
  const told = acks.map(rootOf)
  expect(new Set(told).size).toBe(4)
  expect(told).toHaveLength(4)
  expect(told.filter((text) => text.startsWith(toHex(liar.publicKey)))).toHaveLength(2)
  const made = await openMade(scene, await makeStore(scene))
  expect(made.kernel.base()?.epoch).toEqual(epoch)
  for (const { kernel } of [...nodes, made]) await mesh.run(kernel.close())
})
