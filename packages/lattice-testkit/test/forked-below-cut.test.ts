/** A member forks its chain below an epoch while the others cut history there, and one of them has cut without the fork. */
import { create } from '@bufbuild/protobuf'
import {
  createSigner,
  equalBytes,
  encodeUniversalOp,
  type KeyPair,
  NO_HINTS,
  type ParsedIntention,
  signIntention,
  type StoreId,
  toHex,
} from '@lattice/model'
import { openCrypto } from '@lattice/model/crypto'
import { system, weaver } from '@lattice/proto'
import { expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { get, isAlone, put } from './support.ts'

const crypto = await openCrypto()
const kernelOf = (mesh: SimMesh, index: number, id: StoreId) => mesh.store(index, id).kernel()
const allOf = (mesh: SimMesh, index: number, id: StoreId): readonly ParsedIntention[] =>
  kernelOf(mesh, index, id)
    .scanWitness(1, 4096)
    .map(({ parsed }) => parsed)

/** What acknowledges everything before, as its author's second write would, had it made no other. */
function forkOf(keys: KeyPair, all: readonly ParsedIntention[]): ParsedIntention {
  const own = all.filter(({ intention, op }) => equalBytes(intention.author, keys.publicKey) && op.kind === 'appData')
  const [first] = own
  if (first === undefined || own.length < 3) throw new Error('it has written three times')
  const { wall } = first.intention.timestamp
  const ops = encodeUniversalOp({ kind: 'ack', schema: 0, value: create(weaver.AckOpSchema) })
  return signIntention(crypto, createSigner(crypto, keys), {
    intention: {
      author: keys.publicKey,
      timestamp: { wall: wall + 1, counter: 0 },
      storePrev: first.id,
      causalDeps: [first.id],
      hints: NO_HINTS,
      ops,
    },
    close: true,
  })
}

test('who cut without it fetches the store from there once more, and goes on with the others', async () => {
  const keys = new Map<number, KeyPair>()
  const mesh = await createSimMesh({
    seed: 'forked below a cut',
    nodes: 5,
    discovery: true,
    wrapTransport: ({ index, transport, keyPair }) => (keys.set(index, keyPair), transport),
  })
  await using _ = mesh
  const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
  for (const index of [1, 2, 3, 4]) await mesh.complete(mesh.node(index).join(await mesh.invite(0, id)))
  for (let n = 0; n < 15; n += 1) await put(mesh, n % 5, id, [`k${n % 4}`, `of ${n}`])
  await mesh.converge(id)
  // Nobody waits for who has cut, nor for who lies.
  for (const name of ['node-2', 'node-4']) {
    await mesh.complete(mesh.store(0, id).setPeerStatus(name, system.PeerStatus.DORMANT))
  }
  await mesh.converge(id)
  await mesh.stop(4)
  mesh.partition([0], [1], [2], [3])
  await mesh.run(() => [0, 1, 2, 3].every((index) => isAlone(mesh, index, id)), 'each is alone')
  const before = allOf(mesh, 0, id)

  const epoch = await mesh.complete(kernelOf(mesh, 0, id).submitEpoch({ kind: 'prune' }))
  const isCut = (index: number): boolean =>
    equalBytes(kernelOf(mesh, index, id).base()?.epoch ?? id, epoch) &&
    kernelOf(mesh, index, id).pruning().state === 'idle'
  const give = async (to: number, what: readonly ParsedIntention[]): Promise<void> => {
    await mesh.complete(kernelOf(mesh, to, id).ingest(what, undefined))
  }
  const hasAcked = (index: number): boolean =>
    allOf(mesh, index, id).some(
      ({ op, intention }) => op.kind === 'epochAck' && equalBytes(intention.author, mesh.node(index).id),
    )
  for (const index of [1, 3]) await give(index, allOf(mesh, 0, id))
  await mesh.run(() => [1, 3].every(hasAcked), 'both have acknowledged it')
  for (const index of [1, 3]) await give(2, allOf(mesh, index, id))
  await mesh.run(() => isCut(2), 'who hears of both has cut')
  const liar = keys.get(4)
  if (liar === undefined) throw new Error('it has a key')
  const fork = forkOf(liar, before)
  for (const index of [0, 1, 3]) await give(index, [fork])

  mesh.partition([0, 1, 3], [2])
  await mesh.converge(id, [0, 1, 3])
  for (const index of [0, 1, 3]) await put(mesh, index, id, [`by ${index}`, 'upon the fork'])
  await mesh.run(() => [0, 1, 3].every(isCut), 'the others have cut as well')
  expect([0, 1, 2, 3].map((index) => kernelOf(mesh, index, id).has(fork.id))).toEqual([true, true, false, true])

  mesh.heal()
  await mesh.converge(id, [0, 1, 2, 3])
  expect(await get(mesh, 2, id, 'by 1')).toBe('upon the fork')
  const digests = await Promise.all([0, 2].map((index) => mesh.complete(kernelOf(mesh, index, id).stateDigest())))
  expect(new Set(digests.map(toHex)).size).toBe(1)
  expect([0, 1, 2, 3].every(isCut)).toBe(true)
  expect((await mesh.complete(kernelOf(mesh, 2, id).verify({ full: true }))).problems).toEqual([])
})
