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
import { assert, type Cancel, idKey, type IdKey, type PublicKey, type Random, type Scheduler } from '@lattice/model'
import type { CloseReason, Transport } from '@lattice/net-types'
import { createDialer } from './dial.ts'
import { drawBelow } from './draw.ts'
import type { SimEvent } from './sim-event.ts'
import { createSimLink, type LinkMessage, type SimLink } from './sim-link.ts'
import { createSimNode, simAddress, type SimNode } from './sim-node.ts'
import { createTopology } from './topology.ts'
import { createWire, type LatencyRange } from './wire.ts'

/** What the writer of a stream may be ahead of its reader: two of the largest payloads, far below a whole transfer. */
export const STREAM_WINDOW_BYTES: number = 256 * 1024
/** Blocked for this long, a connection is lost: a few missed keep-alives. */
export const IDLE_TIMEOUT_MS = 10_000
/** A dial nobody answers fails after this: well above any round trip in use. */
export const CONNECT_TIMEOUT_MS = 5_000

export interface SimNetworkOptions {
  readonly random: Random
  readonly scheduler: Scheduler
  readonly latencyMs: LatencyRange
  readonly streamWindowBytes?: number
  readonly idleTimeoutMs?: number
  readonly connectTimeoutMs?: number
  /** One connection is lost per this many messages, on average; none by default. */
  readonly loseOneIn?: number
  /** Whether a peer is found by its key alone, as by a discovery service (default), or needs a `sim:` address. */
  readonly discovery?: boolean
  /** Told of every event in order; hash them to compare two runs. */
  readonly onEvent?: (event: SimEvent) => void
}

export interface SimNetwork {
  /** Brings a node up. A key has one transport at a time: a second needs the first closed or crashed. */
  readonly transport: (publicKey: PublicKey) => Transport
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
  /** Connections with at least one live end. */
  readonly connectionCount: () => number
}

interface LiveLink {
  readonly link: SimLink
  /** Withdraws the pending loss; undefined while the link is whole. */
  cancelLoss: Cancel | undefined
}

/** Makes a network without nodes. */
export function createSimNetwork(options: SimNetworkOptions): SimNetwork {
  const { random, scheduler, latencyMs } = options
  const windowBytes = options.streamWindowBytes ?? STREAM_WINDOW_BYTES
  const idleTimeoutMs = options.idleTimeoutMs ?? IDLE_TIMEOUT_MS
  assert(windowBytes > 0, 'a stream window is positive')
  const topology = createTopology()
  const wire = createWire({ random, scheduler, latencyMs, isBlocked: topology.isBlocked })
  const nodes = new Map<IdKey, SimNode>()
  const links = new Map<number, LiveLink>()
  let linkCount = 0

  const emit = (event: Partial<SimEvent> & Pick<SimEvent, 'kind' | 'from' | 'to'>): void =>
    options.onEvent?.({ link: -1, stream: -1, bytes: 0, ...event })

  const lose = ({ link }: LiveLink, message: string): void => {
    emit({ kind: 'lost', from: link.dialer.node.hex, to: link.acceptor.node.hex, link: link.id })
    const reason: CloseReason = { by: 'lost', message }
    link.dialer.end(reason)
    link.acceptor.end(reason)
  }
  const onMessage = (id: number, message: LinkMessage): void => {
    emit({ ...message, from: message.from.hex, to: message.to.hex, link: id })
    if (options.loseOneIn === undefined || drawBelow(random, options.loseOneIn) > 0) return
    const live = links.get(id)
    if (live !== undefined) lose(live, 'the connection was lost')
  }
  const createLink = (dialer: SimNode, acceptor: SimNode): SimLink => {
    const id = linkCount
    linkCount += 1
    const onDone = (): void => {
      links.get(id)?.cancelLoss?.()
      links.delete(id)
    }
    const deps = { id, dialer, acceptor, random, windowBytes, wire, onDone }
    const link = createSimLink({ ...deps, onMessage: (message) => onMessage(id, message) })
    links.set(id, { link, cancelLoss: undefined })
    return link
  }
  /** Starts or stops the idle time of each link after the network changed. */
  const reviewLinks = (): void => {
    for (const live of links.values()) {
      const { dialer, acceptor } = live.link
      const cut =
        !dialer.node.isOpen ||
        !acceptor.node.isOpen ||
        topology.isBlocked(dialer.node.key, acceptor.node.key) ||
        topology.isBlocked(acceptor.node.key, dialer.node.key)
      if (cut) live.cancelLoss ??= scheduler.after(idleTimeoutMs, () => lose(live, 'the peer fell silent'))
      else {
        live.cancelLoss?.()
        live.cancelLoss = undefined
      }
    }
  }
  const endsOf = (node: SimNode): readonly SimLink['dialer'][] =>
    [...links.values()].flatMap(({ link }) => [link.dialer, link.acceptor].filter((end) => end.node === node))

  const takeDown = (node: SimNode): void => {
    node.isOpen = false
    nodes.delete(node.key)
    wire.forget(node)
    node.incoming.close()
    for (const giveUp of [...node.dials]) giveUp()
  }
  const dial = createDialer({
    scheduler,
    wire,
    connectTimeoutMs: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
    discovery: options.discovery ?? true,
    nodeAt: (key) => nodes.get(key),
    createLink,
    reviewLinks,
    emit,
  })

  return {
    transport: (publicKey) => {
      assert(!nodes.has(idKey(publicKey)), 'a key has one transport at a time')
      const node = createSimNode(publicKey)
      nodes.set(node.key, node)
      return {
        name: 'sim',
        id: publicKey,
        connect: (peer, dialOptions) => dial(node, peer, dialOptions),
        incoming: node.incoming,
        addresses: () => [simAddress(publicKey)],
        close: async () => {
          if (!node.isOpen) return
          takeDown(node)
          for (const end of endsOf(node)) end.close('the transport was closed')
          reviewLinks()
        },
      }
    },
    partition: (groups) => {
      topology.partition(groups)
      wire.release()
      reviewLinks()
    },
    cut: (a, b, { oneWay = false } = {}) => {
      topology.cut(idKey(a), idKey(b))
      if (!oneWay) topology.cut(idKey(b), idKey(a))
      reviewLinks()
    },
    heal: () => {
      topology.heal()
      wire.release()
      reviewLinks()
    },
    disconnect: (a, b) => {
      const pair = new Set([idKey(a), idKey(b)])
      for (const live of [...links.values()]) {
        const { dialer, acceptor } = live.link
        if (pair.has(dialer.node.key) && pair.has(acceptor.node.key)) lose(live, 'the connection was lost')
      }
    },
    crash: (publicKey) => {
      const node = nodes.get(idKey(publicKey))
      if (node === undefined) return
      emit({ kind: 'crash', from: node.hex, to: node.hex })
      takeDown(node)
      for (const end of endsOf(node)) end.end({ by: 'lost', message: 'the node crashed' })
      reviewLinks()
    },
    connectionCount: () => links.size,
  }
}
