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
import type { Circumstances, DivergedSnapshot, OpenSnapshot, PruningSnapshot } from './store-snapshot.ts'
import { listText, peerText, plural, withoutStop } from './words.ts'

/** Younger than this, what no peer has shown to hold may well be on its way: acks come some seconds later. */
export const FRESH_MS = 60_000

export function epochReasons(ref: StoreRef, open: OpenSnapshot, around: Circumstances): readonly Reason[] {
  return [
    ...settlementReasons(open, around),
    ...open.diverged.map((diverged) => divergenceReason(ref, diverged)),
    ...snapshotReasons(open),
    ...pruningReasons(ref, open, around),
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

function pruningReasons(
  ref: StoreRef,
  { pruning, stranded }: OpenSnapshot,
  { nowMs }: Circumstances,
): readonly Reason[] {
  const reasons: Reason[] = pruning === undefined || pruning.state === 'pruning' ? [] : [pruningReason(pruning, nowMs)]
  if (stranded > 0) {
    const id = shortId(ref.id)
    reasons.push({
      severity: 'warning',
      code: 'writes_stranded',
      what: `${plural(stranded, 'write')} of this node lost ${stranded === 1 ? 'its' : 'their'} causes, which were deleted while it was away, and ${stranded === 1 ? 'counts' : 'count'} nowhere`,
      remedy: `\`lattice --store ${id} store debug stranded\` shows what, and what to do, \`lattice store resubmit ${id}\` writes anew what can be`,
      detail: { count: stranded },
    })
  }
  return reasons
}

function pruningReason({ epoch, sinceMs, waitsOn, waitsFor, failure }: PruningSnapshot, nowMs: number): Reason {
  const names = listText(waitsFor.map(peerText))
  const detail = { epoch: toHex(epoch), peers: hexOf(waitsFor.map(({ publicKey }) => publicKey)) }
  if (failure !== undefined) {
    const what = `history cannot be deleted: ${withoutStop(failure.message)}`
    return { severity: 'warning', code: 'prune_failed', what, remedy: 'mend what it says; it is tried again', detail }
  }
  const isLate = nowMs - sinceMs >= FRESH_MS
  const severity = isLate ? 'warning' : 'info'
  if (waitsFor.length > 0) {
    return {
      severity,
      code: 'prune_waiting',
      what: `history is not deleted yet: ${names} ${waitsFor.length === 1 ? 'has' : 'have'} not acknowledged the epoch that says so`,
      remedy: `connect ${names}; one that stays away is passed over once it is dormant: \`lattice peer dormant\``,
      detail,
    }
  }
  return {
    severity,
    code: 'prune_waiting',
    what: `history is not deleted yet: ${WAITS[waitsOn ?? 'finality']}`,
    detail,
  }
}

const WAITS: Readonly<Record<NonNullable<PruningSnapshot['waitsOn']>, string>> = {
  settlement: 'peers have not acknowledged the epoch that says so',
  finality: 'too few peers have signed the same state at the epoch that says so',
  agreement: 'nodes have come to different states',
  snapshot: 'this node has not kept the state at the epoch that says so; one that does not read the store never does',
  state: 'state in use has not come as far as the epoch that says so',
  beside:
    'writes are here that were made beside the epoch that says so, and that not every node can place: a later prune takes them along',
}
