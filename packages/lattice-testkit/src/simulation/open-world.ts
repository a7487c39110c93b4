/**
 * The mesh of a run, and its nodes as they come and go.
 *
 * @module
 */
import { type Crypto, fromHex, type IdKey, idKey, type KeyPair, type PublicKey } from '@lattice/model'
import { createSeededRandom, type SeededRandom } from '@lattice/model/testing'
import { sharedCrypto } from '../shared-crypto.ts'
import { createSimMesh, type SimMesh } from '../sim-mesh.ts'
import { MAX_LATE_MS } from './corrupt-time.ts'
import { followNode } from './follow-node.ts'
import { createHostileTransport } from './hostile-transport.ts'
import { createCutWatch, type SeenBase } from './cut-watch.ts'
import { MAX_AHEAD_MS, type SimulationPlan } from './plan.ts'
import { openersFor, type PreparedMesh, shareStores } from './prepared-mesh.ts'
import { countUp, createRunRecord, find, type RunRecord } from './run-record.ts'
import { watchLines } from './watch-lines.ts'
import { type ApplyWatch, createApplyWatch, type PlantMachine } from './watched-machine.ts'
import type { SeenSet, World } from './world.ts'

export interface WorldOptions {
  readonly plan: SimulationPlan
  /** Absent for a run that makes its mesh itself. */
  readonly prepared: PreparedMesh | undefined
  readonly onLine?: ((line: string) => void) | undefined
  readonly plant?: PlantMachine | undefined
}

/** Opens a run: everybody up, connected as they will, and nothing wrong yet. */
export async function openWorld({ plan, prepared, onLine, plant }: WorldOptions): Promise<World> {
  const { seed, nodes, lateNodes } = plan
  const record = createRunRecord(plan, onLine)
  const watch = createApplyWatch({ plant })
  const random = createSeededRandom(`simulation ${seed}`)
  const keys = new Map<IdKey, number>()
  const keyPairs = new Map<number, KeyPair>()
  const crypto = await sharedCrypto()
  const mesh = await createRunMesh({ plan, prepared, record, random, watch, crypto }, (index, keyPair) => {
    keys.set(idKey(keyPair.publicKey), index)
    keyPairs.set(index, keyPair)
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
    keyOf: (index: number) => keyPairs.get(index)?.publicKey,
    hostileKeys: () => keyPairs.get(nodes),
    crypto,
    digests: new Map<string, Set<string>>(),
    tables: new Map<string, SeenSet>(),
    bases: new Map<string, SeenBase>(),
    cuts: createCutWatch(),
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
  readonly crypto: Crypto
}

async function createRunMesh(
  { plan, prepared, record, random, watch, crypto }: MeshParts,
  onKey: (index: number, keyPair: KeyPair) => void,
): Promise<SimMesh> {
  const habits = plan.hostile
  return createSimMesh({
    seed: `mesh ${plan.seed}`,
    nodes: plan.nodes + 1 + plan.lateNodes,
    startNodes: 0,
    ...(prepared && { from: prepared }),
    openers: openersFor(watch),
    networkLimits: { activeView: plan.activeView },
    localDiscovery: plan.discovery,
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
      onKey(index, keyPair)
      if (index !== plan.nodes) return transport
      return createHostileTransport(transport, {
        habits,
        random: random.fork(`hostile ${record.clock?.monotonicMs() ?? 0}`),
        crypto,
        keyPair,
        lateMs: lateMsOf(plan),
        isActive: () => record.isHostileActive,
        onDeed: (habit) => {
          countUp(record.deeds, habit)
          record.journal.note(`the hostile peer does this: ${habit}`)
        },
      })
    },
  })
}

/**
 * A node whose clock is known to be wrong believes the only peer it sees, and then writes by its word: where that may be,
 * what the hostile peer says is no later than what a clock may be ahead.
 */
function lateMsOf({ faults }: SimulationPlan): number {
  return faults.includes('skew_far') ? MAX_AHEAD_MS : MAX_LATE_MS
}
