/**
 * The mesh of a run, and the nodes in it as they come and go.
 *
 * @module
 */
import { fromHex, type IdKey, idKey, type PublicKey, type StoreId } from '@lattice/model'
import { openCrypto } from '@lattice/model/crypto'
import { createSeededRandom, type SeededRandom } from '@lattice/model/testing'
import type { StoreHandle } from '@lattice/node'
import { kernelOf } from '../replica-digest.ts'
import { createSimMesh, type SimMesh } from '../sim-mesh.ts'
import { createHostileTransport } from './hostile-transport.ts'
import { followNode } from './follow-node.ts'
import { openersFor, type PreparedMesh, type SharedStores, shareStores } from './prepared-mesh.ts'
import type { SimulationPlan } from './plan.ts'
import { countUp, createRunRecord, find, type RunRecord } from './run-record.ts'
import { type ApplyWatch, createApplyWatch } from './watched-machine.ts'
import { watchLines } from './watch-lines.ts'

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
  /** Every digest that a node's store has had. */
  readonly digests: Map<string, Set<string>>
  /** The tables that belong to a set, by store and set, and the nodes on which they were read. */
  readonly tables: Map<string, { tables: string; readonly nodes: Set<number> }>
}

export interface WorldOptions {
  readonly plan: SimulationPlan
  /** Absent for a run that makes its mesh itself. */
  readonly prepared: PreparedMesh | undefined
  readonly onLine?: ((line: string) => void) | undefined
}

/** Opens a run: everybody up, connected as they will, and nothing wrong yet. */
export async function openWorld({ plan, prepared, onLine }: WorldOptions): Promise<World> {
  const { seed, nodes, lateNodes } = plan
  const record = createRunRecord(plan, onLine)
  const watch = createApplyWatch()
  const random = createSeededRandom(`simulation ${seed}`)
  const keys = new Map<IdKey, number>()
  const publicKeys = new Map<number, PublicKey>()
  const mesh = await createRunMesh({ plan, prepared, record, random, watch }, (index, key) => {
    keys.set(idKey(key), index)
    publicKeys.set(index, key)
  })
  record.clock = mesh.time.scheduler.clock
  const late = Array.from({ length: lateNodes }, (_, index) => nodes + 1 + index)
  const members = Array.from({ length: nodes }, (_, index) => index)
  const hostile = plan.hostile.length > 0 ? nodes : undefined
  const parts = {
    plan,
    record,
    mesh,
    random,
    watch,
    honest: [...members, ...late],
    late,
    hostile,
    indexOf: (key: PublicKey) => keys.get(idKey(key)),
    keyOf: (index: number) => publicKeys.get(index),
    digests: new Map<string, Set<string>>(),
    tables: new Map<string, { tables: string; readonly nodes: Set<number> }>(),
  }
  record.onMisbehaviour = (index, fields) => {
    const key = typeof fields?.['peer'] === 'string' ? fromHex(fields['peer']) : undefined
    const peer = key === undefined ? undefined : keys.get(idKey(key))
    if (peer === hostile && peer !== undefined) return
    const why = `node-${index} scored node-${peer ?? '?'} for ${String(fields?.['code'])}: ${String(fields?.['message'])}`
    find(record, 'honest_peers_trust_each_other', why)
  }
  try {
    const up = hostile === undefined ? members : [...members, hostile]
    for (const index of up) await mesh.complete(startNode(parts, index))
    const stores = prepared?.stores ?? (await shareStores(mesh, up.length))
    return { ...parts, stores }
  } catch (error) {
    await mesh.close()
    throw error
  }
}

type WithoutStores = Omit<World, 'stores'>

/** Starts a node that is down and listens to it. Resolves once it is up, or has crashed on the way. */
export async function startNode(world: WithoutStores, index: number): Promise<void> {
  const { mesh, record } = world
  const { generation } = mesh.life(index)
  record.busy.add(index)
  try {
    const node = await mesh.begin(index)
    if (node !== undefined) followNode(world, index, node)
  } finally {
    // After a crash another start may be under way.
    if (mesh.life(index).generation === generation) record.busy.delete(index)
  }
}

interface MeshParts {
  readonly plan: SimulationPlan
  readonly prepared: PreparedMesh | undefined
  readonly record: RunRecord
  readonly random: SeededRandom
  readonly watch: ApplyWatch
}

async function createRunMesh(
  { plan, prepared, record, random, watch }: MeshParts,
  onKey: (index: number, key: PublicKey) => void,
): Promise<SimMesh> {
  const crypto = await openCrypto({ backend: 'wasm' })
  const habits = plan.hostile
  return createSimMesh({
    seed: `mesh ${plan.seed}`,
    nodes: plan.nodes + 1 + plan.lateNodes,
    startNodes: 0,
    ...(prepared && { from: prepared }),
    openers: openersFor(watch),
    logger: (name) => watchLines(record, name),
    onEvent: record.journal.networkEvent,
    onCrash: (index) => {
      record.journal.note(`node-${index} crashes`)
      record.busy.delete(index)
      for (const [token, { node }] of record.underWay) if (node === index) record.underWay.delete(token)
    },
    disk: (index, point) => {
      if (!record.fullDisks.has(index) || (point !== 'write' && point !== 'commit')) return
      throw Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' })
    },
    wrapTransport: ({ index, transport, keyPair }) => {
      onKey(index, keyPair.publicKey)
      if (index !== plan.nodes) return transport
      return createHostileTransport(transport, {
        habits,
        random: random.fork(`hostile ${record.clock?.monotonicMs() ?? 0}`),
        crypto,
        keyPair,
        isActive: () => record.isHostileActive,
        onDeed: (habit) => {
          countUp(record.deeds, habit)
          record.journal.note(`the hostile peer does this: ${habit}`)
        },
      })
    },
  })
}

/** The store on a node where it is in use; undefined while that is down, or has it not. */
export function storeIn({ mesh }: Pick<World, 'mesh'>, index: number, id: StoreId): StoreHandle | undefined {
  if (mesh.peers[index]?.isUp() !== true) return undefined
  return kernelOf(mesh.node(index), id) === undefined ? undefined : mesh.store(index, id)
}
