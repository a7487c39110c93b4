/**
 * The discoveries a runtime can be given, each behind one call.
 *
 * @module
 */
import type { Clock, Logger, PublicKey, Random, Scheduler } from '@lattice/model'
import { createLanDiscovery, openMulticastWire, scopeOf } from '@lattice/net-lan'
import type { Discovery } from '@lattice/net-types'
import { parseBind } from './listen-port.ts'
import type { PeerTransportOptions } from './transports.ts'

/** Where a transport listens that is told nothing. */
const ANYWHERE = '0.0.0.0:0'

export interface DiscoveryDeps {
  /** Of the node that is announced. */
  readonly id: PublicKey
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly random: Random
  readonly logger: Logger
}

/** Opens a discovery for a node. The node closes it. */
export type DiscoveryFactory = (deps: DiscoveryDeps) => Discovery

/** Where the transports listen, as they are told: a node that only its own host reaches is announced to that host alone. */
export type LanOptions = Pick<PeerTransportOptions, 'bind' | 'tls'>

/** Multicast DNS on the links that the node is reached by. */
export function lanDiscovery({ bind, tls }: LanOptions = {}): DiscoveryFactory {
  const binds = tls === 'off' ? [bind] : [bind, tls?.bind ?? bind]
  const scope = scopeOf(binds.map((each) => parseBind(each ?? ANYWHERE)?.ip ?? ''))
  return (deps) =>
    createLanDiscovery({ ...deps, openWire: (listener) => openMulticastWire({ ...deps, scope }, listener) })
}
