/**
 * What a run consists of: the mesh, who is who in it, and what happened so far.
 *
 * @module
 */
import type { Crypto, KeyPair, PublicKey, StoreId } from '@lattice/model'
import type { SeededRandom } from '@lattice/model/testing'
import type { StoreHandle } from '@lattice/node'
import { kernelOf } from '../replica-digest.ts'
import type { SimMesh } from '../sim-mesh.ts'
import type { SimulationPlan } from './plan.ts'
import type { SharedStores } from './prepared-mesh.ts'
import type { CutWatch, SeenBase } from './cut-watch.ts'
import type { RunRecord } from './run-record.ts'
import type { ApplyWatch } from './watched-machine.ts'

export interface SeenSet {
  tables: string
  view: string
  readonly nodes: Set<number>
}

export interface World {
  readonly plan: SimulationPlan
  readonly record: RunRecord
  readonly mesh: SimMesh
  readonly random: SeededRandom
  readonly stores: SharedStores
  readonly watch: ApplyWatch
  /** Indices of the nodes that keep to the rules, late ones included. */
  readonly honest: readonly number[]
  readonly late: readonly number[]
  /** The index of the one that does not. */
  readonly hostile: number | undefined
  /** By public key, of every node that was ever up. */
  readonly indexOf: (key: PublicKey) => number | undefined
  readonly keyOf: (index: number) => PublicKey | undefined
  /** What the hostile peer signs with; undefined until it was up. */
  readonly hostileKeys: () => KeyPair | undefined
  readonly crypto: Crypto
  /** Every digest that a node's store has had. */
  readonly digests: Map<string, Set<string>>
  /** The tables and the view that belong to a set, by store and set, and the nodes on which they were read. */
  readonly tables: Map<string, SeenSet>
  /** Where each node's history of a store begins. */
  readonly bases: Map<string, SeenBase>
  readonly cuts: CutWatch
}

/** The store on a node where it is in use; undefined while that is down, or has it not. */
export function storeIn({ mesh }: Pick<World, 'mesh'>, index: number, id: StoreId): StoreHandle | undefined {
  if (mesh.peers[index]?.isUp() !== true) return undefined
  return kernelOf(mesh.node(index), id) === undefined ? undefined : mesh.store(index, id)
}
