/**
 * The rules of membership of a store that has its parent's peers.
 *
 * Nobody is admitted or removed here. An epoch of this store follows one of the parent's and takes over what stands removed
 * there, so that all nodes agree where in this store a peer's writes end. What the parent says of an epoch may change when
 * more of the parent arrives; then the view of this store changes with it, and comes to the same wherever both stores are.
 *
 * One that names what never comes there would leave it open for ever what is cut here. So an admin can have such an epoch
 * count for nothing, by an epoch that has it in its past: then nothing depends on what it names. Nobody gets out of an own
 * removal by it, and one that was to count is made again by whoever finds the two stores to differ.
 *
 * @module
 */
import {
  compareBytes,
  equalBytes,
  isAscending,
  idKey,
  type IdKey,
  type IntentionId,
  type PublicKey,
  readPublicKey,
  type StoreId,
} from '@lattice/model'
import type { weaver } from '@lattice/proto'
import {
  type Cutoff,
  type EpochFault,
  type EpochPermission,
  type EpochWish,
  MAX_SET_ASIDE,
  mayComeToCount,
  type MembershipHistory,
  type MembershipPolicy,
  type MembershipRecord,
  type MembershipView,
  type Removal,
} from '@lattice/store-base'
import { createPasts, type Pasts } from './pasts.ts'
import { refused } from './permit.ts'
import { type EpochClaim, levelOf, readEpochClaim, readRecord } from './records.ts'
import { takenBy } from './resolve.ts'

/** What stands removed by an epoch of the parent and by those in its past, or why it has no effect. */
export type ParentEpoch =
  | {
      readonly fault: undefined
      /** The least that is left of each peer; without those that were admitted again in the epoch's past. */
      readonly removals: readonly Removal[]
    }
  | { readonly fault: EpochFault }

/** What a store is told of its parent. All answers are of the parent as it is known now, unless {@link within}. */
export interface ParentPeers {
  readonly id: StoreId
  /** `parent_unknown` while it is not here. */
  readonly epoch: (id: IntentionId) => ParentEpoch
  /** The same of the parent as it is by these epochs, as far as they are here, and by what is in their past. */
  readonly within: (epochs: readonly IntentionId[]) => ParentPeers
  /** Peers that may write and are not away, in any order. */
  readonly active: () => readonly PublicKey[]
  /** True for a peer that was made an ADMIN, also if that was taken from it: what it does after that is cut off here. */
  readonly wasAdmin: (peer: PublicKey) => boolean
  /** True for a peer of which an epoch that counts took a right, also if it is back. */
  readonly wasRemoved: (peer: PublicKey) => boolean
  readonly isAdmin: (peer: PublicKey) => boolean
  /** True for an epoch that is in the past of another; false where one of them is not here. */
  readonly isBefore: (epoch: IntentionId, other: IntentionId) => boolean
  readonly isSenior: (a: PublicKey, b: PublicKey) => boolean
}

interface InheritedEpoch {
  readonly at: number
  readonly record: MembershipRecord
  readonly claim: EpochClaim
  /** Empty but for one that follows the parent. */
  readonly removals: readonly Removal[]
}

interface Resolved {
  readonly standing: readonly InheritedEpoch[]
  /** By their own past alone, whatever the parent says. */
  readonly valid: readonly InheritedEpoch[]
  readonly faults: ReadonlyMap<IdKey, EpochFault>
  readonly cutoffsOf: (author: PublicKey) => readonly Cutoff[]
  readonly pasts: Pasts
}

const WRITER_LEVEL = levelOf('writer')

/** Ask for a new view whenever the parent's changes. */
export function createInheritedMembershipPolicy(parent: ParentPeers): MembershipPolicy {
  return {
    isRecord: (op) => op.kind === 'genesis' || op.kind === 'epoch',
    resolve: (history) => viewOf(resolveInherited(history, parent), parent),
    resolvePast: (history) => {
      const then = parent.within(namedIn(history, parent.id))
      return viewOf(resolveInherited(history, then), then)
    },
    permit: (history, author, wish) => permitInherited(resolveInherited(history, parent), parent, { author, wish }),
  }
}

/** The epochs of the parent that those of a history name. */
function namedIn({ records }: MembershipHistory, parent: StoreId): readonly IntentionId[] {
  return records.flatMap((record) => {
    const meaning = readRecord(record)
    const named = meaning.kind === 'epoch' ? meaning.parent : undefined
    return named !== undefined && equalBytes(named.store, parent) ? [named.epoch] : []
  })
}

function resolveInherited({ records: given, follows }: MembershipHistory, parent: ParentPeers): Resolved {
  const records = given.toSorted((a, b) => a.generation - b.generation || compareBytes(a.id, b.id))
  const pasts = createPasts({ records, follows })
  const faults = new Map<IdKey, EpochFault>()
  const valid: InheritedEpoch[] = []
  for (const [at, record] of records.entries()) {
    const meaning = readRecord(record)
    if (meaning.kind === 'malformed_epoch') faults.set(idKey(record.id), 'removals_malformed')
    if (meaning.kind !== 'epoch') continue
    const named = meaning.parent && parentEpochOf(meaning.parent, parent)
    const fault = faultOf({ at, author: record.author, claim: meaning, valid, pasts }, parent) ?? named?.fault
    if (fault !== undefined) faults.set(idKey(record.id), fault)
    // What may come to count, or not to, is one of its successors' past either way.
    if (fault === undefined || mayComeToCount(fault)) {
      const removals = named?.fault === undefined ? (named?.removals ?? []) : []
      valid.push({ at, record, claim: meaning, removals })
    }
  }
  const known = valid.filter(({ record }) => !faults.has(idKey(record.id)))
  for (const epoch of setAside(known, { pasts, parent })) faults.set(idKey(epoch), 'set_aside')
  const counting = known.filter(({ record }) => !faults.has(idKey(record.id)))
  const standing = decide(counting, { pasts, parent })
  for (const epoch of counting) if (!standing.includes(epoch)) faults.set(idKey(epoch.record.id), 'outranked')
  return { standing, valid, faults, pasts, cutoffsOf: (author) => cutoffsIn(standing, { pasts, parent }, author) }
}

/**
 * What is set aside by these epochs. An author that was removed has no say, whether or not that epoch is set aside itself, so
 * that what somebody else may do about it is not to be had by oneself.
 */
function setAside(epochs: readonly InheritedEpoch[], about: About): readonly IntentionId[] {
  return epochs.flatMap((epoch) => {
    const { aside } = epoch.claim
    return aside.length === 0 || isCutBy(epochs, epoch, { ...about, epochs }) ? [] : aside
  })
}

/**
 * Of another store than the parent there is none, by the bytes alone. The rest depends on what of the parent is here, so no
 * verdict for ever follows from it.
 */
function parentEpochOf({ store, epoch }: NonNullable<EpochClaim['parent']>, parent: ParentPeers): ParentEpoch {
  if (!equalBytes(store, parent.id)) return { fault: 'not_entitled' }
  const named = parent.epoch(epoch)
  return named.fault === undefined || named.fault === 'parent_unknown' ? named : { fault: 'parent_void' }
}

/** By itself and what its author was in the parent. Who is active there now is no matter: it is not the same for ever. */
function faultOf(
  epoch: {
    readonly at: number
    readonly author: PublicKey
    readonly claim: EpochClaim
    readonly valid: readonly InheritedEpoch[]
    readonly pasts: Pasts
  },
  parent: ParentPeers,
): EpochFault | undefined {
  const { at, author, claim, valid, pasts } = epoch
  const before = valid.filter((each) => pasts.follows(at, each.at))
  // Peers are removed in the parent.
  if (claim.cause === 'membership') return 'not_entitled'
  if (claim.cause === 'joinOfEpochs' && !hasSeveralHeads(before, pasts)) return 'not_entitled'
  if (claim.seq !== before.reduce((next, each) => (each.claim.seq >= next ? each.claim.seq + 1n : next), 0n))
    return 'seq_wrong'
  if (!areKeys(claim.requiredAcks, author)) return 'required_acks_wrong'
  const { below } = claim
  if (below !== undefined && !before.some(({ record }) => equalBytes(record.id, below))) return 'below_wrong'
  if (!areFollowing(claim.aside, before)) return 'aside_wrong'
  // What the parent says is not known yet, or never will be: it may count later, so it is not judged for ever.
  return isPrivileged(claim) && !parent.wasAdmin(author) ? 'admin_unknown' : undefined
}

function isPrivileged({ cause }: EpochClaim): boolean {
  return cause === 'initial' || cause === 'prune' || cause === 'key' || cause === 'setAside'
}

/** True where all of them are among these epochs, and follow the parent. */
function areFollowing(named: readonly IntentionId[], epochs: readonly InheritedEpoch[]): boolean {
  return named.every((id) => epochs.some(({ record, claim }) => claim.cause === 'parent' && equalBytes(record.id, id)))
}

/** Keys, ascending, each once, and not the author's. */
function areKeys(keys: readonly Uint8Array[], author: PublicKey): boolean {
  return isAscending(keys) && keys.every((key) => readPublicKey(key) !== undefined && !equalBytes(key, author))
}

function hasSeveralHeads(epochs: readonly InheritedEpoch[], pasts: Pasts): boolean {
  const last = epochs.at(-1)
  return last !== undefined && epochs.some(({ at }) => at !== last.at && !pasts.follows(last.at, at))
}

/** What a question about epochs is answered by. */
interface About {
  readonly pasts: Pasts
  readonly parent: ParentPeers
}

/**
 * Those of peers that nobody removed first, whoever follows the parent for the others, and then those of senior ones: one
 * stands unless one that stands cuts its author, and nothing in its past repairs that, nor it itself.
 */
function decide(epochs: readonly InheritedEpoch[], about: About): readonly InheritedEpoch[] {
  const { parent } = about
  const standing: InheritedEpoch[] = []
  const roundOf = ({ record }: InheritedEpoch): number => (parent.wasRemoved(record.author) ? 1 : 0)
  const inTurn = epochs.toSorted(
    (one, other) =>
      roundOf(one) - roundOf(other) ||
      compareTurns(parent, one.record.author, other.record.author) ||
      one.at - other.at,
  )
  for (const epoch of inTurn) if (!isCutBy(standing, epoch, { ...about, epochs })) standing.push(epoch)
  return standing
}

/**
 * True where somebody else's among these took the author's right, and it is not in the past of that nor made after a return,
 * nor follows that return itself: whoever is back alone has nobody else to do it. Who came back to read alone has no say: for
 * that it takes more. `epochs`: among which an admission may be followed again.
 */
function isCutBy(
  by: readonly InheritedEpoch[],
  epoch: InheritedEpoch,
  about: About & { readonly epochs: readonly InheritedEpoch[] },
): boolean {
  const { author } = epoch.record
  const least = isPrivileged(epoch.claim) ? levelOf('admin') : WRITER_LEVEL
  return by.some((cut) => {
    if (compareBytes(cut.record.author, author) === 0 || about.pasts.follows(cut.at, epoch.at)) return false
    const isTaken = cut.removals.some(
      ({ peer, remains }) => compareBytes(peer, author) === 0 && levelOf(remains) < least,
    )
    const readmission: Readmission = { ...about, by: cut, remains: 'reader', peer: author }
    return isTaken && !isReturn(epoch, readmission) && !isReadmitted({ ...readmission, at: epoch.at })
  })
}

function compareTurns(parent: ParentPeers, a: PublicKey, b: PublicKey): number {
  if (parent.isSenior(a, b)) return -1
  if (parent.isSenior(b, a)) return 1
  return compareBytes(a, b)
}

interface Readmission extends About {
  readonly epochs: readonly InheritedEpoch[]
  /** The epoch that cuts. */
  readonly by: InheritedEpoch
  /** More than this is left to who was admitted again. */
  readonly remains: Removal['remains']
  readonly peer: PublicKey
}

function isReadmitted({ at, ...readmission }: Readmission & { readonly at: number }): boolean {
  return readmissionsOf(readmission).some((epoch) => readmission.pasts.follows(at, epoch.at))
}

function readmissionsOf(readmission: Readmission): readonly InheritedEpoch[] {
  return readmission.epochs.filter((epoch) => isReturn(epoch, readmission))
}

/** True for a later epoch that follows the peer's return. */
function isReturn({ at, claim, removals }: InheritedEpoch, readmission: Omit<Readmission, 'epochs'>): boolean {
  const { pasts, by } = readmission
  return pasts.follows(at, by.at) && isBackAt({ named: claim.parent, removals }, readmission)
}

/**
 * True for an epoch of the parent that comes after the one by which the peer was removed, and leaves it more: it was admitted again
 * there, if only to read. Before it was removed nothing was taken from it either.
 */
function isBackAt(
  { named, removals }: Pick<InheritedEpoch, 'removals'> & { readonly named: EpochClaim['parent'] },
  { parent, by, remains, peer }: Omit<Readmission, 'epochs' | 'pasts'>,
): boolean {
  const cut = by.claim.parent
  if (named === undefined || cut === undefined || !parent.isBefore(cut.epoch, named.epoch)) return false
  const still = removals.find((removal) => compareBytes(removal.peer, peer) === 0)
  return still === undefined || levelOf(still.remains) > levelOf(remains)
}

function cutoffsIn(standing: readonly InheritedEpoch[], about: About, author: PublicKey): readonly Cutoff[] {
  return standing
    .toSorted((one, other) => one.at - other.at)
    .flatMap((by) => {
      const { record, removals } = by
      const removal = removals.find(({ peer }) => compareBytes(peer, author) === 0)
      if (removal === undefined) return []
      const { remains } = removal
      const readmissions = readmissionsOf({ ...about, epochs: standing, by, remains, peer: author })
      return [{ epoch: record.id, remains, readmissions: readmissions.map((each) => each.record.id) }]
    })
}

function viewOf({ standing, faults, cutoffsOf }: Resolved, parent: ParentPeers): MembershipView {
  const removals = new Map(standing.map((epoch) => [idKey(epoch.record.id), epoch.removals]))
  const limited = new Map(
    standing.flatMap((epoch) => epoch.removals.map(({ peer }): [IdKey, PublicKey] => [idKey(peer), peer])),
  )
  return {
    faultOf: (epoch) => (removals.has(idKey(epoch)) ? undefined : (faults.get(idKey(epoch)) ?? 'not_entitled')),
    removalsOf: (epoch) => removals.get(idKey(epoch)) ?? [],
    cutoffsOf,
    // Who is admitted is the parent's to say, and asked of whoever knows it.
    isHeard: () => true,
    limited: () => [...limited.values()].toSorted(compareBytes),
    active: () => parent.active().toSorted(compareBytes),
    // Who is away is the parent's to say as well.
    leftBy: (peer) => takenBy(cutoffsOf(peer)),
    isAdmin: parent.isAdmin,
    isSenior: parent.isSenior,
    mayOutrank: (peer, id) => {
      const epoch = standing.find(({ record }) => equalBytes(record.id, id))
      return epoch !== undefined && compareTurns(parent, peer, epoch.record.author) < 0
    },
    mayReturn: (peer) => limited.has(idKey(peer)) && parent.active().some((other) => equalBytes(other, peer)),
    hasSay: (author, op) =>
      op.kind === 'epoch' &&
      (followsOwnReturn(op.value, { standing, parent, author }) ||
        standing.some(({ record, removals: taken }) => {
          const order = compareTurns(parent, author, record.author)
          return order < 0 ? taken.length > 0 : order === 0 && taken.some(({ peer }) => equalBytes(peer, author))
        })),
  }
}

/** Whether an epoch of a peer that was removed names one of the parent by which that is back. */
function followsOwnReturn(
  op: weaver.EpochOp,
  {
    standing,
    parent,
    author,
  }: Pick<Resolved, 'standing'> & { readonly parent: ParentPeers; readonly author: PublicKey },
): boolean {
  const named = readEpochClaim(op)?.parent
  const found = named && parentEpochOf(named, parent)
  if (found === undefined || found.fault !== undefined) return false
  return standing.some(
    (by) =>
      by.removals.some(({ peer }) => equalBytes(peer, author)) &&
      isBackAt({ named, removals: found.removals }, { parent, by, remains: 'reader', peer: author }),
  )
}

function permitInherited(
  { standing, valid, pasts }: Resolved,
  parent: ParentPeers,
  { author, wish }: { readonly author: PublicKey; readonly wish: EpochWish },
): EpochPermission {
  const active = parent.active().toSorted(compareBytes)
  const isActive = active.some((peer) => compareBytes(peer, author) === 0)
  const allowed = (removals: readonly Removal[] = []): EpochPermission => {
    const out = new Set(
      removals.filter(({ remains }) => levelOf(remains) < WRITER_LEVEL).map(({ peer }) => idKey(peer)),
    )
    const requiredAcks = active.filter((peer) => compareBytes(peer, author) !== 0 && !out.has(idKey(peer)))
    return { kind: 'allowed', requiredAcks }
  }
  switch (wish.kind) {
    case 'initial':
      return isActive && parent.isAdmin(author) ? allowed() : refused('not_admin')
    case 'prune': {
      if (!isActive || !parent.isAdmin(author)) return refused('not_admin')
      const { below } = wish
      const isKnown = below === undefined || standing.some(({ record }) => equalBytes(record.id, below))
      return isKnown ? allowed() : refused('below_unknown')
    }
    case 'set_aside': {
      if (!isActive || !parent.isAdmin(author)) return refused('not_admin')
      const isBounded = wish.epochs.length > 0 && wish.epochs.length <= MAX_SET_ASIDE
      return isBounded && areFollowing(wish.epochs, valid) ? allowed() : refused('aside_unknown')
    }
    case 'membership':
      // Peers are removed in the parent.
      return refused('not_admin')
    case 'join_of_epochs':
      if (!isActive) return refused('not_a_peer')
      return hasSeveralHeads(
        standing.toSorted((one, other) => one.at - other.at),
        pasts,
      )
        ? allowed()
        : refused('nothing_to_join')
    case 'parent': {
      if (!isActive) return refused('not_a_peer')
      const named = parentEpochOf(wish, parent)
      return named.fault === undefined ? allowed(named.removals) : refused('peer_unknown')
    }
  }
}
