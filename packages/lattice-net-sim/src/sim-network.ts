/**
 * A network in memory: latency, partitions, cuts, lost connections and crashes, all of it repeatable.
 *
 * It has no clock and no dice of its own. Every delay is a task of the injected scheduler and every draw comes from the
 * injected randomness, so the same seed and the same calls give the same events in the same order. A blocked direction holds
 * what is sent and delivers it when it opens again; connections that stay blocked for the idle time are lost at both ends,
 * as on QUIC.
 *
 * @module
 */
import { assert, type Clock, idKey, type PublicKey, type Random, type Scheduler } from '@lattice/model'
import type { Discovery, Transport } from '@lattice/net-types'
import { type Conditions, createConditions } from './conditions.ts'
import { createLinkTable } from './link-table.ts'
import { createNodeTable } from './node-table.ts'
import { createSimDiscoveryTable } from './sim-discovery.ts'
import type { Emit, SimEvent } from './sim-event.ts'
import { createTopology } from './topology.ts'
import { createTrafficBook, type FaultCounts, type Traffic } from './traffic.ts'
import { createWire } from './wire.ts'

/** What the writer of a stream may be ahead of its reader: two of the largest payloads, far below a whole transfer. */
export const STREAM_WINDOW_BYTES: number = 256 * 1024
/** Blocked for this long, a connection is lost: a few missed keep-alives. */
export const IDLE_TIMEOUT_MS = 10_000
/** A dial nobody answers fails after this: well above any round trip in use. */
export const CONNECT_TIMEOUT_MS = 5_000

export interface SimNetworkOptions extends Conditions {
  readonly random: Random
  readonly scheduler: Scheduler
  /** Needed where links have a rate. */
  readonly clock?: Pick<Clock, 'monotonicMs'>
  readonly streamWindowBytes?: number
  readonly idleTimeoutMs?: number
  readonly connectTimeoutMs?: number
  /** Whether a peer is found by its key alone, as by a discovery service (default), or needs a `sim:` address. */
  readonly discovery?: boolean
  /** Told of every event in order; hash them to compare two runs. */
  readonly onEvent?: (event: SimEvent) => void
}

export interface SimNetwork {
  /** Brings a node up. A key has one transport at a time: a second needs the first closed or crashed. */
  readonly transport: (publicKey: PublicKey) => Transport
  /** Brings the discovery of a node up, which announces and searches as on a local network. Closed as a transport is. */
  readonly discoveryOf: (publicKey: PublicKey) => Discovery
  /** Nodes of different groups no longer reach each other; those not named form one group. Replaces the last partition. */
  readonly partition: (groups: readonly (readonly PublicKey[])[]) => void
  /** Nothing passes from `a` to `b`, nor, unless `oneWay`, back. */
  readonly cut: (a: PublicKey, b: PublicKey, options?: { readonly oneWay?: boolean }) => void
  /** Undoes every partition and cut; what was held is delivered. */
  readonly heal: () => void
  /** Both ends lose their connections with each other, now. New ones can be made. */
  readonly disconnect: (a: PublicKey, b: PublicKey) => void
  /** The node is gone without a goodbye: its peers find out by silence. */
  readonly crash: (node: PublicKey) => void
  /** From now on the network is so. */
  readonly change: (conditions: Partial<Conditions>) => void
  /** Connections with at least one live end. */
  readonly connectionCount: () => number
  /** What was sent so far, in all or one way between two nodes. */
  readonly traffic: (from?: PublicKey, to?: PublicKey) => Traffic
  /** How often each fault came to pass so far. */
  readonly faults: () => FaultCounts
}

/** Makes a network without nodes. */
export function createSimNetwork(options: SimNetworkOptions): SimNetwork {
  const { random, scheduler, clock } = options
  const windowBytes = options.streamWindowBytes ?? STREAM_WINDOW_BYTES
  assert(windowBytes > 0, 'a stream window is positive')
  const topology = createTopology()
  const conditions = createConditions(conditionsOf(options))
  const traffic = createTrafficBook()
  const nowMs = (): number => {
    assert(clock !== undefined, 'a rate needs a clock')
    return clock.monotonicMs()
  }
  const parts = { random, scheduler, traffic, conditions: conditions.current, isBlocked: topology.isBlocked }
  const wire = createWire({ ...parts, nowMs })
  const emit: Emit = (event) => options.onEvent?.({ link: -1, stream: -1, bytes: 0, ...event })
  const { idleTimeoutMs = IDLE_TIMEOUT_MS, connectTimeoutMs = CONNECT_TIMEOUT_MS, discovery = true } = options
  const links = createLinkTable({ ...parts, wire, windowBytes, idleTimeoutMs, emit })
  const nodes = createNodeTable({ ...parts, wire, links, emit, connectTimeoutMs, discovery })
  const discoveries = createSimDiscoveryTable(parts)

  return {
    transport: nodes.open,
    discoveryOf: discoveries.open,
    partition: (groups) => {
      topology.partition(groups)
      wire.release()
      links.review()
    },
    cut: (a, b, { oneWay = false } = {}) => {
      topology.cut(idKey(a), idKey(b))
      if (!oneWay) topology.cut(idKey(b), idKey(a))
      links.review()
    },
    heal: () => {
      topology.heal()
      wire.release()
      links.review()
    },
    disconnect: (a, b) => links.loseBetween(idKey(a), idKey(b)),
    crash: (node) => {
      nodes.crash(node)
      discoveries.crash(node)
    },
    change: conditions.change,
    connectionCount: links.count,
    traffic: (from, to) =>
      from === undefined || to === undefined ? traffic.total() : traffic.between(idKey(from), idKey(to)),
    faults: traffic.faults,
  }
}

function conditionsOf(options: SimNetworkOptions): Conditions {
  const { latencyMs, spikes, resend, loseOneIn, replayOneIn, redialOneIn, bytesPerSecond } = options
  return { latencyMs, spikes, resend, loseOneIn, replayOneIn, redialOneIn, bytesPerSecond }
}
