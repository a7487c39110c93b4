/**
 * A mesh that is made once and copied for every run: joining takes longer than most of what a run does.
 *
 * @module
 */
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { kvStore } from '@lattice/kvstore'
import { logStore } from '@lattice/logstore'
import type { StoreId, StoreType } from '@lattice/model'
import type { NodeOptions } from '@lattice/node'
import { system } from '@lattice/proto'
import type { StateMachine } from '@lattice/store-base'
import { createSimMesh, type SimMesh } from '../sim-mesh.ts'
import { type ApplyWatch, createApplyWatch, WATCHED_TYPE } from './watched-machine.ts'

/** The stores that every node of a run is in from the start. */
export interface SharedStores {
  /** Keys and values, the root. */
  readonly team: StoreId
  /** What notices how it is driven, below it. */
  readonly watched: StoreId
}

export interface PreparedMesh {
  readonly directory: string
  /** The time by which it was made. */
  readonly wallMs: number
  readonly stores: SharedStores
  readonly remove: () => void
}

export function openersFor(watch: ApplyWatch): NodeOptions['openers'] {
  return new Map<StoreType, () => StateMachine>([
    [kvStore.storeType, () => kvStore as StateMachine],
    [logStore.storeType, () => logStore as StateMachine],
    [watch.open().storeType, watch.open],
  ])
}

/** The shared stores, made on node 0 and joined by the nodes up to `members`; node 1 is an admin as well. */
export async function shareStores(mesh: SimMesh, members: number): Promise<SharedStores> {
  const root = await mesh.complete(mesh.node(0).createStore({ name: 'team', storeType: 'core:kvstore' }))
  const child = { name: 'watched', storeType: WATCHED_TYPE, parent: root.id }
  const stores = { team: root.id, watched: (await mesh.complete(mesh.node(0).createStore(child))).id }
  for (let index = 1; index < members; index += 1) {
    const role = index === 1 ? system.Role.ADMIN : system.Role.WRITER
    const { token } = await mesh.complete(root.invite({ role }))
    await mesh.complete(mesh.node(index).join(token))
  }
  for (const id of Object.values(stores)) await mesh.converge(id)
  return stores
}

/** Virtual time for what follows a join by itself: acks, names, addresses. */
const SETTLING_MS = 30_000

/** Makes a mesh of so many nodes, and keeps their directories until it is removed. */
export async function prepareMesh(nodes: number): Promise<PreparedMesh> {
  const directory = mkdtempSync(join(tmpdir(), 'lattice-prepared-'))
  const remove = (): void => rmSync(directory, { recursive: true, force: true })
  try {
    const mesh = await createSimMesh({ seed: `prepared ${nodes}`, nodes, openers: openersFor(createApplyWatch()) })
    try {
      const stores = await shareStores(mesh, nodes)
      await mesh.time.pass(SETTLING_MS)
      for (let index = 0; index < nodes; index += 1) await mesh.stop(index)
      for (const peer of mesh.peers)
        cpSync(peer.dataDir(), join(directory, basename(peer.dataDir())), { recursive: true })
      return { directory, wallMs: mesh.time.scheduler.clock.wallMs(), stores, remove }
    } finally {
      await mesh.close()
    }
  } catch (error) {
    remove()
    throw error
  }
}
