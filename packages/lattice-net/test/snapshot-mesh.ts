/**
 * A mesh whose store was cut at an epoch, with a state to be fetched, and a node that has nothing.
 *
 * @module
 */
import { assert, createAbortController, idKey, type IntentionId } from '@lattice/model'
import type { SnapshotRow } from '@lattice/net-types'
import type { SnapshotOutcome, SnapshotState } from '../src/index.ts'
import { createMesh, type Mesh, type MeshNode } from './mesh.ts'
import { compareRows, rootOf } from './model-base.ts'
import { createModelWriter, type ModelWriter } from './model-writer.ts'

export interface SnapshotMesh {
  readonly mesh: Mesh
  readonly servers: readonly MeshNode[]
  readonly joiner: MeshNode
  readonly base: IntentionId
  readonly rows: readonly SnapshotRow[]
  readonly writer: () => ModelWriter
  readonly fetch: (options?: FetchOptions) => Promise<SnapshotOutcome>
  readonly progress: SnapshotState[]
}

export interface FetchOptions {
  readonly from?: readonly MeshNode[]
  readonly writer?: ModelWriter
  readonly signal?: ReturnType<typeof createAbortController>['signal']
}

export interface SnapshotMeshOptions {
  readonly rows?: number
  readonly seed?: string
  /** After those. */
  readonly more?: readonly SnapshotRow[]
}

export function rowsOf(count: number, size = 6000): SnapshotRow[] {
  const rows = Array.from({ length: count }, (_, index): SnapshotRow => {
    const key = Uint8Array.of(index >> 8, index & 0xff, index % 7)
    return { table: index % 10 === 0 ? 'system' : 'app', key, value: new Uint8Array(size).fill(index) }
  })
  return rows.sort(compareRows)
}

export async function createSnapshotMesh(
  servers: number,
  { rows: count = 200, seed = 'snapshot', more = [] }: SnapshotMeshOptions = {},
): Promise<SnapshotMesh> {
  const mesh = await createMesh({ nodes: servers, seed })
  mesh.connectAll()
  for (const { store } of mesh.nodes) for (let run = 0; run < 4; run += 1) store.write(12)
  await mesh.until('the servers hold the same', mesh.converged)
  const [first] = mesh.nodes
  assert(first !== undefined, 'there is a server')
  const [epoch] = first.store.write(1)
  assert(epoch !== undefined, 'an epoch is written')
  await mesh.until('the epoch is everywhere', mesh.converged)
  const rows = [...rowsOf(count), ...more]
  for (const { store } of mesh.nodes) {
    store.declare(new Map([[idKey(epoch.id), 3n]]))
    store.prune(epoch.id)
    store.setSnapshot({ epoch: epoch.id, rows })
  }
  const right = first.store.readFoundation(epoch.id, 0, Number.MAX_SAFE_INTEGER)?.items ?? []
  const serving = [...mesh.nodes]
  const joiner = mesh.addNode({ register: false, holdsGenesis: false })
  joiner.store.declare(new Map([[idKey(epoch.id), 3n]]))
  const writer = (): ModelWriter =>
    createModelWriter({ crypto: mesh.crypto, right, epoch: epoch.id, root: rootOf(mesh.crypto, rows) })
  const progress: SnapshotState[] = []
  return {
    mesh,
    servers: serving,
    joiner,
    base: epoch.id,
    rows,
    writer,
    progress,
    fetch: ({ from = serving, writer: into = writer(), signal = createAbortController().signal } = {}) =>
      mesh.settle(
        joiner.service.fetchSnapshot({
          storeId: mesh.storeId,
          peers: from.map(({ id }) => ({ peer: id, addresses: [] })),
          writer: into,
          onProgress: (state) => progress.push(state),
          signal,
        }),
      ),
  }
}
