/**
 * What a store lacks by itself, whoever its peers are.
 *
 * Pure: facts in, reasons out. Each is said only of what the facts bear out.
 *
 * @module
 */
import { toHex } from '@lattice/model'
import { shortId } from '../errors.ts'
import { DAMAGE_CODES, isPassingCode } from '../failure.ts'
import type { StoreFailure } from '../store-types.ts'
import { epochReasons, FRESH_MS } from './epoch-reasons.ts'
import { hexOf, type Reason } from './finding.ts'
import { floatingReasons } from './floating-reasons.ts'
import type { BootstrapSnapshot, Circumstances, OpenSnapshot, StoreSnapshot } from './store-snapshot.ts'
import { countText, durationText, listText, peerText, plural, withoutStop } from './words.ts'
import { heldOnly } from '../write-hold.ts'

export function storeReasons(snapshot: StoreSnapshot, around: Circumstances): readonly Reason[] {
  const { open, bootstrap, failure, state } = snapshot
  return [
    ...(state === 'failed' && failure !== undefined ? [failedReason(snapshot, failure)] : []),
    ...(state === 'creating' ? [CREATING] : []),
    ...(state === 'revoked' ? [revokedReason(snapshot)] : []),
    ...(bootstrap === undefined ? [] : [bootstrapReason(bootstrap)]),
    ...awaitingReason(snapshot),
    ...(snapshot.isCutApart ? [cutApartReason(snapshot)] : []),
    ...(open === undefined ? [] : openReasons(snapshot, open, around)),
  ]
}

const CREATING: Reason = {
  severity: 'info',
  code: 'creating',
  what: 'the store is still being created: it waits for its parent to be in use',
}

function revokedReason({ ref }: StoreSnapshot): Reason {
  return {
    severity: 'problem',
    code: 'self_revoked',
    what: 'this node was removed from the store: it can read what it has, and what it writes would count nowhere',
    remedy: `ask an admin for a new invitation; \`lattice --store ${shortId(ref.id)} store debug excluded\` shows what was cut`,
  }
}

function cutApartReason({ ref }: StoreSnapshot): Reason {
  const id = shortId(ref.id)
  return {
    severity: 'problem',
    code: 'cut_apart',
    what: 'history was deleted here, and by others that did not know of it: neither can take in what the other has',
    remedy: `on one side export what is to be kept, then \`lattice store leave ${id} --force\` and join by a new invite`,
  }
}

function failedReason({ ref }: StoreSnapshot, { code, message }: StoreFailure): Reason {
  const isDamage = DAMAGE_CODES.has(code)
  const id = shortId(ref.id)
  return {
    severity: 'problem',
    code: 'store_failed',
    what: `the store cannot be used: ${withoutStop(message)}`,
    remedy: isDamage
      ? `\`lattice store verify ${id}\` says what is damaged, \`lattice store repair ${id}\` mends it`
      : remedyOf(code),
    detail: { code },
  }
}

/** For a store that failed for another reason than damage. */
export function remedyOf(code: StoreFailure['code']): string {
  return isPassingCode(code)
    ? 'mend what it says; it is tried again by itself'
    : 'mend what it says, then start the node again'
}

function bootstrapReason({ peers, attempts, lastFailure, progress }: BootstrapSnapshot): Reason {
  const names = listText(peers.map(peerText))
  const detail = {
    peers: hexOf(peers.map(({ publicKey }) => publicKey)),
    attempts,
    ...(lastFailure === undefined ? {} : { code: lastFailure.code }),
    ...progress,
  }
  const far =
    progress === undefined ? '' : `, ${countText(progress.done)} of ${plural(progress.total, 'record')} so far`
  if (peers.length === 0) {
    return {
      severity: 'warning',
      code: 'bootstrapping',
      what: 'the store is not here yet, and no peer to fetch it from is known',
      remedy: 'connect a peer that has its parent, or ask for a token and join with it',
      detail,
    }
  }
  if (lastFailure === undefined) {
    return { severity: 'info', code: 'bootstrapping', what: `the store is being fetched from ${names}${far}`, detail }
  }
  return {
    severity: 'warning',
    code: 'bootstrapping',
    what: `the store is not all here yet${far}: ${plural(attempts, 'attempt')} to fetch it from ${names} failed, the last with: ${withoutStop(lastFailure.message)}`,
    remedy: 'start one of these peers; it is tried again by itself',
    detail,
  }
}

function awaitingReason({ awaiting }: StoreSnapshot): readonly Reason[] {
  if (awaiting.length === 0) return []
  const names = listText(awaiting.map(peerText))
  return [
    {
      severity: 'warning',
      code: 'destroy_awaiting',
      what: `the store is destroyed, and its data stays until ${names} ${awaiting.length === 1 ? 'has' : 'have'} acknowledged that`,
      remedy: `start ${names}`,
      detail: { peers: hexOf(awaiting.map(({ publicKey }) => publicKey)) },
    },
  ]
}

function openReasons(snapshot: StoreSnapshot, open: OpenSnapshot, around: Circumstances): readonly Reason[] {
  const { held, headless, storeType, rejections } = open
  const id = shortId(snapshot.ref.id)
  const reasons: Reason[] = [...projectionReasons(snapshot, open, around)]
  if (held !== undefined) {
    const what = `this node does not write yet: ${heldOnly(held)}`
    const remedy = `or run \`lattice store repair --accept-fork ${id}\` to write without waiting`
    reasons.push({ severity: 'warning', code: 'writes_held', what, remedy })
  }
  reasons.push(...floatingReasons(open.floating), ...forkReasons(open), ...epochReasons(snapshot.ref, open, around))
  reasons.push(...replicationReasons(open, around))
  if (headless) {
    reasons.push({
      severity: 'info',
      code: 'headless',
      what: `nothing here opens stores of type \`${storeType}\`: it is received, kept and served, its data unread`,
      remedy: 'install what opens this type to read it here',
      detail: { storeType },
    })
  }
  if (rejections > 0) {
    reasons.push({
      severity: 'info',
      code: 'rejections',
      what: `${plural(rejections, 'operation')} did nothing, on every node alike, because a rule refused ${rejections === 1 ? 'it' : 'them'}`,
      remedy: `\`lattice --store ${id} store debug rejections\` says which and why`,
      detail: { count: rejections },
    })
  }
  return reasons
}

function projectionReasons({ ref }: StoreSnapshot, open: OpenSnapshot, { nowMs }: Circumstances): readonly Reason[] {
  const { stalled, projection } = open
  const behind = projection.headSeq - projection.appliedSeq
  const id = shortId(ref.id)
  if (stalled === undefined) {
    if (behind === 0) return []
    const what = `${plural(behind, 'intention')} of ${projection.headSeq} are still being projected`
    return [{ severity: 'info', code: 'projecting', what, detail: { ...projection } }]
  }
  const { seq, code, message, sinceMs } = stalled
  const detail = { seq, id: toHex(stalled.id), code, sinceMs, behind }
  if (code === 'SCHEMA_TOO_NEW') {
    const what = `projection waits at record ${seq} for an upgrade: ${withoutStop(message)}`
    const remedy = 'upgrade this node; it goes on from there, with nothing skipped'
    return [{ severity: 'problem', code: 'upgrade_needed', what, remedy, detail }]
  }
  return [
    {
      severity: 'problem',
      code: 'projection_stalled',
      what: `projection stands still at record ${seq} for ${durationText(nowMs - sinceMs)}, ${plural(behind, 'intention')} behind: ${withoutStop(message)}`,
      remedy: `mend what it says, then \`lattice --store ${id} store retry\`, or \`lattice --store ${id} store rebuild\` to project anew`,
      detail,
    },
  ]
}

function forkReasons({ openForks }: OpenSnapshot): readonly Reason[] {
  return openForks.map((author) => ({
    severity: 'warning',
    code: 'forked_open',
    what: `${peerText(author)} wrote on two branches and has not joined them: a backup was restored there, or its key is used twice`,
    remedy: `write once on ${peerText(author)}: that joins the branches; if its key is used on two machines, stop one`,
    peer: author,
  }))
}

function replicationReasons(open: OpenSnapshot, { nowMs }: Circumstances): readonly Reason[] {
  const { replicas, unreplicated, isToldAbove } = open
  if (replicas.length === 0) {
    if (isToldAbove) return []
    return [
      {
        severity: 'info',
        code: 'alone',
        what: 'the store has no other peer: its data is on this machine only',
        remedy: 'invite one with `lattice peer invite`, or back it up with `lattice backup DIR`',
      },
    ]
  }
  if (unreplicated === undefined || unreplicated.unseen === 0) return []
  const { unseen, unseenSinceMs = nowMs } = unreplicated
  const names = listText(replicas.map(({ peer }) => peerText(peer)))
  return [
    {
      severity: nowMs - unseenSinceMs < FRESH_MS ? 'info' : 'warning',
      code: 'not_replicated',
      what: `${plural(unseen, 'intention')}, the first from ${durationText(nowMs - unseenSinceMs)} ago, ${unseen === 1 ? 'is' : 'are'} not known to be on any other machine`,
      remedy: replicas.length === 1 ? `connect ${names}` : `connect one of ${names}`,
      detail: { count: unseen, sinceMs: unseenSinceMs },
    },
  ]
}
