/**
 * The nodes of a network that are up: bringing them up, and taking them down with or without a goodbye.
 *
 * @module
 */
import { assert, idKey, type IdKey, type PublicKey, type Random, type Scheduler } from '@lattice/model'
import type { Transport } from '@lattice/net-types'
import type { Conditions } from './conditions.ts'
import { createDialer } from './dial.ts'
import type { LinkTable } from './link-table.ts'
import type { Emit } from './sim-event.ts'
import { createSimNode, simAddress, type SimNode } from './sim-node.ts'
import type { TrafficBook } from './traffic.ts'
import type { Wire } from './wire.ts'

export interface NodeTable {
  readonly open: (publicKey: PublicKey) => Transport
  /** Nothing when the node is not up. */
  readonly crash: (publicKey: PublicKey) => void
}

export interface NodeTableDeps {
  readonly random: Random
  readonly conditions: () => Conditions
  readonly traffic: TrafficBook
  readonly scheduler: Scheduler
  readonly wire: Wire
  readonly links: LinkTable
  readonly emit: Emit
  readonly connectTimeoutMs: number
  readonly discovery: boolean
}

export function createNodeTable(deps: NodeTableDeps): NodeTable {
  const { wire, links, emit } = deps
  const nodes = new Map<IdKey, SimNode>()
  const dial = createDialer({
    ...deps,
    nodeAt: (key) => nodes.get(key),
    createLink: links.create,
    reviewLinks: links.review,
  })
  const takeDown = (node: SimNode): void => {
    node.isOpen = false
    nodes.delete(node.key)
    wire.forget(node)
    node.incoming.close()
    for (const giveUp of node.dials) giveUp()
  }
  const close = async (node: SimNode): Promise<void> => {
    if (!node.isOpen) return
    takeDown(node)
    for (const end of links.endsOf(node)) end.close('the transport was closed')
    links.review()
  }

  return {
    open: (publicKey) => {
      assert(!nodes.has(idKey(publicKey)), 'a key has one transport at a time')
      const node = createSimNode(publicKey)
      nodes.set(node.key, node)
      return {
        name: 'sim',
        id: publicKey,
        connect: (peer, options) => dial(node, peer, options),
        incoming: node.incoming,
        addresses: () => [simAddress(publicKey)],
        close: () => close(node),
      }
    },
    crash: (publicKey) => {
      const node = nodes.get(idKey(publicKey))
      if (node === undefined) return
      emit({ kind: 'crash', from: node.hex, to: node.hex })
      takeDown(node)
      for (const end of links.endsOf(node)) end.end({ by: 'lost', message: 'the node crashed' })
      links.review()
    },
  }
}
