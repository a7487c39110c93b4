/**
 * One node with a real directory, and both ways to it, for tests that compare what a caller sees.
 *
 * @module
 */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { kvStore } from '@lattice/kvstore'
import { type Clock, type Scheduler, silentLogger, type StoreType } from '@lattice/model'
import { openCrypto } from '@lattice/model/crypto'
import { type Node, openNode } from '@lattice/node'
import type { StateMachine } from '@lattice/store-base'
import {
  connectBackend,
  createHandlers,
  createInProcessBackend,
  type LatticeBackend,
  openApiServer,
} from '../src/index.ts'

export interface RealNode extends AsyncDisposable {
  readonly node: Node
  readonly dataDir: string
  readonly backends: readonly (readonly [string, LatticeBackend])[]
}

const clock: Clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() }

const scheduler: Scheduler = {
  after: (delayMs, task) => {
    const timer = setTimeout(task, Math.min(delayMs, 2 ** 31 - 1))
    return () => clearTimeout(timer)
  },
  soon: (task) => {
    const immediate = setImmediate(task)
    return () => clearImmediate(immediate)
  },
}

/** Opens a node without a network. */
export async function openRealNode(): Promise<RealNode> {
  const root = await mkdtemp(join(tmpdir(), 'api-node-'))
  const dataDir = join(root, 'data')
  const crypto = await openCrypto({ backend: 'wasm' })
  const node = await openNode({
    dataDir,
    name: 'laptop',
    openers: new Map<StoreType, () => StateMachine>([[kvStore.storeType, () => kvStore as StateMachine]]),
    clock,
    scheduler,
    random: { bytes: (length) => new Uint8Array(randomBytes(length)) },
    logger: silentLogger,
    crypto,
  })
  const handlers = createHandlers({ node, clock, version: '0', cryptoBackend: 'wasm' })
  const server = await openApiServer({ handlers, socket: join(root, 'lattice.sock'), logger: silentLogger })
  const remote = await connectBackend({ socket: server.socket })
  return {
    node,
    dataDir,
    backends: [
      ['in process', createInProcessBackend(handlers)],
      ['over gRPC', remote],
    ],
    [Symbol.asyncDispose]: async () => {
      await remote.close()
      await server.close()
      await node.close()
      await rm(root, { recursive: true })
    },
  }
}
