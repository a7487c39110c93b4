/**
 * What a record of membership says, read from its bytes alone.
 *
 * Records come from any admitted peer, so everything is checked here, and what is malformed says nothing.
 *
 * @module
 */
import {
  compareBytes,
  type IdKey,
  idKey,
  type IntentionId,
  type PublicKey,
  readIntentionId,
  readPublicKey,
  readStoreId,
  type StoreId,
  type UniversalOp,
} from '@lattice/model'
import type { system, weaver } from '@lattice/proto'
import { MAX_SET_ASIDE, type MembershipRecord, type Remains, type Removal } from '@lattice/store-base'
import type { Fact } from '../facts.ts'
import type { OpPlan } from '../op-plan.ts'
import { planSystemOp } from '../plan-op.ts'
import { decodePeerStatus, decodeRole, type PeerStatus, type Role, roleOf } from '../values.ts'

/** A peer is to have this role or a stronger one. */
export interface RoleCondition {
  readonly peer: PublicKey
  readonly least: Role
}

/** What a system operation says of peers. */
export interface PeerChange {
  readonly kind: 'change'
  /** The last of each peer; `none` announces it. */
  readonly grants: readonly { readonly peer: PublicKey; readonly role: Role }[]
  readonly statuses: readonly { readonly peer: PublicKey; readonly status: PeerStatus }[]
  /** Counts only if all of these hold in its past. */
  readonly needs: readonly RoleCondition[]
  /** Counts only if none of these holds in its past. */
  readonly bars: readonly RoleCondition[]
}

export type CauseKind = NonNullable<weaver.EpochCause['cause']['case']>

/** What an epoch claims. */
export interface EpochClaim {
  readonly kind: 'epoch'
  readonly seq: bigint
  readonly requiredAcks: readonly Uint8Array[]
  readonly cause: CauseKind
  /** What it takes away by itself; empty but for a change of membership. */
  readonly removals: readonly Removal[]
  /** The epoch of the parent that it follows. */
  readonly parent: { readonly store: StoreId; readonly epoch: IntentionId } | undefined
  /** The epoch of this store below which a prune deletes; undefined where that is the prune itself. */
  readonly below: IntentionId | undefined
  /** The epochs of this store that are to count for nothing. */
  readonly aside: readonly IntentionId[]
}

export type RecordMeaning =
  | { readonly kind: 'genesis' }
  | PeerChange
  | EpochClaim
  /** An epoch that is not well-formed. */
  | { readonly kind: 'malformed_epoch' }
  | { readonly kind: 'nothing' }

/** True for what may decide about membership, whether or not it is well-formed. */
export function isMembershipRecord(op: UniversalOp): boolean {
  if (op.kind === 'genesis' || op.kind === 'epoch') return true
  if (op.kind !== 'system') return false
  const { op: inner } = op.value
  return inner.case === 'batch' ? inner.value.ops.some(changesPeer) : changesPeer(op.value)
}

function changesPeer({ op }: system.SystemOp): boolean {
  if (op.case !== 'peer') return false
  const { case: kind } = op.value.op
  return kind === 'admit' || kind === 'setRole' || kind === 'setStatus'
}

/** What the record says. Total. */
export function readRecord({ id, author, op }: MembershipRecord): RecordMeaning {
  if (op.kind === 'genesis') return { kind: 'genesis' }
  if (op.kind === 'epoch') return readEpochClaim(op.value) ?? { kind: 'malformed_epoch' }
  if (op.kind !== 'system' || !isMembershipRecord(op)) return { kind: 'nothing' }
  const plan = planSystemOp(op.value, { id, author })
  if (!plan.ok) return { kind: 'nothing' }
  const grants = plan.value.writes.flatMap(({ key, value }) => {
    const role = key.kind === 'grant' ? decodeRole(value) : undefined
    return key.kind === 'grant' && role !== undefined ? [{ peer: key.peer, role }] : []
  })
  const statuses = plan.value.writes.flatMap(({ key, value }) => {
    const status = key.kind === 'peer' && key.field === 'status' ? decodePeerStatus(value) : undefined
    return key.kind === 'peer' && status !== undefined ? [{ peer: key.peer, status }] : []
  })
  return { kind: 'change', grants, statuses, ...conditionsOf(plan.value.steps) }
}

/**
 * The conditions on roles, those met by the batch itself left out. Conditions on invites and children are not looked at:
 * only an ADMIN can write a batch that fails them, and it gives no more than the admission alone would.
 */
function conditionsOf(steps: readonly OpPlan[]): Pick<PeerChange, 'needs' | 'bars'> {
  const made = new Map<IdKey, Role>()
  const [needed, barred]: [RoleCondition[], RoleCondition[]] = [[], []]
  for (const { needs = [], bars = [], makes = [] } of steps) {
    needed.push(...roles(needs.map(({ fact }) => fact)).filter(({ peer, least }) => !reaches(made, peer, least)))
    barred.push(...roles(bars.map(({ fact }) => fact)))
    for (const { peer, least } of roles(makes)) made.set(idKey(peer), least)
  }
  return { needs: needed, bars: barred }
}

function roles(facts: readonly Fact[]): readonly RoleCondition[] {
  return facts.flatMap((fact) => (fact.kind === 'role' ? [{ peer: fact.peer, least: fact.least }] : []))
}

function reaches(made: ReadonlyMap<IdKey, Role>, peer: PublicKey, least: Role): boolean {
  const role = made.get(idKey(peer))
  return role !== undefined && levelOf(role) >= levelOf(least)
}

const LEVELS: Readonly<Record<Role, number>> = { none: 0, reader: 1, writer: 2, admin: 3 }

/** Roles as numbers that rise with what they give. */
export function levelOf(role: Role): number {
  return LEVELS[role]
}

/** Undefined for what has no meaning. */
export function readEpochClaim(op: weaver.EpochOp): EpochClaim | undefined {
  const cause = op.cause?.cause
  if (cause?.case === undefined) return undefined
  // A field that this version does not know may change the meaning of those it does.
  if ([op, op.cause, cause.value].some((message) => message?.$unknown !== undefined)) return undefined
  const { seq, requiredAcks } = op
  const claim = {
    kind: 'epoch',
    seq,
    requiredAcks,
    cause: cause.case,
    removals: [],
    parent: undefined,
    below: undefined,
    aside: [],
  } as const
  if (cause.case === 'membership') {
    const removals = readRemovals(cause.value)
    return removals && { ...claim, removals }
  }
  if (cause.case === 'prune' && cause.value.below.length > 0) {
    const below = readIntentionId(cause.value.below)
    return below && { ...claim, below }
  }
  if (cause.case === 'setAside') {
    const aside = readAside(cause.value)
    return aside && { ...claim, aside }
  }
  if (cause.case !== 'parent') return claim
  const [store, epoch] = [readStoreId(cause.value.store), readIntentionId(cause.value.epoch)]
  return store && epoch && { ...claim, parent: { store, epoch } }
}

/** Undefined unless there is one at least, ascending, each once, and no more than a bounded number. */
function readAside({ epochs }: weaver.SetAsideCause): readonly IntentionId[] | undefined {
  const read = epochs.flatMap((id) => readIntentionId(id) ?? [])
  const isSorted = read.every((id, at) => at === 0 || compareBytes(read[at - 1] ?? id, id) < 0)
  const isBounded = epochs.length > 0 && epochs.length <= MAX_SET_ASIDE
  return isBounded && isSorted && read.length === epochs.length ? read : undefined
}

/** Undefined unless there is one at least, ascending by peer, each once. */
export function readRemovals({ removals }: weaver.MembershipCause): readonly Removal[] | undefined {
  const read: Removal[] = []
  for (const { peer: bytes, remains: number, $unknown } of removals) {
    const peer = readPublicKey(bytes)
    const remains = remainsOf(roleOf(number))
    const last = read.at(-1)
    if (peer === undefined || remains === undefined || $unknown !== undefined) return undefined
    if (last !== undefined && compareBytes(last.peer, peer) >= 0) return undefined
    read.push({ peer, remains })
  }
  return read.length === 0 ? undefined : read
}

function remainsOf(role: Role | undefined): Remains | undefined {
  return role === 'admin' ? undefined : role
}
