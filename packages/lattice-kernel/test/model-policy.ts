/**
 * A policy for tests, as small as one can be and still have every kind of answer.
 *
 * The creator is an admin; whoever an admin admits has the role it gives, the latest admission's. An epoch takes rights
 * away at its place; of two that remove each other's author the one by the creator stands. Written without regard to cost.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import {
  compareBytes,
  equalBytes,
  type IdKey,
  idKey,
  type IntentionId,
  type KnownOp,
  type PublicKey,
  toPublicKey,
} from '@lattice/model'
import { system, type weaver } from '@lattice/proto'
import type {
  EpochFault,
  MembershipHistory,
  MembershipPolicy,
  MembershipRecord,
  MembershipView,
  Removal,
} from '@lattice/store-base'

type Rank = 'none' | 'reader' | 'writer' | 'admin'

/** An admission of `peer`, to be submitted by an admin. */
export function admitOp(peer: PublicKey, role: system.Role = system.Role.WRITER): KnownOp {
  const op = { case: 'admit', value: { status: system.PeerStatus.ACTIVE, role } } as const
  const value = create(system.SystemOpSchema, { op: { case: 'peer', value: { peer, op } } })
  return { kind: 'system', schema: 1, value }
}

/** The policy, which counts how often it resolves. */
export interface ModelPolicy extends MembershipPolicy {
  readonly resolved: () => number
}

export function createModelPolicy(): ModelPolicy {
  let resolved = 0
  return {
    resolved: () => resolved,
    isRecord: (op) => op.kind === 'genesis' || op.kind === 'system' || op.kind === 'epoch',
    resolve: (history) => {
      resolved += 1
      return viewOf(history)
    },
    permit: (history, author, wish) => {
      const view = viewOf(history)
      const rank = rankOf(history.records, history, author)
      if (rank === 'none') return { kind: 'refused', code: 'not_a_peer' }
      const removals = wish.kind === 'membership' ? wish.removals : []
      if (wish.kind === 'membership') {
        if (removals.length === 0) return { kind: 'refused', code: 'nothing_to_remove' }
        const isKnown = ({ peer }: Removal): boolean => rankOf(history.records, history, peer) !== 'none'
        if (!removals.every(isKnown)) return { kind: 'refused', code: 'peer_unknown' }
      }
      if (wish.kind === 'join_of_epochs') {
        if (headsOf(history, view).length < 2) return { kind: 'refused', code: 'nothing_to_join' }
      } else if (rank !== 'admin') return { kind: 'refused', code: 'not_admin' }
      const { below } = wish.kind === 'prune' ? wish : {}
      const isEpoch = history.records.some(({ op, id }) => op.kind === 'epoch' && below && equalBytes(id, below))
      if (below && !(isEpoch && view.faultOf(below) === undefined)) return { kind: 'refused', code: 'below_unknown' }
      return { kind: 'allowed', requiredAcks: requiredOf(history.records, history, { author, removals }) }
    },
  }
}

function headsOf({ records, follows }: MembershipHistory, { faultOf }: MembershipView): readonly MembershipRecord[] {
  const epochs = records.filter(({ op, id }) => op.kind === 'epoch' && faultOf(id) === undefined)
  return epochs.filter(({ id }) => !epochs.some((other) => follows(other.id, id)))
}

/** The role of a peer by these records, which are closed under the past. */
function rankOf(records: readonly MembershipRecord[], { follows }: MembershipHistory, peer: PublicKey): Rank {
  const genesis = records.find(({ op }) => op.kind === 'genesis')
  if (genesis === undefined) return 'none'
  const grants = records.flatMap((record) => {
    const role = admittedRole(record, peer)
    return role === undefined ? [] : [{ id: record.id, role }]
  })
  if (equalBytes(genesis.author, peer)) grants.unshift({ id: genesis.id, role: 'admin' })
  const removals = records.flatMap((record) =>
    removalsIn(record).flatMap((removal) => (equalBytes(removal.peer, peer) ? [{ id: record.id, removal }] : [])),
  )
  const living = grants.filter(({ id }) => removals.every((removed) => follows(id, removed.id)))
  return living.at(-1)?.role ?? removals.at(-1)?.removal.remains ?? 'none'
}

function admittedRole({ op }: MembershipRecord, peer: PublicKey): Rank | undefined {
  if (op.kind !== 'system' || op.value.op.case !== 'peer') return undefined
  const { peer: admitted, op: change } = op.value.op.value
  if (change.case !== 'admit' || !equalBytes(admitted, peer)) return undefined
  return change.value.role === system.Role.ADMIN
    ? 'admin'
    : change.value.role === system.Role.READER
      ? 'reader'
      : 'writer'
}

function removalsIn({ op }: MembershipRecord): readonly Removal[] {
  if (op.kind !== 'epoch' || op.value.cause?.cause.case !== 'membership') return []
  return op.value.cause.cause.value.removals.map(({ peer, remains }) => ({
    peer: toPublicKey(peer),
    remains: remains === system.Role.WRITER ? 'writer' : remains === system.Role.READER ? 'reader' : 'none',
  }))
}

function peersOf(records: readonly MembershipRecord[]): readonly PublicKey[] {
  const peers = new Map<IdKey, PublicKey>()
  for (const { op, author } of records) {
    if (op.kind === 'genesis') peers.set(idKey(author), author)
    if (op.kind === 'system' && op.value.op.case === 'peer') {
      const { peer } = op.value.op.value
      peers.set(idKey(peer), toPublicKey(peer))
    }
  }
  return [...peers.values()].sort(compareBytes)
}

function activeOf(records: readonly MembershipRecord[], history: MembershipHistory): readonly PublicKey[] {
  return peersOf(records).filter((peer) => ['writer', 'admin'].includes(rankOf(records, history, peer)))
}

function requiredOf(
  past: readonly MembershipRecord[],
  history: MembershipHistory,
  { author, removals }: { readonly author: PublicKey; readonly removals: readonly Removal[] },
): readonly PublicKey[] {
  const gone = removals.filter(({ remains }) => remains !== 'writer')
  return activeOf(past, history).filter(
    (peer) => !equalBytes(peer, author) && !gone.some((removal) => equalBytes(removal.peer, peer)),
  )
}

function staticFault(
  record: MembershipRecord,
  history: MembershipHistory,
  faults: ReadonlyMap<IdKey, EpochFault | undefined>,
): EpochFault | undefined {
  if (record.op.kind !== 'epoch') return undefined
  const { seq, requiredAcks, cause } = record.op.value
  const past = history.records.filter(
    ({ id, op }) => history.follows(record.id, id) && !(op.kind === 'epoch' && faults.get(idKey(id)) !== undefined),
  )
  const epochs = past.flatMap(({ op }) => (op.kind === 'epoch' ? [op.value] : []))
  const expected = epochs.reduce((next, { seq: other }) => (other >= next ? other + 1n : next), 0n)
  if (seq !== expected) return 'seq_wrong'
  const below = cause?.cause.case === 'prune' ? cause.cause.value.below : new Uint8Array()
  if (below.length > 0 && !past.some(({ op, id }) => op.kind === 'epoch' && equalBytes(id, below))) return 'below_wrong'
  const removals = removalsIn(record)
  const sorted = removals.every(({ peer }, index) => index === 0 || isAscending(removals[index - 1]?.peer, peer))
  const isMembership = cause?.cause.case === 'membership'
  if (!sorted || (isMembership && removals.length === 0)) return 'removals_malformed'
  const rank = rankOf(past, history, record.author)
  const isJoin = cause?.cause.case === 'joinOfEpochs'
  if (rank !== 'admin' && !(isJoin && rank === 'writer')) return 'not_entitled'
  const required = requiredOf(past, history, { author: record.author, removals })
  const isSame = required.length === requiredAcks.length && required.every((key, i) => same(key, requiredAcks[i]))
  return isSame ? undefined : 'required_acks_wrong'
}

function isAscending(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && compareBytes(a, b) < 0
}

function same(a: Uint8Array, b: Uint8Array | undefined): boolean {
  return b !== undefined && equalBytes(a, b)
}

function viewOf(history: MembershipHistory): MembershipView {
  const faults = new Map<IdKey, EpochFault | undefined>()
  const creator = history.records.find(({ op }) => op.kind === 'genesis')?.author
  for (const record of history.records) {
    if (record.op.kind === 'epoch') faults.set(idKey(record.id), staticFault(record, history, faults))
  }
  const epochs = history.records.filter(({ id, op }) => op.kind === 'epoch' && faults.get(idKey(id)) === undefined)
  const isConcurrent = (a: IntentionId, b: IntentionId): boolean => !history.follows(a, b) && !history.follows(b, a)
  for (const epoch of epochs) {
    const isCut = epochs.some(
      (other) =>
        isConcurrent(other.id, epoch.id) &&
        removalsIn(other).some(({ peer }) => equalBytes(peer, epoch.author)) &&
        creator !== undefined &&
        equalBytes(other.author, creator),
    )
    if (isCut) faults.set(idKey(epoch.id), 'outranked')
  }
  const counting = history.records.filter(({ id, op }) => op.kind !== 'epoch' || faults.get(idKey(id)) === undefined)
  const cutoffsOf = (author: PublicKey): ReturnType<MembershipView['cutoffsOf']> =>
    counting.flatMap((record) =>
      removalsIn(record).flatMap(({ peer, remains }) => {
        if (!equalBytes(peer, author)) return []
        const again = counting.filter((other) => admittedRole(other, peer) && history.follows(other.id, record.id))
        return [{ epoch: record.id, remains, readmissions: again.map(({ id }) => id) }]
      }),
    )
  return {
    faultOf: (id) => faults.get(idKey(id)),
    removalsOf: (id) => counting.flatMap((record) => (equalBytes(record.id, id) ? removalsIn(record) : [])),
    cutoffsOf,
    isHeard: () => true,
    limited: () => peersOf(counting).filter((peer) => cutoffsOf(peer).length > 0),
    active: () => activeOf(counting, history),
    leftBy: (peer) => {
      const taking = cutoffsOf(peer).filter(
        ({ remains, readmissions }) => remains !== 'writer' && readmissions.length === 0,
      )
      return taking.length === 0 ? undefined : taking.map(({ epoch }) => epoch)
    },
    isAdmin: (peer) => rankOf(counting, history, peer) === 'admin',
    isSenior: (a) => creator !== undefined && equalBytes(a, creator),
    mayOutrank: (peer) => creator !== undefined && equalBytes(peer, creator),
    mayReturn: () => false,
    hasSay: (author) => creator !== undefined && equalBytes(author, creator),
  }
}

/** What an epoch carries, for epochs made by hand. */
export type EpochCauseInit = weaver.EpochCause['cause']
