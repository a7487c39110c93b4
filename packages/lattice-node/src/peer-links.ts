/**
 * Who shares which stores in use here, or roots whose end is handed on, as the network is told: it stays connected to a few
 * peers of each circle, to all where they are few.
 *
 * Some peers are wanted by name beside: whoever has to be found equal before a repaired store may be written to, whoever
 * has to know of the end of a root, and whoever was removed by a peer that is junior to it. Of two that removed each other
 * the senior's word counts, and where each side has removed all of the other nobody else would carry it across. Compared anew whenever stores or their peers change. Where a peer was last
 * reached is kept in `meta.db`, for peers of this node's stores alone: of strangers a few are remembered until the next
 * start.
 *
 * @module
 */
import { type AbortSignal, idKey, type IdKey, type PublicKey, type ReadTable, type StoreId } from '@lattice/model'
import type { Circle, NetworkService } from '@lattice/net'
import { readStrategy } from '@lattice/systemstore'
import type { NodeContext } from './node-context.ts'
import type { OpenStore } from './open-store.ts'
import { isEnding, type StoreEntry } from './store-entry.ts'
import type { StoreManager } from './store-manager.ts'
import { peerHolder, replicaPeersIn } from './store-peers.ts'
import { isOneEnough } from './write-hold.ts'

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

/** Whom one or more stores are shared with, this node left out. Its identity stands for its content: as long as that is the same, so is this. */
type Members = ReadonlyMap<IdKey, PublicKey>

/** The stores whose peers one table holds. */
interface Found {
  /** Whose table it is. */
  readonly owner: StoreId
  readonly circle: Members
  readonly stores: StoreId[]
}

const NOBODY: Members = new Map()

/** Starts without connections. */
export function createPeerLinks(context: NodeContext, { manager, spawn }: PeerLinksOptions): PeerLinks {
  const { meta, clock } = context
  // Peers of any circle, and those of them that are wanted by name.
  let members = new Map<IdKey, PublicKey>()
  let wanted = new Map<IdKey, PublicKey>()
  const known = new Map<IdKey, Members>()
  let circles = new Map<ReadTable, Found>()
  const heard = new Map<IdKey, readonly string[]>()

  /** What the peer said while it was a stranger counts from now on. */
  function admit(key: IdKey, peer: PublicKey): void {
    const said = heard.get(key)
    heard.delete(key)
    if (said !== undefined) meta.saveAddresses(peer, said, clock.wallMs())
  }

  /** Puts the store with those that have its peers. Thousands of children may have those of one parent: they are read once. */
  function join({ id, kernel }: OpenStore, found: Map<ReadTable, Found>): Members {
    const { system: table, id: owner = id } = peerHolder(kernel.tables(), manager.tablesOf)
    if (table === undefined) return NOBODY
    const shared = found.get(table) ?? {
      owner,
      circle: circleOf(table, context.id, circles.get(table)?.circle),
      stores: [],
    }
    found.set(table, shared)
    shared.stores.push(id)
    return shared.circle
  }

  function refresh(): void {
    const network = context.network()
    if (network === undefined) return
    const found = new Map<ReadTable, Found>()
    const named = new Map<IdKey, PublicKey>()
    for (const [key, entry] of manager.entries) {
      if (entry.open === undefined || !entry.registered) {
        known.delete(key)
        continue
      }
      const circle = join(entry.open, found)
      for (const peer of peersToMeet(context, entry, circle)) named.set(idKey(peer), peer)
      meetNewcomers(network, entry.record.id, circle)
    }
    circles = found
    const next = new Map([...found.values()].flatMap(({ circle }) => [...circle]))
    for (const [key, peer] of next) if (!members.has(key)) admit(key, peer)
    members = next
    network.circles([...found.values()].map(toCircle))
    for (const [key, peer] of named) if (!wanted.has(key)) network.want(peer, [])
    for (const [key, peer] of wanted) if (!named.has(key)) network.unwant(peer)
    wanted = named
  }

  /** A peer that was connected before this node knew that it takes part is reconciled with now. */
  function meetNewcomers(network: NetworkService, storeId: StoreId, circle: Members): void {
    const key = idKey(storeId)
    const before = known.get(key)
    known.set(key, circle)
    if (before === undefined || before === circle) return
    const isConnected = network.connectedPeers().some(({ peer }) => circle.has(idKey(peer)) && !before.has(idKey(peer)))
    if (isConnected) spawn('meet newcomers', (signal) => syncStore(context, network, { storeId, signal }))
  }

  return {
    refresh,
    all: () => [...members.values()],
    learn: (peer, addresses) => {
      const key = idKey(peer)
      if (members.has(key)) meta.saveAddresses(peer, addresses, clock.wallMs())
      else remember(heard, key, addresses)
    },
  }
}

async function syncStore(
  { logger }: NodeContext,
  network: NetworkService,
  { storeId, signal }: { readonly storeId: StoreId; readonly signal: AbortSignal },
): Promise<void> {
  try {
    for await (const outcome of network.sync(storeId, signal)) {
      if (outcome.kind === 'failed') logger.debug('sync.failed', { storeId, code: outcome.error.code })
    }
  } catch (error) {
    // The store closed meanwhile, or the node does.
    logger.debug('sync.stopped', { storeId, error })
  }
}

/** Whom the table holds; as `before` where it is the same. */
function circleOf(table: ReadTable, self: PublicKey, before: Members | undefined): Members {
  const peers = new Map(replicaPeersIn(table, self).map((peer) => [idKey(peer), peer]))
  const isSame = before?.size === peers.size && [...peers.keys()].every((key) => before.has(key))
  return isSame ? before : peers
}

/** Puts what was heard last at the end, and forgets what was heard first when it is too much. */
function remember(heard: Map<IdKey, readonly string[]>, key: IdKey, addresses: readonly string[]): void {
  heard.delete(key)
  heard.set(key, addresses)
  const [oldest] = heard.keys()
  if (heard.size > MAX_HEARD && oldest !== undefined) heard.delete(oldest)
}

function toCircle({ owner, circle, stores }: Found): Circle {
  return { owner, peers: [...circle.values()], stores }
}

/** Whom this node has to meet itself over the store, however many peers it has. */
function peersToMeet(context: NodeContext, entry: StoreEntry, circle: Members): Iterable<PublicKey> {
  if (isEnding(entry)) return circle.values()
  return [...removedSeniors(entry), ...peersToCompare(context, entry, circle)]
}

/** Who may hold something that voids its own removal. Below another store that one tells. */
function removedSeniors({ open, revoked }: StoreEntry): readonly PublicKey[] {
  if (open === undefined || revoked || readStrategy(open.kernel.tables().system)?.kind === 'inherited') return []
  const { membership, juniorsAgainst } = open.kernel
  return membership()
    .limited()
    .filter((peer) => juniorsAgainst(peer).length > 0)
}

function peersToCompare(context: NodeContext, entry: StoreEntry, circle: Members): readonly PublicKey[] {
  const hold = context.meta.writeHold(entry.record.id)
  if (hold === undefined || hold.isEndKnown || isOneEnough(hold)) return []
  const compared = new Set(hold.compared.map(idKey))
  return [...circle].flatMap(([key, peer]) => (compared.has(key) ? [] : [peer]))
}
