/**
 * What a store's epochs wait for, and whether its nodes have come to the same state.
 *
 * Pure: facts in, reasons out.
 *
 * @module
 */
import { toHex } from '@lattice/model'
import { shortId } from '../errors.ts'
import { hexOf, type Reason, type StoreRef } from './finding.ts'
import type { Circumstances, DivergedSnapshot, OpenSnapshot } from './store-snapshot.ts'
import { listText, peerText, withoutStop } from './words.ts'

/** Younger than this, what no peer has shown to hold may well be on its way: acks come some seconds later. */
export const FRESH_MS = 60_000

export function epochReasons(ref: StoreRef, open: OpenSnapshot, around: Circumstances): readonly Reason[] {
  return [
    ...settlementReasons(open, around),
    ...open.diverged.map((diverged) => divergenceReason(ref, diverged)),
    ...snapshotReasons(open),
  ]
}

/** Acks come some seconds after an epoch; who is silent for longer is away. */
function settlementReasons({ unsettled }: OpenSnapshot, { nowMs }: Circumstances): readonly Reason[] {
  if (unsettled === undefined || unsettled.waitingFor.length === 0) return []
  const { seq, epoch, sinceMs, waitingFor } = unsettled
  const names = listText(waitingFor.map(peerText))
  return [
    {
      severity: nowMs - sinceMs < FRESH_MS ? 'info' : 'warning',
      code: 'not_settled',
      what: `epoch ${seq} is not settled: ${names} ${waitingFor.length === 1 ? 'has' : 'have'} not acknowledged it`,
      remedy: `connect ${names}; one that stays away is passed over once it is dormant: \`lattice peer dormant\``,
      detail: { epoch: toHex(epoch), peers: hexOf(waitingFor.map(({ publicKey }) => publicKey)) },
    },
  ]
}

/** Which of the two is wrong nobody can say; more voices make it likely. */
function divergenceReason(ref: StoreRef, { epoch, seq, ownRoot, others, isOutvoted }: DivergedSnapshot): Reason {
  const names = listText(others.map(({ peer }) => peerText(peer)))
  const id = shortId(ref.id)
  const detail = {
    epoch: toHex(epoch),
    ...(ownRoot && { ownRoot: toHex(ownRoot) }),
    others: others.map(({ peer, root }) => ({ peer: toHex(peer.publicKey), root: toHex(root) })),
  }
  if (ownRoot === undefined) {
    const what = `peers have come to different states at epoch ${seq}, as ${names} signed; nothing is pruned while that stands`
    return { severity: 'problem', code: 'state_divergence', what, remedy: `compare the versions of ${names}`, detail }
  }
  return {
    severity: 'problem',
    code: 'state_divergence',
    what: `${names} signed another state at epoch ${seq} than this node came to${isOutvoted ? ', whose own is likely to be the wrong one' : ''}; nothing is pruned while that stands`,
    remedy: `compare the versions of both, then \`lattice store verify --full ${id}\`: with damage or an older version here, \`lattice store rebuild ${id}\` makes state anew`,
    detail,
  }
}

function snapshotReasons({ snapshotFailure }: OpenSnapshot): readonly Reason[] {
  if (snapshotFailure === undefined) return []
  const { code, message } = snapshotFailure
  return [
    {
      severity: 'warning',
      code: 'snapshot_failed',
      what: `the state at the newest epoch cannot be kept: ${withoutStop(message)}`,
      remedy: 'mend what it says; it is tried again by itself',
      detail: { code },
    },
  ]
}
