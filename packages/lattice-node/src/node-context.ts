/**
 * What the parts of one node share. Made by `openNode`, which owns all of it.
 *
 * @module
 */
import type { Clock, Crypto, Logger, PublicKey, Random, Scheduler, Signer, StoreType, Verifier } from '@lattice/model'
import type { ScrubOptions } from '@lattice/kernel'
import type { NetworkService } from '@lattice/net'
import type { FileCheck, FileWork, StorageHooks } from '@lattice/storage'
import type { StateMachine } from '@lattice/store-base'
import type { DataDirectory } from './data-directory.ts'
import type { MetaDb } from './meta-db.ts'
import type { NodeHealth } from './node-health.ts'
import type { NodeEventBody } from './node-events.ts'
import type { NodeAbout } from './node-types.ts'

export interface NodeContext {
  readonly id: PublicKey
  readonly signer: Signer
  readonly directory: DataDirectory
  readonly meta: MetaDb
  readonly openers: ReadonlyMap<StoreType, () => StateMachine>
  readonly crypto: Crypto
  readonly verifier: Verifier | undefined
  readonly clock: Clock
  readonly random: Random
  readonly scheduler: Scheduler
  readonly logger: Logger
  readonly storageHooks: StorageHooks | undefined
  /** How logs are read through in the background; undefined for not at all. */
  readonly scrub: ScrubOptions | undefined
  readonly fileCheck: FileCheck | undefined
  readonly fileWork: FileWork | undefined
  readonly ackDelayMs: number | undefined
  /** Undefined for a node without a transport. */
  readonly network: () => NetworkService | undefined
  /** Hands an event to every subscriber. */
  readonly publish: (event: NodeEventBody) => void
  readonly nodeName: () => string
  /** What machine the node runs on; empty when it is not said. */
  readonly device: string
  readonly about: NodeAbout | undefined
  readonly health: NodeHealth
}
