/**
 * A key-value store as a node has it: the kernel with the system layer, and the calls of a user on top.
 *
 * @module
 */
import { assert, type SignedIntention, silentLogger, type StoreId, type Verifier } from '@lattice/model'
import { type BulkWrite, type Kernel, type KernelOptions, type LogDurability, openKernel } from '@lattice/kernel'
import { type Kv, kvStore, openKv } from '@lattice/kvstore'
import { emptyLog, execMethod, type Executor, runQuery, schemaOfCommands, writePlanner } from '@lattice/store-base'
import { createMembershipPolicy, createSystemAuthority, createSystemLayer } from '@lattice/systemstore'
import { createHistory } from './history.ts'
import { clock, crypto, scheduler, signerOf } from './world.ts'

export interface BenchStore extends AsyncDisposable {
  readonly kernel: Kernel
  readonly kv: Kv
}

export interface BenchStoreOptions {
  readonly directory: string
  readonly storeId: StoreId
  readonly genesis?: SignedIntention
  /** Verifies signatures beside this thread. */
  readonly verifier?: Verifier
  /** Everybody may write: for histories of several authors, where membership is not what is measured. */
  readonly open?: boolean
  readonly durability?: LogDurability
  /** Writes no acks of its own, which would be new on one side of a session. */
  readonly silent?: boolean
  /** Knows what epochs mean, and keeps snapshots: as a node does. */
  readonly epochs?: boolean
}

export async function openStore({
  directory,
  storeId,
  genesis,
  verifier,
  open = false,
  durability = 'full',
  silent = false,
  epochs = false,
}: BenchStoreOptions): Promise<BenchStore> {
  const options: KernelOptions = {
    directory,
    storeId,
    durability,
    ...(genesis && { genesis }),
    projector: createSystemLayer({ machine: kvStore }),
    authority: open ? { admits: () => true, requiredDeps: () => [] } : createSystemAuthority(),
    signer: signerOf(0),
    crypto,
    ...(verifier && { verifier }),
    ...(silent && { ackDelayMs: Infinity }),
    ...(epochs && { membership: createMembershipPolicy(), snapshots: true }),
    clock,
    scheduler,
    logger: silentLogger,
  }
  const kernel = await openKernel(options)
  return { kernel, kv: openKv(executorOf(kernel)), [Symbol.asyncDispose]: () => kernel.close() }
}

/** A store of this node's own. */
export function createStore(directory: string, durability: LogDurability = 'full'): Promise<BenchStore> {
  const { genesis, storeId } = createHistory({ runLength: 1 })
  return openStore({ directory, storeId, genesis, durability })
}

/** Batches that wait in the kernel while one is taken in, as when a peer sends ahead. */
const BATCHES_AHEAD = 4

/** Feeds batches to the kernel as a bootstrap does; every one of them has to be witnessed. */
export async function ingestAll(kernel: Kernel, batches: Iterable<readonly SignedIntention[]>): Promise<void> {
  const waiting: Promise<void>[] = []
  for (const batch of batches) {
    if (waiting.length >= BATCHES_AHEAD) await waiting.shift()
    waiting.push(ingestBatch(kernel, batch))
  }
  await Promise.all(waiting)
}

async function ingestBatch(kernel: Kernel, batch: readonly SignedIntention[]): Promise<void> {
  const outcomes = await kernel.ingest(batch, undefined)
  const refused = outcomes.find(({ kind }) => kind !== 'witnessed')
  assert(
    refused === undefined,
    `every intention is witnessed, not ${refused?.kind ?? ''} (${refused?.kind === 'floating' ? refused.reason : ''})`,
  )
}

function executorOf(kernel: Kernel): Executor {
  return {
    exec: (method, request, signal) =>
      execMethod(kvStore, method, {
        request,
        context: {
          read: kernel.tables().app,
          log: emptyLog,
          schema: schemaOfCommands(kvStore),
          signal,
          pause: async () => Promise.resolve(),
          exclusive: async (task) => task(),
          submit: (payload, deps) =>
            kernel.submit(
              { kind: 'appData', schema: schemaOfCommands(kvStore), value: payload },
              { deps: ({ app }) => deps(app) },
            ),
        },
      }),
    query: (method, request, signal) =>
      runQuery(kvStore, method, { request, context: { read: kernel.tables().app, log: emptyLog, signal } }),
    execMany: async (method, requests, options) => {
      const plan = writePlanner(kvStore, method, schemaOfCommands(kvStore))
      if (!(Symbol.iterator in requests)) throw new Error('no row sends requests in parts')
      function* writes(all: Iterable<Uint8Array>): Generator<BulkWrite, void, undefined> {
        for (const request of all) {
          const { payload, deps } = plan(request)
          yield {
            op: { kind: 'appData', schema: schemaOfCommands(kvStore), value: payload },
            deps: ({ app }) => deps(app),
          }
        }
      }
      return kernel.submitMany(writes(requests), options)
    },
    subscribe: () => {
      throw new Error('no row watches')
    },
  }
}
