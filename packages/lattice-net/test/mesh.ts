/**
 * Several services over the simulated network, in virtual time.
 *
 * @module
 */
import {
  assert,
  createAbortController,
  createGenesis,
  createSigner,
  type Crypto,
  type Lagged,
  type Logger,
  parseStoreType,
  type ParsedIntention,
  type PublicKey,
  type Signer,
  silentLogger,
  type StoreId,
  toHex,
  toSeed,
  toStoreId,
} from '@lattice/model'
import { openCrypto } from '@lattice/model/crypto'
import { createManualScheduler, createSeededRandom, type ManualScheduler } from '@lattice/model/testing'
import { createSimNetwork, type SimNetwork, type SimNetworkOptions } from '@lattice/net-sim'
import { onTestFinished } from 'vitest'
import {
  createNetworkService,
  type GossipFactory,
  type JoinHandler,
  type NetworkEvent,
  type NetworkLimits,
  type NetworkService,
  type NetworkServiceOptions,
} from '../src/index.ts'
import { createModelStore, type ModelStore } from './model-store.ts'

export interface MeshNode {
  readonly signer: Signer
  readonly id: PublicKey
  readonly service: NetworkService
  readonly store: ModelStore
  readonly events: (NetworkEvent | Lagged)[]
}

export interface Mesh {
  readonly crypto: Crypto
  readonly scheduler: ManualScheduler
  readonly network: SimNetwork
  readonly storeId: StoreId
  readonly genesis: ParsedIntention
  readonly nodes: readonly MeshNode[]
  readonly node: (index: number) => MeshNode
  /** Moves virtual time on until `condition` holds; throws after `maxMs`. */
  readonly until: (what: string, condition: () => boolean, maxMs?: number) => Promise<void>
  /** Moves virtual time until the promise settles. */
  readonly settle: <T>(work: Promise<T>, maxMs?: number) => Promise<T>
  readonly advance: (ms: number) => Promise<void>
  /** Every node wants every other. */
  readonly connectAll: () => void
  readonly converged: () => boolean
  readonly addNode: (options?: NodeOptions) => MeshNode
  readonly close: () => Promise<void>
}

export interface NodeOptions {
  readonly register?: boolean
  readonly holdsGenesis?: boolean
  readonly joinHandler?: JoinHandler
  readonly limits?: Partial<NetworkLimits>
  readonly gossip?: GossipFactory
  /** What this node is given besides, or in place of what all share. */
  readonly service?: Partial<NetworkServiceOptions>
}

export interface MeshOptions extends NodeOptions {
  readonly nodes: number
  readonly seed?: string
  readonly network?: Partial<SimNetworkOptions>
  readonly logger?: Logger
}

const refuseAll: JoinHandler = { redeem: async () => ({ kind: 'refused', code: 'TOKEN_UNKNOWN' }) }

/** One that is closed as the test ends, whatever came of it. */
export async function openMesh(options: MeshOptions): Promise<Mesh> {
  const mesh = await createMesh(options)
  onTestFinished(() => mesh.close())
  return mesh
}

/** One that the caller closes. */
export async function createMesh(options: MeshOptions): Promise<Mesh> {
  const crypto = await openCrypto({ backend: 'wasm' })
  const random = createSeededRandom(options.seed ?? 'mesh')
  const scheduler = createManualScheduler()
  const network = createSimNetwork({
    random: random.fork('network'),
    scheduler,
    latencyMs: { min: 2, max: 20 },
    ...options.network,
  })
  const signerOf = (index: number): Signer => {
    const seed = toSeed(crypto.blake3(new Uint8Array([index, 7])))
    return createSigner(crypto, crypto.keyPairFromSeed(seed))
  }
  const storeType = parseStoreType('test:model')
  assert(storeType.ok, 'a good type')
  const genesis = createGenesis(crypto, signerOf(0), {
    storeType: storeType.value,
    nonce: random.bytes(16),
    timestamp: { wall: scheduler.clock.wallMs(), counter: 0 },
  })
  const storeId = toStoreId(genesis.id)
  const nodes: MeshNode[] = []
  const controller = createAbortController()

  function addNode(own: NodeOptions = {}): MeshNode {
    const { register = true, holdsGenesis = true, joinHandler = refuseAll, limits, gossip } = { ...options, ...own }
    const index = nodes.length
    const signer = signerOf(index)
    const { clock } = scheduler
    const store = createModelStore({ crypto, signer, clock, storeId, ...(holdsGenesis ? { genesis } : {}) })
    const service = createNetworkService({
      transport: network.transport(signer.publicKey),
      crypto,
      clock,
      scheduler,
      random: random.fork(`node ${index}`),
      logger: options.logger ?? silentLogger,
      joinHandler,
      ...(limits === undefined ? {} : { limits }),
      ...(gossip === undefined ? {} : { gossip }),
      ...own.service,
    })
    if (register) service.register(store)
    const events: (NetworkEvent | Lagged)[] = []
    const subscription = service.events(controller.signal)
    const follow = async (): Promise<void> => {
      for await (const event of subscription) events.push(event)
    }
    follow().catch(() => undefined)
    const node: MeshNode = { signer, id: signer.publicKey, service, store, events }
    nodes.push(node)
    return node
  }
  async function step(deadline: number): Promise<boolean> {
    await scheduler.advanceAsync(0)
    const delayMs = scheduler.nextDelayMs()
    if (delayMs === undefined || scheduler.clock.monotonicMs() + delayMs > deadline) return false
    await scheduler.advanceAsync(delayMs)
    return true
  }
  for (let index = 0; index < options.nodes; index += 1) addNode()

  const mesh: Mesh = {
    crypto,
    scheduler,
    network,
    storeId,
    genesis,
    nodes,
    node: (index) => {
      const node = nodes[index]
      assert(node !== undefined, 'the node exists')
      return node
    },
    until: async (what, condition, maxMs = 120_000) => {
      const deadline = scheduler.clock.monotonicMs() + maxMs
      for (;;) {
        if (condition()) return
        if (!(await step(deadline)) && !condition()) throw new Error(`never came: ${what}`)
      }
    },
    settle: async (work, maxMs = 300_000) => {
      const deadline = scheduler.clock.monotonicMs() + maxMs
      let over = false
      const settled = work.finally(() => {
        over = true
      })
      settled.catch(() => undefined)
      await scheduler.advanceAsync(0)
      while (!over) if (!(await step(deadline)) && !over) throw new Error('waits for something that cannot happen')
      return settled
    },
    advance: (ms) => scheduler.advanceAsync(ms),
    connectAll: () => {
      for (const a of nodes) for (const b of nodes) if (a !== b) a.service.want(b.id, [])
    },
    converged: () => new Set(nodes.map(({ store }) => toHex(store.digest().fingerprint))).size === 1,
    addNode,
    close: async () => {
      controller.abort()
      await mesh.settle(Promise.all(nodes.map(({ service }) => service.close())))
    },
  }
  return mesh
}
