/**
 * Whole nodes on one simulated network in virtual time: real databases in temporary directories, everything else
 * repeatable from a seed.
 *
 * A crash is a copy of the node's directory as the system would find it: what was committed is there, what was not is
 * not, and the old instance can do nothing more.
 *
 * @module
 */
import { createHash } from 'node:crypto'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { kvStore } from '@lattice/kvstore'
import {
  idKey,
  type Logger,
  type PublicKey,
  type Scheduler,
  silentLogger,
  type StoreId,
  type StoreType,
  toHex,
} from '@lattice/model'
import { openCrypto } from '@lattice/model/crypto'
import { createSeededRandom, type SeededRandom } from '@lattice/model/testing'
import { createSimNetwork, type SimNetwork, type SimNetworkOptions } from '@lattice/net-sim'
import type { Transport } from '@lattice/net-types'
import { type Node, type NodeOptions, openNode, type StoreHandle } from '@lattice/node'
import { inlineFileCheck, type StorageHooks, type StoragePoint } from '@lattice/storage'
import type { StateMachine } from '@lattice/store-base'
import { createVirtualTime, type VirtualTime } from './virtual-time.ts'

export interface SimMeshOptions {
  readonly seed: number | string
  readonly nodes: number
  readonly latencyMs?: SimNetworkOptions['latencyMs']
  readonly loseOneIn?: number
  /** Whether peers are found by their keys alone; by default only where an address says, as without a relay. */
  readonly discovery?: boolean
  readonly openers?: NodeOptions['openers']
  readonly logger?: (name: string) => Logger
}

/** A node's place in a mesh; the node itself comes and goes. */
export interface SimPeer {
  readonly name: string
  /** Throws while it is down. */
  readonly node: () => Node
  readonly isUp: () => boolean
  readonly dataDir: () => string
}

export interface SimMesh extends AsyncDisposable {
  readonly time: VirtualTime
  readonly network: SimNetwork
  readonly random: SeededRandom
  readonly peers: readonly SimPeer[]
  /** The node at `index`. */
  readonly node: (index: number) => Node
  readonly run: VirtualTime['runUntil']
  readonly complete: VirtualTime['complete']
  readonly partition: (...groups: readonly (readonly number[])[]) => void
  readonly heal: () => void
  /** Ends the node as a power cut would; its directory stays as it is on disk. */
  readonly crash: (index: number) => void
  /** Crashes the node by itself at the `nth` storage point of the kind from now on; true once it has happened. */
  readonly crashAt: (index: number, point: StoragePoint, nth: number) => () => boolean
  /** Closes the node in good order. */
  readonly stop: (index: number) => Promise<void>
  /** Starts a node that is down. */
  readonly start: (index: number, changes?: Partial<NodeOptions>) => Promise<Node>
  readonly restart: (index: number) => Promise<Node>
  /** A new store on node 0, joined by all the others. */
  readonly share: (name?: string) => Promise<StoreId>
  readonly invite: (from: number, storeId: StoreId) => Promise<string>
  readonly store: (index: number, storeId: StoreId) => StoreHandle
  /** True when these nodes, by default all that are up, have the store in use with equal sets and equal tables. */
  readonly isConverged: (storeId: StoreId, indices?: readonly number[]) => boolean
  readonly converge: (storeId: StoreId, indices?: readonly number[]) => Promise<void>
  /** Stops everything and removes the directories. */
  readonly close: () => Promise<void>
}

const KV_OPENERS: NodeOptions['openers'] = new Map<StoreType, () => StateMachine>([
  [kvStore.storeType, () => kvStore as StateMachine],
])

interface Instance {
  readonly name: string
  dataDir: string
  generation: number
  node: Node | undefined
  publicKey: PublicKey | undefined
  /** False once it crashed: then its hooks and timers do nothing. */
  gate: { open: boolean }
  crashAt: { point: StoragePoint; left: number } | undefined
}

/** Starts a mesh of nodes that do not know each other. */
export async function createSimMesh(options: SimMeshOptions): Promise<SimMesh> {
  const crypto = await openCrypto({ backend: 'wasm' })
  const root = mkdtempSync(join(tmpdir(), 'lattice-mesh-'))
  const time = createVirtualTime()
  const { scheduler } = time
  const random = createSeededRandom(options.seed)
  const startsAt = new Map<string, number>()
  const network = createSimNetwork({
    random: random.fork('network'),
    scheduler,
    latencyMs: options.latencyMs ?? { min: 1, max: 20 },
    discovery: options.discovery ?? false,
    ...(options.loseOneIn === undefined ? {} : { loseOneIn: options.loseOneIn }),
  })
  const instances: Instance[] = Array.from({ length: options.nodes }, (_, index) => ({
    name: `node-${index}`,
    dataDir: join(root, `node-${index}`),
    generation: 0,
    node: undefined,
    publicKey: undefined,
    gate: { open: true },
    crashAt: undefined,
  }))

  function instanceAt(index: number): Instance {
    const instance = instances[index]
    if (instance === undefined) throw new Error(`the mesh has no node ${index}`)
    return instance
  }

  function nodeAt(index: number): Node {
    const { node, name } = instanceAt(index)
    if (node === undefined) throw new Error(`${name} is down`)
    return node
  }

  function crashInstance(instance: Instance): void {
    if (!instance.gate.open) return
    instance.gate.open = false
    instance.node = undefined
    const before = instance.dataDir
    instance.generation += 1
    instance.dataDir = join(root, `${instance.name}.${instance.generation}`)
    // Shared memory of a database does not survive its processes.
    cpSync(before, instance.dataDir, { recursive: true, filter: (path) => !path.endsWith('-shm') })
    if (instance.publicKey !== undefined) network.crash(instance.publicKey)
  }

  /** Crashes at the chosen point; after a crash, every write fails. */
  function hooksOf(instance: Instance, gate: Instance['gate']): StorageHooks {
    return {
      at: (point) => {
        if (!gate.open) throw new Error('this node has crashed')
        const plan = instance.crashAt
        if (plan === undefined || plan.point !== point) return
        plan.left -= 1
        if (plan.left > 0) return
        instance.crashAt = undefined
        crashInstance(instance)
        throw new Error('this node crashes here')
      },
    }
  }

  /** Two starts at one moment must not draw alike: the stores they make would be one. */
  function randomFor({ name, generation }: Instance): SeededRandom {
    const start = `${name}.${generation}.${scheduler.clock.monotonicMs()}`
    const before = startsAt.get(start) ?? 0
    startsAt.set(start, before + 1)
    return random.fork(before === 0 ? start : `${start}.${before}`)
  }

  async function start(index: number, changes: Partial<NodeOptions> = {}): Promise<Node> {
    const instance = instanceAt(index)
    if (instance.node !== undefined) throw new Error(`${instance.name} is up already`)
    const gate = { open: true }
    instance.gate = gate
    const gated: Scheduler = {
      after: (delayMs, task) => scheduler.after(delayMs, () => gate.open && task()),
      soon: (task) => scheduler.soon(() => gate.open && task()),
    }
    const node = await time.complete(
      openNode({
        dataDir: instance.dataDir,
        name: instance.name,
        openers: options.openers ?? KV_OPENERS,
        openTransport: ({ publicKey }): Transport => {
          instance.publicKey = publicKey
          return network.transport(publicKey)
        },
        clock: scheduler.clock,
        random: randomFor(instance),
        scheduler: gated,
        logger: options.logger?.(instance.name) ?? silentLogger,
        crypto,
        storageHooks: hooksOf(instance, gate),
        fileCheck: inlineFileCheck,
        ...changes,
      }),
    )
    instance.node = node
    return node
  }

  async function stop(index: number): Promise<void> {
    const node = nodeAt(index)
    instanceAt(index).node = undefined
    // Closing commits, too: what was to crash by now has not.
    instanceAt(index).crashAt = undefined
    await time.complete(node.close())
  }

  function store(index: number, storeId: StoreId): StoreHandle {
    return nodeAt(index).store(storeId)
  }

  function isConverged(storeId: StoreId, indices?: readonly number[]): boolean {
    const up = indices?.map(nodeAt) ?? instances.flatMap(({ node }) => node ?? [])
    // The set first: the tables are read in full, so only once the sets agree.
    return (
      allEqual(up.map((node) => setDigest(node, storeId))) && allEqual(up.map((node) => tablesDigest(node, storeId)))
    )
  }

  async function invite(from: number, storeId: StoreId): Promise<string> {
    return (await time.complete(store(from, storeId).invite({}))).token
  }

  const mesh: SimMesh = {
    time,
    network,
    random,
    peers: instances.map((instance, index) => ({
      name: instance.name,
      node: () => nodeAt(index),
      isUp: () => instance.node !== undefined,
      dataDir: () => instance.dataDir,
    })),
    node: nodeAt,
    run: time.runUntil,
    complete: time.complete,
    partition: (...groups) => network.partition(groups.map((group) => group.map((index) => keyOf(instanceAt(index))))),
    heal: network.heal,
    crash: (index) => crashInstance(instanceAt(index)),
    crashAt: (index, point, nth) => {
      const { gate } = instanceAt(index)
      instanceAt(index).crashAt = { point, left: nth }
      return () => !gate.open
    },
    stop,
    start,
    restart: async (index) => {
      if (instanceAt(index).node !== undefined) await stop(index)
      return start(index)
    },
    share: async (name = 'shared') => {
      const { id } = await time.complete(nodeAt(0).createStore({ name }))
      for (let index = 1; index < instances.length; index += 1) {
        await time.complete(nodeAt(index).join(await invite(0, id)))
      }
      return id
    },
    invite,
    store,
    isConverged,
    converge: (storeId, indices) => time.runUntil(() => isConverged(storeId, indices), 'the nodes have converged'),
    close: async () => {
      try {
        for (const [index, { node }] of instances.entries()) if (node !== undefined) await stop(index)
      } finally {
        rmSync(root, { recursive: true, force: true })
      }
    },
    [Symbol.asyncDispose]: () => mesh.close(),
  }
  try {
    for (let index = 0; index < options.nodes; index += 1) await start(index)
  } catch (error) {
    await mesh.close()
    throw error
  }
  return mesh
}

function keyOf(instance: Instance): PublicKey {
  if (instance.publicKey === undefined) throw new Error(`${instance.name} has not been up yet`)
  return instance.publicKey
}

function allEqual(digests: readonly (string | undefined)[]): boolean {
  const [first] = digests
  return first !== undefined && digests.every((digest) => digest === first)
}

/** The set that a node holds, all of it applied; undefined while the store is not in use. */
function setDigest(node: Node, storeId: StoreId): string | undefined {
  const key = idKey(storeId)
  const summary = node.stores().find((candidate) => idKey(candidate.id) === key)
  if (summary?.state !== 'active') return undefined
  const kernel = node.store(storeId).kernel()
  const { fingerprint, witnessCount } = kernel.digest()
  return kernel.projection().appliedSeq === witnessCount ? `${witnessCount} ${toHex(fingerprint)}` : undefined
}

/** Read at once, for conditions that are asked between two events; kept until something is applied. */
function tablesDigest(node: Node, storeId: StoreId): string {
  const kernel = node.store(storeId).kernel()
  const { appliedSeq } = kernel.projection()
  const known = tableDigests.get(kernel)
  if (known?.appliedSeq === appliedSeq) return known.digest
  const hash = createHash('sha256')
  const { system, app } = kernel.tables()
  for (const table of [system, app]) {
    for (const { key, value } of table.scan({})) hash.update(`${key.length} ${value.length} `).update(key).update(value)
    hash.update('end')
  }
  const digest = hash.digest('hex')
  tableDigests.set(kernel, { appliedSeq, digest })
  return digest
}

const tableDigests = new WeakMap<object, { readonly appliedSeq: number; readonly digest: string }>()
