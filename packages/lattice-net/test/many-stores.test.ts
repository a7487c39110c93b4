/** Two nodes that share more stores than one exchange of digests can name. */
import { createGenesis, equalBytes, parseStoreType, type StoreId, toStoreId } from '@lattice/model'
import type { ReplicatedStore } from '@lattice/net-types'
import { expect, test } from 'vitest'
import { DIGEST_STORES_TOLD } from '../src/limits.ts'
import { type Mesh, type MeshNode, openMesh } from './mesh.ts'
import { createModelStore, type ModelStore } from './model-store.ts'

/** Stores named before those that hold less. */
const FILLER_COUNT = 100

/** As many as an exchange names, of which each side holds the same. */
function fillers(mesh: Mesh): readonly ReplicatedStore[] {
  const model = mesh.node(0).store
  const digest = { ...model.digest(), witnessCount: FILLER_COUNT }
  return Array.from({ length: DIGEST_STORES_TOLD }, (_, index) => {
    const id = toStoreId(mesh.crypto.blake3(new Uint8Array([index & 255, index >> 8])))
    return { ...model, id, digest: () => digest }
  })
}

function addStore(mesh: Mesh, node: MeshNode, salt: number): ModelStore {
  const { crypto, scheduler } = mesh
  const type = parseStoreType('test:model')
  if (!type.ok) throw new Error('a good type')
  const nonce = new Uint8Array(16).fill(salt)
  const genesis = createGenesis(crypto, mesh.node(0).signer, {
    storeType: type.value,
    nonce,
    timestamp: { wall: 1, counter: 0 },
  })
  const storeId = toStoreId(genesis.id)
  const store = createModelStore({ crypto, signer: node.signer, clock: scheduler.clock, storeId, genesis })
  node.service.register(store)
  return store
}

test('more stores than an exchange names are all compared, in whatever order each side has them, and none is taken for unshared', async () => {
  const mesh = await openMesh({ nodes: 2, register: false })
  const [here, there] = [mesh.node(0), mesh.node(1)]
  const circle = { owner: mesh.storeId, peers: [here.id, there.id], stores: [] }
  for (const { service } of mesh.nodes) service.circles([circle])
  for (const store of fillers(mesh)) for (const { service } of mesh.nodes) service.register(store)
  // One that both name last, and one that each side names first and the other last.
  const pairs = [1, 2, 3].map((salt) => [addStore(mesh, here, salt), addStore(mesh, there, salt)] as const)
  pairs[0]?.[0].write(3)
  pairs[1]?.[0].write(2 * FILLER_COUNT)
  pairs[2]?.[1].write(2 * FILLER_COUNT)
  const isSame = ([a, b]: readonly [ModelStore, ModelStore]): boolean =>
    equalBytes(a.digest().fingerprint, b.digest().fingerprint)
  expect(pairs.map(isSame)).toEqual([false, false, false])
  const denied = new Set<StoreId>()
  const noteDenied = ({ service }: MeshNode, peer: MeshNode): void => {
    for (const [{ id }] of pairs) if (service.exchange(peer.id, id).lastFailure !== undefined) denied.add(id)
  }

  here.service.want(there.id, [])
  await mesh.until('all are in step', () => {
    noteDenied(here, there)
    noteDenied(there, here)
    return pairs.every(isSame)
  })
  expect([...denied]).toEqual([])
})
