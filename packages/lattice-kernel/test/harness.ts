/**
 * Kernels in temporary directories, authors with fixed keys, and intentions made by hand.
 *
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createGenesis,
  createSigner,
  type Crypto,
  encodeUniversalOp,
  type Hlc,
  type IntentionId,
  type KnownOp,
  NO_HINTS,
  type ParsedIntention,
  type Scheduler,
  signIntention,
  type Signer,
  silentLogger,
  sortDeps,
  type StoreId,
  type StoreType,
  parseStoreType,
  genesisStoreId,
  toSeed,
  assert,
} from '@lattice/model'
import { openCrypto } from '@lattice/model/crypto'
import { createManualClock, type ManualClock } from '@lattice/model/testing'
import { type Kernel, type KernelOptions, openKernel } from '../src/index.ts'
import { appOp, createTrackingProjector, openAuthority, type TrackingProjector } from './tracking-projector.ts'

export const crypto: Crypto = await openCrypto()

/** The platform's own timers, for tests in which nothing waits for time. */
export const turnScheduler: Scheduler = {
  after: () => () => {},
  soon: (task) => {
    const handle = setImmediate(task)
    return () => clearImmediate(handle)
  },
}

export function signerOf(number: number): Signer {
  const seed = new Uint8Array(32).fill(7)
  new DataView(seed.buffer).setUint32(0, number)
  return createSigner(crypto, crypto.keyPairFromSeed(toSeed(seed)))
}

export const START_MS = 1_795_000_000_000

export function storeTypeOf(text: string): StoreType {
  const parsed = parseStoreType(text)
  assert(parsed.ok, 'the store type is valid')
  return parsed.value
}

export function genesisOf(signer: Signer, nonce = 1): ParsedIntention {
  return createGenesis(crypto, signer, {
    storeType: storeTypeOf('test:tracking'),
    nonce: new Uint8Array(16).fill(nonce),
    timestamp: { wall: START_MS, counter: 0 },
  })
}

export interface WriteOptions {
  readonly prev: IntentionId
  readonly deps?: readonly IntentionId[]
  readonly at: Hlc
  readonly op?: KnownOp
  readonly close?: boolean
}

/** An intention made by hand. */
export function write(
  signer: Signer,
  { prev, deps = [prev], at, op = appOp('x'), close = true }: WriteOptions,
): ParsedIntention {
  return signIntention(crypto, signer, {
    intention: {
      author: signer.publicKey,
      timestamp: at,
      storePrev: prev,
      causalDeps: sortDeps(deps),
      hints: NO_HINTS,
      ops: encodeUniversalOp(op),
    },
    close,
  })
}

export function at(offsetMs: number, counter = 0): Hlc {
  return { wall: START_MS + offsetMs, counter }
}

export interface TestKernel {
  readonly kernel: Kernel
  readonly projector: TrackingProjector
  readonly clock: ManualClock
  readonly directory: string
  readonly options: KernelOptions
}

export interface TestKernelOptions extends Partial<KernelOptions> {
  readonly storeId: StoreId
}

const directories: string[] = []

export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'lattice-kernel-'))
  directories.push(directory)
  return directory
}

/** Removes every directory a test made. */
export function removeDirectories(): void {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true })
}

export async function openTestKernel(options: TestKernelOptions): Promise<TestKernel> {
  const projector = createTrackingProjector()
  const clock = createManualClock({ wallMs: START_MS + 1000 })
  const full: KernelOptions = {
    directory: options.directory ?? temporaryDirectory(),
    projector,
    authority: openAuthority,
    signer: signerOf(1),
    crypto,
    clock,
    scheduler: turnScheduler,
    logger: silentLogger,
    ...options,
  }
  return { kernel: await openKernel(full), projector, clock, directory: full.directory, options: full }
}

/** A kernel that creates a store of its own. */
export async function createTestStore(
  options: Partial<KernelOptions> = {},
): Promise<TestKernel & { genesis: ParsedIntention }> {
  const genesis = genesisOf(options.signer ?? signerOf(1))
  const opened = await openTestKernel({ storeId: genesisStoreId(genesis), genesis, ...options })
  return { ...opened, genesis }
}
