/**
 * What a network service is made with.
 *
 * @module
 */
import type { Clock, Crypto, Logger, PublicKey, Random, Scheduler } from '@lattice/model'
import type { Discovery, HostNetwork, Transport } from '@lattice/net-types'
import type { GossipFactory } from './gossip.ts'
import type { NetworkLimits } from './limits.ts'
import type { JoinHandler } from './session-call.ts'

/** What is so after this machine slept or moved. */
export interface NetworkChange {
  /** `moved`: its addresses are others; `woke`: time went on without it; `clock_set`: the wall clock went back. */
  readonly cause: 'woke' | 'clock_set' | 'moved'
  /** Where this node can be reached now. */
  readonly addresses: readonly string[]
}

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
  /** Where a peer was reached before, or says it can be: asked as it is dialled. */
  readonly addressesOf?: (peer: PublicKey) => readonly string[]
  /** HyParView and PlumTree by default. */
  readonly gossip?: GossipFactory
  readonly limits?: Partial<NetworkLimits>
  /** Where this machine is; by default only where the transport is counts. */
  readonly hostNetwork?: HostNetwork
  /** The peers of all stores here: those that are no neighbours are visited now and then. */
  readonly knownPeers?: () => readonly PublicKey[]
  /** This machine slept, moved, or its clock was set: everything is looked at anew, and it may be told where it is. */
  readonly onNetworkChanged?: (change: NetworkChange) => void
  /** What peers are told is the time, 0 where it is not known; the clock's own reading by default. */
  readonly wallMs?: () => number
}
