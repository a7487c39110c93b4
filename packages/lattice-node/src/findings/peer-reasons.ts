/**
 * Why a peer is not there, and what it lacks or is lacked of it.
 *
 * Pure: facts in, reasons out. Whether a peer can be reached is one matter, said once per peer; what its copy of a store
 * lacks is another, said per store.
 *
 * @module
 */
import type { Reason } from './finding.ts'
import type { Circumstances, PeerSnapshot, ReplicaSnapshot } from './store-snapshot.ts'
import { durationText, listText, peerText, plural, withoutStop } from './words.ts'

/** What a node says that has no room for a connection, or shut the other side out. */
const TURNED_AWAY = 'not taken in'
/** A difference that lasts longer is more than two replicas catching up. */
const DIFFERS_LONG_MS = 60_000

/** Why there is no connection to the peer, or none of use; nothing where there is one. */
export function presenceReasons(peer: PeerSnapshot, around: Circumstances): readonly Reason[] {
  const { online, mutedForMs, troubles } = peer
  // Why it is, is told of what it did.
  if (mutedForMs > 0) return []
  if (online) return troubles.refusal === undefined ? [] : [refusedReason(peer, troubles.refusal)]
  // Without a network that is the reason, said once.
  if (!around.hasNetwork || peer.elsewhere) return []
  const { ended } = troubles
  const isTurnedAway = ended?.by === 'remote' && ended.message === TURNED_AWAY
  if (isTurnedAway && (peer.dial?.lastFailure?.atMs ?? 0) <= ended.atMs) return [turnedAwayReason(peer, ended.atMs)]
  return [peer.lastSeenMs === 0 ? noRouteReason(peer) : offlineReason(peer, around)]
}

function refusedReason(
  peer: PeerSnapshot,
  { code, message }: { readonly code: string; readonly message: string },
): Reason {
  return {
    severity: 'problem',
    code: 'peer_refused',
    what: `${peerText(peer)} is connected and exchanges nothing: ${withoutStop(message)}`,
    remedy:
      code === 'VERSION_UNSUPPORTED' || code === 'NOT_SUPPORTED'
        ? 'upgrade the older of the two nodes'
        : `look at ${peerText(peer)}`,
    peer,
    detail: { code },
  }
}

function turnedAwayReason(peer: PeerSnapshot, atMs: number): Reason {
  return {
    severity: 'warning',
    code: 'peer_refused',
    what: `${peerText(peer)} ends every connection at once: it has no room, or shut this node out after a broken exchange`,
    remedy: `look at \`lattice why\` on ${peerText(peer)}`,
    peer,
    detail: { code: 'TURNED_AWAY', atMs },
  }
}

function noRouteReason(peer: PeerSnapshot): Reason {
  const { dial, dormant, addresses } = peer
  const failure = dial?.lastFailure
  return {
    severity: dormant ? 'info' : 'warning',
    code: 'no_route',
    what: `${peerText(peer)} was not connected since this node started: ${routeText(peer)}`,
    remedy: `start ${peerText(peer)} where this node can reach it, or have it connect to this one`,
    peer,
    detail: {
      addresses: failure?.addresses ?? addresses,
      attempts: dial?.attempts ?? 0,
      ...(failure === undefined ? {} : { code: failure.code, atMs: failure.atMs }),
      ...(dial?.nextAtMs === undefined ? {} : { nextAtMs: dial.nextAtMs }),
    },
  }
}

function routeText({ dial, addresses }: PeerSnapshot): string {
  const failure = dial?.lastFailure
  const tried = failure?.addresses ?? addresses
  const where = tried.length === 0 ? 'no address of it is known' : `tried ${listText(tried)}`
  if (failure !== undefined) return `${where}: ${withoutStop(failure.message)}`
  return dial === undefined
    ? where
    : `${tried.length === 0 ? where : `trying ${listText(tried)}`}, and no dial has ended yet`
}

function offlineReason(peer: PeerSnapshot, { nowMs }: Circumstances): Reason {
  const { dial, dormant, lastSeenMs, troubles } = peer
  const failure = dial?.lastFailure
  const ended = troubles.ended === undefined ? '' : `the connection ended: ${troubles.ended.message}`
  const why =
    failure === undefined ? ended : `${plural(dial?.attempts ?? 0, 'dial')} since then failed: ${failure.message}`
  return {
    severity: dormant ? 'info' : 'warning',
    code: 'peer_offline',
    what: `${peerText(peer)} is offline, last heard of ${durationText(nowMs - lastSeenMs)} ago${why === '' ? '' : `; ${withoutStop(why)}`}`,
    remedy: `start ${peerText(peer)}; the connection comes back by itself`,
    peer,
    detail: {
      lastSeenMs,
      attempts: dial?.attempts ?? 0,
      addresses: failure?.addresses ?? peer.addresses,
      ...(failure === undefined ? {} : { code: failure.code }),
      ...(dial?.nextAtMs === undefined ? {} : { nextAtMs: dial.nextAtMs }),
    },
  }
}

/** What is not equal with a peer's copy of the store. */
export function replicaReasons(replica: ReplicaSnapshot, around: Circumstances): readonly Reason[] {
  const { sync, peer, lastFailure } = replica
  if (sync === 'synced') return []
  const isRefused = lastFailure?.refused === true
  const reasons: Reason[] = isRefused ? [storeRefusedReason(peer, lastFailure)] : []
  if (peer.connected && sync === 'differs') return [...reasons, differsReason(replica, around)]
  if (peer.connected && !isRefused && peer.troubles.refusal === undefined) {
    const what = `${peerText(peer)} is connected and has not said yet what it holds`
    reasons.push({ severity: 'info', code: 'peer_unknown_digest', what, peer })
  }
  return [...reasons, ...behindReasons(replica, around)]
}

function storeRefusedReason(
  peer: PeerSnapshot,
  { code, message, atMs }: { readonly code: string; readonly message: string; readonly atMs: number },
): Reason {
  const name = peerText(peer)
  const list = `look at \`lattice store list\` and \`lattice why\` on ${name}`
  const epochs = `compare \`lattice store debug epochs\` here and on ${name}: of two that removed each other one leaves the store and joins by a new invite`
  const what =
    code === 'STORE_NOT_FOUND'
      ? `${name} says that it has no such store: it left it, does not have it yet, or does not count this node among its peers`
      : `${name} does not exchange the store: ${withoutStop(message)}`
  return {
    severity: 'warning',
    code: 'peer_refused',
    what,
    remedy: code === 'REVOKED' ? epochs : list,
    peer,
    detail: { code, atMs },
  }
}

function differsReason({ peer, lag, isSyncing, lastFailure }: ReplicaSnapshot, { nowMs }: Circumstances): Reason {
  const name = peerText(peer)
  const broken = lastFailure?.refused === false ? lastFailure : undefined
  const sinceMs = lag?.unseenSinceMs
  const isLong = sinceMs !== undefined && nowMs - sinceMs > DIFFERS_LONG_MS
  const going = isSyncing ? 'an exchange is under way' : 'an exchange follows by itself'
  const last = broken === undefined ? '' : `; the last one failed: ${withoutStop(broken.message)}`
  return {
    severity: broken !== undefined || isLong ? 'warning' : 'info',
    code: 'peer_differs',
    what: `${name} is connected and does not hold the same${sinceMs === undefined ? '' : `, for ${durationText(nowMs - sinceMs)}`}: ${going}${last}`,
    remedy: broken === undefined && !isLong ? '' : '`lattice store sync` exchanges at once and says what came of it',
    peer,
    detail: {
      isSyncing,
      ...(lag === undefined ? {} : { unseen: lag.unseen }),
      ...(sinceMs === undefined ? {} : { sinceMs }),
      ...(broken === undefined ? {} : { code: broken.code }),
    },
  }
}

function behindReasons({ peer, lag }: ReplicaSnapshot, { nowMs }: Circumstances): readonly Reason[] {
  if (lag === undefined || lag.unseen === 0) return []
  const { unseen, unseenSinceMs = nowMs } = lag
  return [
    {
      severity: peer.dormant || peer.online ? 'info' : 'warning',
      code: 'peer_behind',
      what: `${peerText(peer)} has not shown to have seen ${plural(unseen, 'intention')}, the first here for ${durationText(nowMs - unseenSinceMs)}`,
      remedy: peer.online ? '' : `start ${peerText(peer)}`,
      peer,
      detail: { unseen, sinceMs: unseenSinceMs },
    },
  ]
}
