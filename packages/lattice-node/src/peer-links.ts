/**
 * Whom this node keeps connections to: every peer that takes part in a store in use here, or in a root whose end is handed on.
 *
 * Compared anew whenever stores or their peers change. Where a peer was last reached is kept in `meta.db`, for peers of
 * this node's stores alone: of strangers a few are remembered until the next start.
 *
 * @module
 */
import { type AbortSignal, idKey, type IdKey, type PublicKey, type ReadTable, type StoreId } from '@lattice/model'
import type { NetworkService } from '@lattice/net'
import type { NodeContext } from './node-context.ts'
import type { StoreManager } from './store-manager.ts'
import { peerTable, replicaPeersIn } from './store-peers.ts'

export interface PeerLinks {
  /** Compares again. */
  readonly refresh: () => void
  /** Every peer that takes part in a store in use here. */
  readonly all: () => readonly PublicKey[]
  /** Where a peer says it can be reached. */
  readonly learn: (peer: PublicKey, addresses: readonly string[]) => void
}

export interface PeerLinksOptions {
  readonly manager: StoreManager
  /** Starts a task that ends with the node. */
  readonly spawn: (name: string, task: (signal: AbortSignal) => Promise<void>) => void
}

/** Peers not known to take part yet whose addresses are held in memory: they may be about to. */
const MAX_HEARD = 256

/** Whom one or more stores are shared with. Its identity stands for its content: as long as that is the same, so is this. */
type Circle = ReadonlyMap<IdKey, PublicKey>

const NOBODY: Circle = new Map()

/** Starts without connections. */
export function createPeerLinks(context: NodeContext, { manager, spawn }: PeerLinksOptions): PeerLinks {
  const { meta, clock, logger } = context
  let wanted = new Map<IdKey, PublicKey>()
  const known = new Map<IdKey, Circle>()
  let circles = new Map<ReadTable, Circle>()
  const heard = new Map<IdKey, readonly string[]>()

  /** Where to try the peer: what it said while it was a stranger counts from now on. */
  function addressesOf(key: IdKey, peer: PublicKey): readonly string[] {
    const said = heard.get(key)
    heard.delete(key)
    if (said !== undefined) meta.saveAddresses(peer, said, clock.wallMs())
    return meta.addresses(peer)
  }

  function refresh(): void {
    const network = context.network()
    if (network === undefined) return
    // Thousands of children may have the peers of one parent: who they are is read once.
    const found = new Map<ReadTable, Circle>()
    for (const [key, { open, registered, record }] of manager.entries) {
      if (open === undefined || !registered) {
        known.delete(key)
        continue
      }
      const table = peerTable(open.kernel.tables(), manager.tablesOf)
      const circle =
        table === undefined ? NOBODY : (found.get(table) ?? circleOf(table, context.id, circles.get(table)))
      if (table !== undefined) found.set(table, circle)
      meetNewcomers(network, record.id, circle)
    }
    circles = found
    const next = new Map([...found.values()].flatMap((circle) => [...circle]))
    for (const [key, peer] of next) if (!wanted.has(key)) network.want(peer, addressesOf(key, peer))
    for (const [key, peer] of wanted) if (!next.has(key)) network.unwant(peer)
    wanted = next
  }

  /** A peer that was connected before this node knew that it takes part is reconciled with now. */
  function meetNewcomers(network: NetworkService, storeId: StoreId, circle: Circle): void {
    const key = idKey(storeId)
    const before = known.get(key)
    known.set(key, circle)
    if (before === undefined || before === circle) return
    const isConnected = network.connectedPeers().some(({ peer }) => circle.has(idKey(peer)) && !before.has(idKey(peer)))
    if (!isConnected) return
    spawn('meet newcomers', async (signal) => {
      try {
        for await (const outcome of network.sync(storeId, signal)) {
          if (outcome.kind === 'failed') logger.debug('sync.failed', { storeId, code: outcome.error.code })
        }
      } catch (error) {
        // The store closed meanwhile, or the node does.
        logger.debug('sync.stopped', { storeId, error })
      }
    })
  }

  return {
    refresh,
    all: () => [...wanted.values()],
    learn: (peer, addresses) => {
      const key = idKey(peer)
      if (!wanted.has(key)) {
        heard.delete(key)
        heard.set(key, addresses)
        const [oldest] = heard.keys()
        if (heard.size > MAX_HEARD && oldest !== undefined) heard.delete(oldest)
        return
      }
      meta.saveAddresses(peer, addresses, clock.wallMs())
      context.network()?.want(peer, meta.addresses(peer))
    },
  }
}

/** Whom the table holds; as `before` where it is the same. */
function circleOf(table: ReadTable, self: PublicKey, before: Circle | undefined): Circle {
  const peers = new Map(replicaPeersIn(table, self).map((peer) => [idKey(peer), peer]))
  const isSame = before?.size === peers.size && [...peers.keys()].every((key) => before.has(key))
  return isSame ? before : peers
}
