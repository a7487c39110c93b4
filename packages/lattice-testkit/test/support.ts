/** What the mesh tests share: keys and values as text, and writes that are waited for. */
import { type Kv, openKv } from '@lattice/kvstore'
import { isLatticeError, type StoreId, utf8Decode } from '@lattice/model'
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

/** The code a promise is rejected with; `resolved` when it is not. */
export async function codeOf(mesh: SimMesh, promise: Promise<unknown>): Promise<string> {
  try {
    await mesh.complete(promise)
    return 'resolved'
  } catch (error) {
    return isLatticeError(error) ? error.code : `not a LatticeError: ${String(error)}`
  }
}
