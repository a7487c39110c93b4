/**
 * What a network service is made with.
 *
 * @module
 */
import type { Clock, Crypto, Logger, Random, Scheduler } from '@lattice/model'
import type { Discovery, Transport } from '@lattice/net-types'
import type { GossipFactory } from './gossip.ts'
import type { NetworkLimits } from './limits.ts'
import type { JoinHandler } from './session-call.ts'

export interface NetworkServiceOptions {
  readonly transport: Transport
  /** Finds peers, and has this node found. Closed by the service. Absent: a peer is where it was, or where it says. */
  readonly discovery?: Discovery
  readonly crypto: Crypto
  readonly clock: Clock
  readonly random: Random
  readonly scheduler: Scheduler
  readonly logger: Logger
  readonly joinHandler: JoinHandler
  /** The direct push by default. */
  readonly gossip?: GossipFactory
  readonly limits?: Partial<NetworkLimits>
  /** What peers are told is the time, 0 where it is not known; the clock's own reading by default. */
  readonly wallMs?: () => number
}
