/**
 * Turns what a node reports into the messages of its API.
 *
 * @module
 */
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { isLagged, type Lagged, unreachable } from '@lattice/model'
import {
  type AuthorLag,
  type InviteEntry,
  type NodeEvent,
  type PeerConduct,
  type PeerEntry,
  type PeerSyncReport,
  type PeerSyncResult,
  resultOf,
  type StoreHandle,
  type StoreState,
  type StoreSummary,
} from '@lattice/node'
import { daemon } from '@lattice/proto'
import { toEpoch } from './epoch-message.ts'

const STATES: Readonly<Record<StoreState, daemon.StoreState>> = {
  creating: daemon.StoreState.BOOTSTRAPPING,
  bootstrapping: daemon.StoreState.BOOTSTRAPPING,
  active: daemon.StoreState.ACTIVE,
  revoked: daemon.StoreState.REVOKED,
  left: daemon.StoreState.LEFT,
  archived: daemon.StoreState.ARCHIVED,
  destroyed: daemon.StoreState.DESTROYED,
  failed: daemon.StoreState.FAILED,
}

export function toStoreInfo(summary: StoreSummary): daemon.StoreInfo {
  return create(daemon.StoreInfoSchema, {
    id: summary.id,
    storeType: summary.storeType,
    name: summary.name,
    parentId: summary.parentId ?? new Uint8Array(0),
    state: STATES[summary.state],
    path: summary.path,
    errorCode: summary.error?.code ?? '',
    error: summary.error?.message ?? '',
    headless: summary.headless,
    hasData: summary.hasData,
    awaiting: [...summary.awaiting],
  })
}

export async function toStoreStatus(store: StoreHandle): Promise<daemon.StoreStatus> {
  const state = await store.stateSummary()
  const status = store.status()
  const { stats, projection } = status
  return create(daemon.StoreStatusSchema, {
    store: toStoreInfo(status.summary),
    witnessCount: BigInt(stats.witnessCount),
    witnessHead: status.witnessHead,
    fingerprint: status.fingerprint,
    stateDigest: state.digest,
    floating: BigInt(stats.floatingCount),
    authors: stats.authorCount,
    forkedAuthors: stats.forkCount,
    appliedSeq: BigInt(projection.appliedSeq),
    headSeq: BigInt(projection.headSeq),
    rejections: BigInt(stats.rejectionCount),
    ...(projection.stalled === undefined
      ? {}
      : {
          stalled: {
            storeId: store.id,
            seq: BigInt(projection.stalled.seq),
            intentionId: projection.stalled.id,
            error: sentenceOf(projection.stalled.error),
            since: BigInt(projection.stalled.since),
          },
        }),
    logBytes: BigInt(status.logBytes),
    stateBytes: BigInt(status.stateBytes),
    snapshotBytes: BigInt(status.snapshotBytes),
    strategy: status.strategy,
    peers: status.peers,
    peersOnline: status.peersOnline,
    peersConnected: status.peersConnected,
    keys: BigInt(state.appRows),
    synced: status.synced,
    peersSynced: status.peersSynced,
    peersDiffering: status.peersDiffering,
    held: status.held ?? '',
    stable: BigInt(status.stable),
    peersLagging: status.peersLagging,
    openForks: status.openForks,
    ...(status.unsettled && { unsettled: toEpoch(status.unsettled) }),
  })
}

const SYNC: Readonly<Record<PeerEntry['sync'], daemon.PeerSync>> = {
  synced: daemon.PeerSync.SYNCED,
  differs: daemon.PeerSync.DIFFERS,
  unknown: daemon.PeerSync.UNSPECIFIED,
}

export function toPeerLag({ unseen, unseenSinceMs }: AuthorLag): daemon.PeerLag {
  return create(daemon.PeerLagSchema, { unseen: BigInt(unseen), since: BigInt(unseenSinceMs ?? 0) })
}

export function toPeerInfo(peer: PeerEntry): daemon.PeerInfo {
  const { addedAt, addedBy, lastSeen, sync, lag, conduct, ...same } = peer
  return create(daemon.PeerInfoSchema, {
    ...same,
    addedAt: BigInt(addedAt),
    addedBy: addedBy ?? new Uint8Array(0),
    lastSeen: BigInt(lastSeen),
    sync: SYNC[sync],
    ...(lag === undefined ? {} : { lag: toPeerLag(lag) }),
    ...(conduct === undefined ? {} : { conduct: toPeerConduct(conduct) }),
  })
}

const STANDING: Readonly<Record<PeerConduct['standing'], daemon.PeerStanding>> = {
  good: daemon.PeerStanding.GOOD,
  muted: daemon.PeerStanding.MUTED,
  shut_out: daemon.PeerStanding.SHUT_OUT,
}

function toPeerConduct(conduct: PeerConduct): daemon.PeerConduct {
  const { standing, score, mutedForMs, drained, heldBytes, misbehaviour = '' } = conduct
  return create(daemon.PeerConductSchema, {
    standing: STANDING[standing],
    score,
    shutOutForMs: BigInt(Math.ceil(mutedForMs)),
    drained: [...drained],
    heldBytes: BigInt(heldBytes),
    misbehaviour,
  })
}

export function toInviteInfo(invite: InviteEntry): daemon.InviteInfo {
  return create(daemon.InviteInfoSchema, {
    tokenHash: invite.tokenHash,
    status: invite.status,
    role: invite.role,
    expiresAt: BigInt(invite.expiresAt),
    usesLeft: invite.usesLeft,
    invitedBy: invite.invitedBy ?? new Uint8Array(0),
    claimedBy: [...invite.claimedBy],
  })
}

type Outcome = Extract<NodeEvent, { kind: 'sync_result' }>['outcome']

const SYNC_RESULT: Readonly<Record<PeerSyncResult, daemon.SyncResult>> = {
  synced: daemon.SyncResult.SYNCED,
  differs: daemon.SyncResult.DIFFERS,
  failed: daemon.SyncResult.FAILED,
  unreachable: daemon.SyncResult.UNREACHABLE,
  muted: daemon.SyncResult.MUTED,
  refused: daemon.SyncResult.REFUSED,
  inactive: daemon.SyncResult.INACTIVE,
}

/** What came of reconciling with one of all the peers of a store. */
export function toSyncReport({ result, failure, ...same }: PeerSyncReport): daemon.SyncOutcome {
  return create(daemon.SyncOutcomeSchema, {
    ...same,
    sent: BigInt(same.sent),
    received: BigInt(same.received),
    synced: result === 'synced',
    result: SYNC_RESULT[result],
    errorCode: failure?.code ?? '',
    error: failure?.message ?? '',
  })
}

/** A session that was held, by whoever's wish. */
function toSyncOutcome(outcome: Outcome): daemon.SyncOutcome {
  const { storeId, peer } = outcome
  const result = SYNC_RESULT[resultOf(outcome)]
  if (outcome.kind === 'failed') {
    const { code, message } = outcome.error
    return create(daemon.SyncOutcomeSchema, { storeId, peer, result, errorCode: code, error: message })
  }
  return create(daemon.SyncOutcomeSchema, {
    storeId,
    peer,
    sent: BigInt(outcome.sent),
    received: BigInt(outcome.received),
    synced: outcome.synced,
    result,
  })
}

export function toNodeEvent(event: NodeEvent | Lagged): daemon.NodeEvent {
  if (isLagged(event)) return create(daemon.NodeEventSchema, { event: { case: 'lagged', value: BigInt(event.lagged) } })
  return create(daemon.NodeEventSchema, { time: BigInt(event.time), event: eventBody(event) })
}

type EventBody = NonNullable<MessageInitShape<typeof daemon.NodeEventSchema>['event']>

function eventBody(event: NodeEvent): EventBody {
  switch (event.kind) {
    case 'store_ready':
      return { case: 'storeReady', value: { storeId: event.storeId, storeType: event.storeType } }
    case 'join_failed':
      return { case: 'joinFailed', value: { storeId: event.storeId, ...event.failure } }
    case 'sync_result':
      return { case: 'syncResult', value: toSyncOutcome(event.outcome) }
    case 'peer_online':
      return { case: 'peerOnline', value: { peer: event.peer } }
    case 'peer_offline':
      return { case: 'peerOffline', value: { peer: event.peer } }
    case 'fork_detected':
      return { case: 'forkDetected', value: { storeId: event.storeId, author: event.author } }
    case 'stalled':
      return { case: 'stalled', value: { ...event, seq: BigInt(event.seq), since: BigInt(event.since) } }
    case 'resumed':
      return { case: 'resumed', value: { storeId: event.storeId, appliedSeq: BigInt(event.appliedSeq) } }
    case 'projection_progress':
      return {
        case: 'projectionProgress',
        value: { storeId: event.storeId, done: BigInt(event.done), total: BigInt(event.total) },
      }
    case 'rebuilt':
      return { case: 'rebuilt', value: { storeId: event.storeId, appliedSeq: BigInt(event.appliedSeq) } }
    case 'store_failed':
      return { case: 'storeFailed', value: { storeId: event.storeId, ...event.failure } }
    case 'bootstrap_progress':
      return {
        case: 'bootstrapProgress',
        value: {
          storeId: event.storeId,
          done: BigInt(event.done),
          total: BigInt(event.total),
          bytes: BigInt(event.bytes),
          peers: event.peers,
        },
      }
    case 'store_changed':
      return { case: 'storeChanged', value: toStoreInfo(event.summary) }
    case 'store_removed':
      return { case: 'storeRemoved', value: { storeId: event.storeId } }
    case 'peer_changed': {
      const { storeId, peer, name, status, role } = event
      return { case: 'peerChanged', value: { storeId, peer, name, status, role } }
    }
    case 'peer_lag':
      return { case: 'peerLag', value: { storeId: event.storeId, peer: event.peer, lag: toPeerLag(event.lag) } }
    case 'invite_claimed': {
      const { storeId, tokenHash, claimedBy, usesLeft } = event
      return { case: 'inviteClaimed', value: { storeId, tokenHash, claimedBy, usesLeft } }
    }
    case 'self_revoked': {
      const { storeId, by, epoch } = event
      return { case: 'selfRevoked', value: { storeId, ...(by && { by }), ...(epoch && { epoch }) } }
    }
    case 'epoch_settled':
    case 'epoch_waiting':
    case 'excluded':
    case 'state_divergence':
    case 'prune_progress':
    case 'pruned':
    case 'returned':
      return historyEventBody(event)
    case 'clock_skew':
      return { case: 'clockSkew', value: { aheadMs: BigInt(Math.round(event.aheadMs)) } }
    default:
      return unreachable(event)
  }
}

type HistoryEvent = Extract<
  NodeEvent,
  {
    kind: 'epoch_settled' | 'epoch_waiting' | 'excluded' | 'state_divergence' | 'prune_progress' | 'pruned' | 'returned'
  }
>

function historyEventBody(event: HistoryEvent): EventBody {
  switch (event.kind) {
    case 'epoch_settled': {
      const { storeId, epoch, seq } = event
      return { case: 'epochSettled', value: { storeId, epoch, seq } }
    }
    case 'epoch_waiting': {
      const { storeId, epoch, seq, waitingFor, total } = event
      return { case: 'epochWaiting', value: { storeId, epoch, seq, waitingFor: [...waitingFor], total: BigInt(total) } }
    }
    case 'excluded': {
      const { storeId, author, count, epoch, own } = event
      return { case: 'excluded', value: { storeId, author, count: BigInt(count), own, ...(epoch && { epoch }) } }
    }
    case 'state_divergence':
      return { case: 'stateDivergence', value: toDivergence(event) }
    case 'prune_progress': {
      const { storeId, done, total } = event
      return { case: 'pruneProgress', value: { storeId, done: BigInt(done), total: BigInt(total) } }
    }
    case 'pruned': {
      const { storeId, epoch, intentions, bytesBefore, bytesAfter } = event
      const bytes = { bytesBefore: BigInt(bytesBefore), bytesAfter: BigInt(bytesAfter) }
      return { case: 'pruned', value: { storeId, epoch, intentions: BigInt(intentions), ...bytes } }
    }
    case 'returned': {
      const { storeId, base, kept, waiting } = event
      return { case: 'returned', value: { storeId, base, kept: BigInt(kept), waiting: BigInt(waiting) } }
    }
  }
}

export function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

type Divergence = Pick<Extract<NodeEvent, { kind: 'state_divergence' }>, 'epoch' | 'ownRoot' | 'others'>

export function toDivergence({
  storeId,
  epoch,
  ownRoot,
  others,
}: Divergence & { readonly storeId: Uint8Array }): daemon.StateDivergence {
  return create(daemon.StateDivergenceSchema, {
    storeId,
    epoch,
    ...(ownRoot && { ownRoot }),
    others: others.map(({ author, root }) => ({ peer: author, root })),
  })
}
