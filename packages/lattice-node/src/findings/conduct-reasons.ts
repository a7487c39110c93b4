/**
 * What a peer is held back for: what it did wrong, and what it used up.
 *
 * Pure: facts in, reasons out.
 *
 * @module
 */
import type { Reason } from './finding.ts'
import type { PeerSnapshot } from './store-snapshot.ts'
import { durationText, listText, peerText, withoutStop } from './words.ts'

/** Nothing of a peer that did nothing wrong of late, and has something left of everything. */
export function conductReasons(peer: PeerSnapshot): readonly Reason[] {
  const { conduct, mutedForMs } = peer
  const used = conduct.drained.length === 0 ? [] : [heldBackReason(peer)]
  if (mutedForMs > 0) return [shutOutReason(peer)]
  if (conduct.standing === 'muted') return [unservedReason(peer), ...used]
  return conduct.score > 0 ? [scoredReason(peer), ...used] : used
}

function shutOutReason(peer: PeerSnapshot): Reason {
  const { mutedForMs } = peer
  return {
    severity: 'warning',
    code: 'peer_muted',
    what: `${peerText(peer)} is shut out for another ${durationText(mutedForMs)}${forWhat(peer)}`,
    remedy: remedyFor(peer),
    peer,
    detail: { mutedForMs, ...codeOf(peer) },
  }
}

function unservedReason(peer: PeerSnapshot): Reason {
  const { score } = peer.conduct
  return {
    severity: 'warning',
    code: 'peer_unserved',
    what: `${peerText(peer)} is not served until its score, ${score} of 100, is below 50${forWhat(peer)}`,
    remedy: remedyFor(peer),
    peer,
    detail: { score, ...codeOf(peer) },
  }
}

function scoredReason(peer: PeerSnapshot): Reason {
  const { score } = peer.conduct
  return {
    severity: 'info',
    code: 'peer_scored',
    what: `${peerText(peer)} did wrong of late and has a score of ${score} of 100${forWhat(peer)}`,
    remedy: '',
    peer,
    detail: { score, ...codeOf(peer) },
  }
}

function heldBackReason(peer: PeerSnapshot): Reason {
  const { drained } = peer.conduct
  return {
    severity: 'info',
    code: 'peer_held_back',
    what: `${peerText(peer)} asks for more than it may and is held back: ${listText(drained)}`,
    remedy: '',
    peer,
    detail: { drained },
  }
}

function forWhat({ troubles: { misbehaviour } }: PeerSnapshot): string {
  return misbehaviour === undefined ? '' : `: ${withoutStop(misbehaviour.message)}`
}

function codeOf({ troubles: { misbehaviour } }: PeerSnapshot): { readonly code?: string } {
  return misbehaviour === undefined ? {} : { code: misbehaviour.code }
}

function remedyFor(peer: PeerSnapshot): string {
  return `check that ${peerText(peer)} runs a compatible, unmodified version`
}
