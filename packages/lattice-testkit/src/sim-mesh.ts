/**
 * Whole nodes on one simulated network in virtual time: real databases in temporary directories, everything else
 * repeatable from a seed.
 *
 * A crash is a copy of the node's directory as the system would find it: what was committed is there, what was not is
 * not, and the old instance can do nothing more.
 *
 * @module
 */
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { kvStore } from '@lattice/kvstore'
import { type KeyPair, type Logger, type PublicKey, silentLogger, type StoreId, type StoreType } from '@lattice/model'
import { createSeededRandom, type SeededRandom } from '@lattice/model/testing'
import { type Conditions, createSimNetwork, type SimEvent, type SimNetwork } from '@lattice/net-sim'
import type { Discovery, Transport } from '@lattice/net-types'
import { type Node, type NodeOptions, openNode, type StoreHandle } from '@lattice/node'
import { inlineFileCheck, inlineFileWork, type StoragePoint } from '@lattice/storage'
import type { StateMachine } from '@lattice/store-base'
import { allAgree, setDigest, tablesDigest } from './replica-digest.ts'
import {
  crashInstance,
  createGate,
  createInstance,
  type DiskHook,
  gatedLogger,
  gatedScheduler,
  hooksOf,
  type Instance,
  skewedClock,
} from './sim-instance.ts'
import { sharedCrypto } from './shared-crypto.ts'
import { createVirtualTime, type VirtualTime } from './virtual-time.ts'

export interface SimMeshOptions extends Partial<Conditions> {
  readonly seed: number | string
  readonly nodes: number
  /** How many of them are up at once; the others wait to be started. All by default. */
  readonly startNodes?: number
  /** Where the directories of this mesh are made: by default where the system has its temporary files. */
  readonly within?: string
  /** Data directories to begin with, `node-0` and so on, and the time by which they were made. They are copied. */
  readonly from?: { readonly directory: string; readonly wallMs: number }
  /** Whether peers are found by their keys alone; by default only where an address says, as without a relay. */
  readonly discovery?: boolean
  readonly openers?: NodeOptions['openers']
  readonly networkLimits?: NodeOptions['networkLimits']
  /** Whether nodes look for each other as on a local network. */
  readonly localDiscovery?: boolean
  readonly logger?: (name: string) => Logger
  /** Told of every event of the network. */
  readonly onEvent?: (event: SimEvent) => void
  readonly disk?: DiskHook
  /** Told of a crash, however it came about. */
  readonly onCrash?: (index: number) => void
  /** Takes the place of a node's transport: what passes through it may be made worse. */
  readonly wrapTransport?: (wrapped: WrappedTransport) => Transport
}

/** A node's place in a mesh; the node itself comes and goes. */
export interface SimPeer {
  readonly name: string
  /** Throws while it is down. */
  readonly node: () => Node
  readonly isUp: () => boolean
  readonly dataDir: () => string
}

export interface WrappedTransport {
  readonly index: number
  readonly transport: Transport
  readonly keyPair: KeyPair
}

export interface CrashChoice {
  readonly tear?: boolean
}

export interface CrashPlan extends CrashChoice {
  readonly nth: number
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
  /** Ends the node as a power cut would; torn, what the disk had not been made to keep is lost. */
  readonly crash: (index: number, options?: CrashChoice) => void
  /** Crashes the node by itself at the `nth` storage point of the kind from now on; true once it has happened. */
  readonly crashAt: (index: number, point: StoragePoint, crash: number | CrashPlan) => () => boolean
  /** Counts the crashes of a node: whatever was asked of an earlier life of it may never end. */
  readonly life: (index: number) => { readonly generation: number }
  /** The crash that was to come by itself does not. */
  readonly calm: (index: number) => void
  /** Puts the node's wall clock so far ahead of the mesh's, or behind. */
  readonly skew: (index: number, ms: number) => void
  /** Closes the node in good order. */
  readonly stop: (index: number) => Promise<void>
  /** Starts a node that is down, for somebody else to let time pass; nothing comes of it when it crashes meanwhile. */
  readonly begin: (index: number, changes?: Partial<NodeOptions>) => Promise<Node | undefined>
  /** Closes the node in good order, for somebody else to let time pass. */
  readonly end: (index: number) => Promise<void>
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

/** Virtual time that nodes which crashed get to close their files. */
const LAST_MOMENTS_MS = 20_000

/** Starts a mesh of nodes that do not know each other. */
export async function createSimMesh(options: SimMeshOptions): Promise<SimMesh> {
  const crypto = await sharedCrypto()
  const root = mkdtempSync(join(options.within ?? tmpdir(), 'lattice-mesh-'))
  const time = createVirtualTime(options.from === undefined ? {} : { wallMs: options.from.wallMs })
  const { scheduler } = time
  const random = createSeededRandom(options.seed)
  const startsAt = new Map<string, number>()
  const network = createSimNetwork({
    ...conditionsOf(options),
    random: random.fork('network'),
    scheduler,
    clock: scheduler.clock,
    discovery: options.discovery ?? false,
    ...(options.onEvent === undefined ? {} : { onEvent: options.onEvent }),
  })
  const instances = Array.from({ length: options.nodes }, (_, index) => createInstance(root, index))
  if (options.from !== undefined) cpSync(options.from.directory, root, { recursive: true })

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

  function crash(instance: Instance, tear: boolean): void {
    const { name, generation } = instance
    const losing = tear ? random.fork(`tear ${name}.${generation}`) : undefined
    if (!crashInstance(instance, { root, tear: losing })) return
    if (instance.publicKey !== undefined) network.crash(instance.publicKey)
    options.onCrash?.(instance.index)
  }

  /** Two starts at one moment must not draw alike: the stores they make would be one. */
  function randomFor({ name, generation }: Instance): SeededRandom {
    const start = `${name}.${generation}.${scheduler.clock.monotonicMs()}`
    const before = startsAt.get(start) ?? 0
    startsAt.set(start, before + 1)
    return random.fork(before === 0 ? start : `${start}.${before}`)
  }

  async function begin(index: number, changes: Partial<NodeOptions> = {}): Promise<Node | undefined> {
    const instance = instanceAt(index)
    if (instance.node !== undefined) throw new Error(`${instance.name} is up already`)
    const gate = createGate()
    instance.gate = gate
    const node = await openNode({
      dataDir: instance.dataDir,
      name: instance.name,
      openers: options.openers ?? KV_OPENERS,
      openTransport: (keyPair): Transport => {
        instance.publicKey = keyPair.publicKey
        const transport = network.transport(keyPair.publicKey)
        return options.wrapTransport?.({ index, transport, keyPair }) ?? transport
      },
      ...(options.localDiscovery === true && {
        openDiscovery: (keyPair: KeyPair): Discovery => {
          // It may have crashed since it opened its transport; its key is that of its next start.
          if (gate.state !== 'open') throw new Error('this node has crashed')
          return network.discoveryOf(keyPair.publicKey)
        },
      }),
      clock: skewedClock(scheduler.clock, instance),
      random: randomFor(instance),
      scheduler: gatedScheduler(scheduler, gate),
      logger: gatedLogger(options.logger?.(instance.name) ?? silentLogger, gate),
      crypto,
      storageHooks: hooksOf(instance, gate, { crash: (tear) => crash(instance, tear), disk: options.disk }),
      fileCheck: inlineFileCheck,
      fileWork: inlineFileWork,
      ...(options.networkLimits && { networkLimits: options.networkLimits }),
      ...changes,
    })
    if (gate.state !== 'open') {
      instance.dead.push({ node, gate })
      return undefined
    }
    instance.node = node
    return node
  }

  async function start(index: number, changes: Partial<NodeOptions> = {}): Promise<Node> {
    const node = await time.complete(begin(index, changes))
    if (node === undefined) throw new Error(`node-${index} crashed as it started`)
    return node
  }

  async function end(index: number): Promise<void> {
    const node = nodeAt(index)
    const instance = instanceAt(index)
    instance.node = undefined
    // Closing commits, too: what was to crash by now has not.
    instance.crashAt = undefined
    await node.close()
  }

  /** Lets go of what crashed nodes hold: their files are gone already, as far as anybody looks. */
  async function release(): Promise<void> {
    for (const { dead } of instances) {
      for (const { node, gate } of dead.splice(0)) {
        gate.state = 'released'
        // However broken it is: what it cannot close now goes with the process.
        await time.complete(node.close(), LAST_MOMENTS_MS).catch(() => undefined)
        for (const cancel of gate.timers) cancel()
      }
    }
  }

  function store(index: number, storeId: StoreId): StoreHandle {
    return nodeAt(index).store(storeId)
  }

  function isConverged(storeId: StoreId, indices?: readonly number[]): boolean {
    const up = indices?.map(nodeAt) ?? instances.flatMap(({ node }) => node ?? [])
    // The set first: the tables are read in full, so only once the sets agree.
    return allAgree(up, (node) => setDigest(node, storeId)) && allAgree(up, (node) => tablesDigest(node, storeId))
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
    crash: (index, { tear = false } = {}) => crash(instanceAt(index), tear),
    crashAt: (index, point, plan) => {
      const { gate } = instanceAt(index)
      const { nth, tear = false } = typeof plan === 'number' ? { nth: plan } : plan
      instanceAt(index).crashAt = { point, left: nth, tear }
      return () => gate.state !== 'open'
    },
    life: (index) => ({ generation: instanceAt(index).generation }),
    calm: (index) => {
      instanceAt(index).crashAt = undefined
    },
    skew: (index, ms) => {
      instanceAt(index).skewMs = ms
    },
    begin,
    end,
    stop: (index) => time.complete(end(index)),
    start,
    restart: async (index) => {
      if (instanceAt(index).node !== undefined) await mesh.stop(index)
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
        for (const [index, { node }] of instances.entries()) if (node !== undefined) await mesh.stop(index)
        await release()
      } finally {
        rmSync(root, { recursive: true, force: true })
      }
    },
    [Symbol.asyncDispose]: () => mesh.close(),
  }
  try {
    for (let index = 0; index < (options.startNodes ?? options.nodes); index += 1) await start(index)
  } catch (error) {
    await mesh.close()
    throw error
  }
  return mesh
}

function conditionsOf(options: SimMeshOptions): Conditions {
  const { spikes, resend, loseOneIn, replayOneIn, redialOneIn, bytesPerSecond } = options
  const latencyMs = options.latencyMs ?? { min: 1, max: 20 }
  return { latencyMs, spikes, resend, loseOneIn, replayOneIn, redialOneIn, bytesPerSecond }
}

function keyOf(instance: Instance): PublicKey {
  if (instance.publicKey === undefined) throw new Error(`${instance.name} has not been up yet`)
  return instance.publicKey
}
