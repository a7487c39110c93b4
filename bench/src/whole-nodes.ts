/**
 * Whole nodes in virtual time, for the rows that tell how soon many of them come to something.
 *
 * @module
 */
import { existsSync } from 'node:fs'
import type { StoreId } from '@lattice/model'
import type { SimMesh } from '@lattice/testkit'
import type { RowContext } from './row.ts'

export const LATENCY_MS: { readonly min: number; readonly max: number } = { min: 10, max: 50 }
/** Until names, addresses and acks of joining are everywhere, and the tree has formed. */
export const SETTLE_MS = 90_000

/** Thousands of commits of fifty nodes: nothing about the disk shows in virtual time, so one in memory serves as well. */
export function inMemory(context: RowContext): string {
  const disk = '/dev/shm'
  return existsSync(disk) ? disk : context.folder()
}

/**
 * A store that all nodes are in, with all of them up. They join one after the other while the rest is down: what a join
 * takes is not measured here, and beside a whole mesh it takes time in proportion to that.
 */
export async function shareInTurn(mesh: SimMesh): Promise<StoreId> {
  const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
  for (let index = 1; index < mesh.peers.length; index += 1) {
    const node = await mesh.start(index)
    await mesh.complete(node.join(await mesh.invite(0, id)))
    await mesh.stop(index)
  }
  for (const [index, peer] of mesh.peers.entries()) if (!peer.isUp()) await mesh.start(index)
  return id
}
