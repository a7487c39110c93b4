/**
 * Gathers what is known of one store and its peers, without judging it.
 *
 * @module
 */
import { idKey, type IdKey, type PublicKey } from '@lattice/model'
import type { NetworkService, PeerStanding } from '@lattice/net'
import { system } from '@lattice/proto'
import { readPeers, readStrategy } from '@lattice/systemstore'
import { unsettledEpoch } from '../epoch-page.ts'
import { toFailure } from '../failure.ts'
import type { NodeContext } from '../node-context.ts'
import type { PeerEntry, StoreSummary } from '../store-types.ts'
import type { OpenStore } from '../open-store.ts'
import type { StoreEntry } from '../store-entry.ts'
import { pruningOf } from '../history/prune-store.ts'
import { APART_MS } from '../returning-stores.ts'
import { findEpoch } from '../revoke-peer.ts'
import { peerTable, type TablesOf } from '../store-peers.ts'
import { viewPeers } from '../store-views.ts'
import { whyHeld } from '../write-hold.ts'
import { gatherFloating, type NameOf } from './gather-floating.ts'
import type {
  BootstrapSnapshot,
  OpenSnapshot,
  PeerSnapshot,
  PruningSnapshot,
  ReplicaSnapshot,
  StoreSnapshot,
  UnsettledSnapshot,
} from './store-snapshot.ts'

export interface GatherStore {
  readonly entry: StoreEntry
  readonly summary: StoreSummary
  readonly tablesOf: TablesOf
  /** It was asked for by itself. */
  readonly isAsked: boolean
}

export function gatherStore(
  context: NodeContext,
  { entry, summary, tablesOf, isAsked }: GatherStore,
  nameOf: NameOf,
): StoreSnapshot {
  const { failure, open, ready, bootstrap, cutApartMs } = entry
  return {
    ref: { id: summary.id, path: summary.path },
    state: summary.state,
    failure: failure === undefined ? undefined : toFailure(failure),
    bootstrap: bootstrap && gatherBootstrap(bootstrap, nameOf),
    awaiting: summary.awaiting.map(nameOf),
    isCutApart: cutApartMs !== undefined && context.clock.monotonicMs() - cutApartMs < APART_MS,
    open: open !== undefined && ready ? gatherOpen(context, { open, tablesOf, isAsked }, nameOf) : undefined,
  }
}

function gatherBootstrap(bootstrap: NonNullable<StoreEntry['bootstrap']>, nameOf: NameOf): BootstrapSnapshot {
  const failure = bootstrap.lastFailure()
  return {
    peers: bootstrap.peers().map(nameOf),
    attempts: bootstrap.attempts(),
    lastFailure: failure === undefined ? undefined : toFailure(failure),
    progress: bootstrap.progress(),
  }
}

interface GatherOpen {
  readonly open: OpenStore
  readonly tablesOf: TablesOf
  readonly isAsked: boolean
}

function gatherOpen(context: NodeContext, { open, tablesOf, isAsked }: GatherOpen, nameOf: NameOf): OpenSnapshot {
  const { kernel, machine, storeType } = open
  const { stalled, appliedSeq, headSeq } = kernel.projection()
  const replicas = gatherReplicas(context, open, tablesOf)
  const isHeldElsewhere = replicas.some(({ peer, sync }) => peer.connected && sync === 'synced')
  return {
    headless: machine === undefined,
    storeType,
    held: whyHeld(context, kernel, tablesOf),
    projection: { appliedSeq, headSeq },
    stalled: stalled && {
      ...toFailure(stalled.error),
      seq: stalled.seq,
      id: stalled.id,
      sinceMs: stalled.since,
    },
    floating: gatherFloating(kernel, nameOf),
    openForks: kernel
      .tips()
      .filter(({ tips }) => tips.filter(({ joined }) => !joined).length > 1)
      .map(({ author }) => nameOf(author)),
    unsettled: gatherUnsettled(open, nameOf),
    ...gatherSnapshot(kernel, nameOf),
    pruning: gatherPruning(open, tablesOf, nameOf),
    stranded: open.stranded.all().length,
    rejections: kernel.stats().rejectionCount,
    replicas,
    unreplicated: isHeldElsewhere ? undefined : kernel.unseenByAll(replicas.map(({ peer }) => peer.publicKey)),
    isToldAbove: !isAsked && readStrategy(kernel.tables().system)?.kind === 'inherited',
  }
}

function gatherUnsettled(open: OpenStore, nameOf: NameOf): UnsettledSnapshot | undefined {
  const unsettled = unsettledEpoch(open)
  if (unsettled === undefined) return undefined
  const { id, seq, timestamp, waitingFor } = unsettled
  return { epoch: id, seq, sinceMs: timestamp.wall, waitingFor: waitingFor.map(nameOf) }
}

function gatherSnapshot(
  kernel: OpenStore['kernel'],
  nameOf: NameOf,
): Pick<OpenSnapshot, 'diverged' | 'snapshotFailure'> {
  const { divergences, failure } = kernel.snapshot()
  return {
    diverged: divergences.map(({ epoch, ownRoot, others, isOutvoted }) => ({
      epoch,
      seq: findEpoch({ kernel }, epoch)?.seq ?? 0n,
      ownRoot,
      others: others.map(({ author, root }) => ({ peer: nameOf(author), root })),
      isOutvoted,
    })),
    snapshotFailure: failure === undefined ? undefined : toFailure(failure),
  }
}

function gatherPruning(open: OpenStore, tablesOf: TablesOf, nameOf: NameOf): PruningSnapshot | undefined {
  const { state, epoch, waitsOn, waitsFor, failure } = pruningOf(open, tablesOf)
  if (state === 'idle' || epoch === undefined) return undefined
  const sinceMs = findEpoch(open, epoch)?.timestamp.wall ?? 0
  return { epoch, sinceMs, state, waitsOn, waitsFor: waitsFor.map(nameOf), failure }
}

function gatherReplicas(context: NodeContext, open: OpenStore, tablesOf: TablesOf): readonly ReplicaSnapshot[] {
  const network = context.network()
  const others = otherPeers(context, { store: open, tablesOf })
  const hasNeighbour = others.some(({ connected }) => connected)
  return others.map((entry) => {
    const exchange = network?.exchange(entry.publicKey, open.id)
    return {
      peer: gatherPeer(context, network, { entry, hasNeighbour }),
      sync: entry.sync,
      lag: entry.lag,
      isSyncing: exchange?.isRunning ?? false,
      lastFailure: exchange?.lastFailure,
    }
  })
}

/** The other peers that take part in a store. */
function otherPeers(
  context: NodeContext,
  viewed: { readonly store: OpenStore; readonly tablesOf: TablesOf },
): readonly PeerEntry[] {
  return viewPeers(context, viewed).filter(
    ({ self, status }) => !self && (status === system.PeerStatus.ACTIVE || status === system.PeerStatus.DORMANT),
  )
}

/** Of any peer, where there is no network. */
const NOTHING_DONE: PeerStanding = { standing: 'good', score: 0, drained: [], heldBytes: 0 }

function gatherPeer(
  context: NodeContext,
  network: NetworkService | undefined,
  { entry, hasNeighbour }: { readonly entry: PeerEntry; readonly hasNeighbour: boolean },
): PeerSnapshot {
  const { publicKey, name, online, connected, status } = entry
  const diagnosis = network?.diagnosis(publicKey)
  return {
    publicKey,
    name,
    online,
    connected,
    // Whom this node wants to be connected to is dialled.
    elsewhere: hasNeighbour && !online && diagnosis !== undefined && diagnosis.dial === undefined,
    dormant: status === system.PeerStatus.DORMANT,
    lastSeenMs: network?.presence(publicKey)?.lastSeenMs ?? 0,
    addresses: context.meta.addresses(publicKey),
    dial: diagnosis?.dial,
    conduct: diagnosis ?? NOTHING_DONE,
    mutedForMs: diagnosis?.mutedForMs ?? 0,
    troubles: {
      refusal: diagnosis?.refusal,
      misbehaviour: diagnosis?.misbehaviour,
      ended: diagnosis?.ended,
    },
  }
}

/** Names by what the peers of all open stores call themselves; a key without one keeps none. */
export function namesOf(context: NodeContext, stores: readonly OpenStore[], tablesOf: TablesOf): NameOf {
  const names = new Map<IdKey, string>()
  for (const { kernel } of stores) {
    const table = peerTable(kernel.tables(), tablesOf)
    if (table === undefined) continue
    for (const { peer, name = '' } of readPeers(table)) if (name !== '') names.set(idKey(peer), name)
  }
  if (context.nodeName() !== '') names.set(idKey(context.id), context.nodeName())
  return (publicKey: PublicKey) => ({ publicKey, name: names.get(idKey(publicKey)) ?? '' })
}
