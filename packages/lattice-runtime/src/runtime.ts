/**
 * Composes a node, its network and its API into one thing that is opened and
 * closed as a whole. Together with the apps, the only place that names concrete
 * adapters.
 *
 * What was opened before a failure is closed again, in reverse.
 *
 * @module
 */
import { join } from 'node:path'
import {
  type ApiServer,
  createHandlers,
  createInProcessBackend,
  type LatticeBackend,
  openApiServer,
} from '@lattice/api'
import { type Clock, type Logger, type Random, type Scheduler, silentLogger, type StoreType } from '@lattice/model'
import { openCrypto, type OpenedCrypto } from '@lattice/model/crypto'
import { type Node, openNode } from '@lattice/node'
import packageJson from '../package.json' with { type: 'json' }
import type { DiscoveryFactory } from './discoveries.ts'
import { SOCKET_NAME } from './data-dir-default.ts'
import { createHostNetwork } from './host-network.ts'
import type { Opener } from './openers.ts'
import { createSystemClock, createSystemRandom, createSystemScheduler } from './system-ports.ts'
import type { TransportFactory } from './transports.ts'
import { createVerifyPool, type VerifyPool } from './verify-pool.ts'

export interface RpcOptions {
  /** Path of the Unix socket; in the data directory unless named. */
  readonly socket?: string | undefined
}

export interface RuntimeOptions {
  readonly dataDir: string
  readonly name?: string
  readonly openers: ReadonlyMap<StoreType, Opener>
  /** Absent: the node is offline. */
  readonly transport?: TransportFactory
  /** Of no use without a transport, and then not opened. */
  readonly discovery?: DiscoveryFactory
  /** Absent: no API is served; the backend still works. */
  readonly rpc?: RpcOptions
  /** Reads every log through in the background, about once a day; on unless told otherwise. */
  readonly scrub?: boolean
  readonly logger?: Logger
  readonly clock?: Clock
  readonly random?: Random
  readonly scheduler?: Scheduler
}

export interface Runtime extends AsyncDisposable {
  readonly node: Node
  /** The API without a socket. */
  readonly backend: LatticeBackend
  /** Where the API is served; undefined without one. */
  readonly socket: string | undefined
  /** API first, node last. Idempotent. */
  readonly close: () => Promise<void>
}

/** Damage is found within a day, at a cost that nobody notices. */
const SCRUB_PASS_MS = 86_400_000

/** Opens everything. Rejects with the LatticeError of the part that could not be opened. */
export async function openRuntime(options: RuntimeOptions): Promise<Runtime> {
  const { logger = silentLogger } = options
  const crypto = await openCrypto()
  const verifier = createVerifyPool({
    crypto,
    onFault: (error) => logger.warn('verifier.thread_lost', { error, consequence: 'signatures are verified in place' }),
  })
  try {
    return await openOver(options, { crypto, verifier, logger })
  } catch (error) {
    await verifier.close()
    throw error
  }
}

interface Foundation {
  readonly crypto: OpenedCrypto
  readonly verifier: VerifyPool
  readonly logger: Logger
}

async function openOver(options: RuntimeOptions, { crypto, verifier, logger }: Foundation): Promise<Runtime> {
  const { transport, discovery, clock = createSystemClock(), scheduler = createSystemScheduler() } = options
  const { dataDir, random = createSystemRandom() } = options
  const node = await openNode({
    dataDir,
    openers: options.openers,
    ...(transport === undefined
      ? {}
      : { openTransport: (keyPair) => transport({ keyPair, dataDir, scheduler, random, logger }) }),
    ...(discovery === undefined
      ? {}
      : { openDiscovery: ({ publicKey: id }) => discovery({ id, clock, scheduler, random, logger }) }),
    ...(options.name === undefined ? {} : { name: options.name }),
    hostNetwork: createHostNetwork(),
    ...(options.scrub === false ? {} : { scrub: { passMs: SCRUB_PASS_MS } }),
    clock,
    random,
    scheduler,
    logger,
    crypto,
    verifier,
    device: `${process.platform} ${process.arch}`,
    pid: process.pid,
    about: { version: packageJson.version, runtime: `Node.js ${process.versions.node}`, crypto: crypto.backend },
  })
  const handlers = createHandlers({ node, clock, version: packageJson.version, cryptoBackend: crypto.backend })
  let server: ApiServer | undefined
  try {
    if (options.rpc !== undefined) {
      const socket = options.rpc.socket ?? join(node.dataDir, SOCKET_NAME)
      server = await openApiServer({ handlers, socket, logger })
    }
  } catch (error) {
    await node.close()
    throw error
  }
  const backend = createInProcessBackend(handlers)
  let closing: Promise<void> | undefined
  const close = (): Promise<void> => {
    closing ??= (async () => {
      await backend.close()
      await server?.close()
      await node.close()
      await verifier.close()
    })()
    return closing
  }
  return { node, backend, socket: server?.socket, close, [Symbol.asyncDispose]: close }
}
