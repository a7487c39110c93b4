/**
 * What a network service is made with.
 *
 * @module
 */
import type { Clock, Crypto, Logger, PublicKey, Random, Scheduler } from '@lattice/model'
import type { Transport } from '@lattice/net-types'
import type { GossipFactory } from './gossip.ts'
import type { NetworkLimits } from './limits.ts'
import type { JoinHandler } from './session-call.ts'

export interface NetworkServiceOptions {
  readonly transport: Transport
  readonly crypto: Crypto
  readonly clock: Clock
  readonly random: Random
  readonly scheduler: Scheduler
  readonly logger: Logger
  readonly joinHandler: JoinHandler
  /** Where a peer was reached before, or says it can be: asked as it is dialled. */
  readonly addressesOf?: (peer: PublicKey) => readonly string[]
  /** HyParView and PlumTree by default. */
  readonly gossip?: GossipFactory
  readonly limits?: Partial<NetworkLimits>
  /** What peers are told is the time, 0 where it is not known; the clock's own reading by default. */
  readonly wallMs?: () => number
}
