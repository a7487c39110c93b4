/** What the mesh tests share: keys and values as text, and writes that are waited for. */
import { type Kv, openKv } from '@lattice/kvstore'
import { equalBytes, isLatticeError, type StoreId, toHex, utf8Decode } from '@lattice/model'
import { system } from '@lattice/proto'
import type { SimMesh } from '../src/index.ts'

export function kvOf(mesh: SimMesh, index: number, id: StoreId): Kv {
  return openKv(mesh.store(index, id))
}

export async function put(
  mesh: SimMesh,
  index: number,
  id: StoreId,
  [key, value]: readonly [string, string],
): Promise<void> {
  await mesh.complete(kvOf(mesh, index, id).put(key, value))
}

/** The winner as text; undefined when there is none. */
export async function get(mesh: SimMesh, index: number, id: StoreId, key: string): Promise<string | undefined> {
  const { value } = await kvOf(mesh, index, id).get(key)
  return value && utf8Decode(value)
}

/** The key of a node, as a person names it. */
export function keyOf(mesh: SimMesh, index: number): string {
  return toHex(mesh.node(index).id)
}

/** What a node says of a store; undefined for one that it does not know. */
export function stateOf(mesh: SimMesh, index: number, id: StoreId): string | undefined {
  return mesh
    .node(index)
    .stores()
    .find((store) => equalBytes(store.id, id))?.state
}

/** Node 0 makes a root and a store below it, which the others of `members` take part in as well; all have both. */
export async function shareFamily(
  mesh: SimMesh,
  members: readonly number[] = mesh.peers.map((_, index) => index),
): Promise<{ readonly root: StoreId; readonly notes: StoreId }> {
  const { id: root } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
  for (const index of members.filter((each) => each !== 0)) {
    await mesh.complete(mesh.node(index).join(await mesh.invite(0, root)))
  }
  await mesh.converge(root, members)
  const { id: notes } = await mesh.complete(mesh.node(0).createStore({ name: 'notes', parent: root }))
  await mesh.run(() => members.every((at) => stateOf(mesh, at, notes) === 'active'), 'all have both')
  return { root, notes }
}

/** True while a node is connected to no other peer of a store; one that was removed may knock all the same. */
export function isAlone(mesh: SimMesh, index: number, id: StoreId): boolean {
  return mesh
    .store(index, id)
    .peers()
    .every(({ self, connected, status }) => self || !connected || status === system.PeerStatus.REVOKED)
}

/** The code a promise is rejected with; `resolved` when it is not. */
export async function codeOf(mesh: SimMesh, promise: Promise<unknown>): Promise<string> {
  try {
    await mesh.complete(promise)
    return 'resolved'
  } catch (error) {
    return isLatticeError(error) ? error.code : `not a LatticeError: ${String(error)}`
  }
}
