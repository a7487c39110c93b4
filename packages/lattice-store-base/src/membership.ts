/**
 * What the kernel and whoever knows the peers of a store say to each other about epochs.
 *
 * The kernel has the DAG and does not know what a peer is; the policy knows what grants and removals mean and has no DAG.
 * So the kernel hands over the few intentions that decide about membership, with their order, and gets back a view: which
 * epochs count, and where whose writes end. A view follows from the records and their causal order alone: nodes with the
 * same records have the same view, whatever came first.
 *
 * @module
 */
import type { Hlc, IntentionId, PublicKey, StoreId, UniversalOp } from '@lattice/model'

/** A witnessed intention that says something about membership. */
export interface MembershipRecord {
  readonly id: IntentionId
  readonly author: PublicKey
  readonly timestamp: Hlc
  /** Length of the longest path from the genesis: below that of all that have it in their past. */
  readonly generation: number
  readonly op: UniversalOp
}

/** Records with their causal order. */
export interface MembershipHistory {
  /** Causes before what they cause: ascending by (generation, id). */
  readonly records: readonly MembershipRecord[]
  /** True when `ancestor`, any intention that is witnessed, is in the past of `id`. Of itself nothing is. */
  readonly follows: (id: IntentionId, ancestor: IntentionId) => boolean
}

/** What a removal leaves: nothing, or a weaker role. */
export type Remains = 'none' | 'reader' | 'writer'

/** One peer's right ends with an epoch. */
export interface Removal {
  readonly peer: PublicKey
  readonly remains: Remains
}

/** Why an epoch has no effect. */
export type EpochFault =
  /** By its own past: it is none, for ever. */
  | 'seq_wrong'
  | 'required_acks_wrong'
  | 'removals_malformed'
  | 'not_entitled'
  /** It is to prune below what is no epoch of its past. */
  | 'below_wrong'
  /** It is to set aside what is no epoch of its past that follows the parent. */
  | 'aside_wrong'
  /** It names an epoch of a parent that is not here: what is cut in this store may depend on it. */
  | 'parent_unknown'
  /** It needs a right that nobody has given its author in the parent as that is known: it may count later, and cuts nothing. */
  | 'admin_unknown'
  /** It names an epoch of a parent that has no effect, and may have again. Who knows of none such waits for it instead. */
  | 'parent_void'
  /** An admin has it count for nothing, as what it names never came. */
  | 'set_aside'
  /** A senior peer took its author's right at the same time. */
  | 'outranked'

/**
 * Whether an epoch is left out of state. Not where that waits for what its author is in the parent: state must not depend on
 * how much of another store is known, and what such an epoch says there is its number alone.
 */
export function isOutOfState(fault: EpochFault | undefined): boolean {
  return fault !== undefined && fault !== 'admin_unknown'
}

/** What follows from how much of the parent is here. */
const UNDECIDED: ReadonlySet<EpochFault> = new Set(['parent_unknown', 'parent_void', 'admin_unknown'])

/**
 * Whether an epoch with this fault may come to count as more of the parent arrives, with nothing done about it. No other
 * does by being waited for: one that a senior outranked would have to see that senior's epoch turn out void in its turn.
 */
export function mayComeToCount(fault: EpochFault): boolean {
  return UNDECIDED.has(fault)
}

/** Where what a peer writes ends to count. */
export interface Cutoff {
  /** The epoch of this store; what is in its past counts. */
  readonly epoch: IntentionId
  readonly remains: Remains
  /** Living admissions that follow the epoch: what has one of them in its past counts again. */
  readonly readmissions: readonly IntentionId[]
}

/** What a set of records comes to. */
export interface MembershipView {
  /** Undefined for an epoch that counts. */
  readonly faultOf: (epoch: IntentionId) => EpochFault | undefined
  /** What an epoch takes away: of one that does not count nothing. */
  readonly removalsOf: (epoch: IntentionId) => readonly Removal[]
  /** Where an author's writes end to count; empty for nearly everybody. */
  readonly cutoffsOf: (author: PublicKey) => readonly Cutoff[]
  /** False when every grant of the author is beyond a cutoff: then nothing of it counts. True for one that has none. */
  readonly isHeard: (author: PublicKey) => boolean
  /** Authors with a cutoff or that are not heard. */
  readonly limited: () => readonly PublicKey[]
  /** Active ADMIN and WRITER peers, ascending by key: not dormant, not revoked, not announced only. */
  readonly active: () => readonly PublicKey[]
  /**
   * Of a peer that is not active, records of which each by itself tells who has it in the past that it is not. Undefined
   * where no record of this store does: peers are another store's, or what admitted it does not count any more.
   */
  readonly leftBy: (peer: PublicKey) => readonly IntentionId[] | undefined
  readonly isAdmin: (peer: PublicKey) => boolean
  /** True when `a` was admitted before `b`. The creator was before everybody; one that never was is after all. */
  readonly isSenior: (a: PublicKey, b: PublicKey) => boolean
  /**
   * True when an epoch of the peer, made at the same time, may be decided before this one, which is another's and stands:
   * then it may void it. Where the author of this one had lost its right and got it back, whoever has had one since then may.
   */
  readonly mayOutrank: (peer: PublicKey, epoch: IntentionId) => boolean
  /**
   * True where an epoch of the peer's own would end what stands against it: it was let in again where the peers are told from,
   * and this store is to follow.
   */
  readonly mayReturn: (peer: PublicKey) => boolean
  /**
   * True for a record that may change this view although it is beyond a cutoff of its author: it may come to have been
   * decided before a removal that stands. Who keeps what is beyond out has to take these in, or nodes would differ by what
   * came first. Beside them only an epoch matters that has one without effect in its past: that judged it by another view.
   */
  readonly hasSay: (author: PublicKey, op: UniversalOp) => boolean
}

/** Whether a new epoch of this kind by this author would count, and who would have to acknowledge it. */
export type EpochPermission =
  | { readonly kind: 'allowed'; readonly requiredAcks: readonly PublicKey[] }
  | {
      readonly kind: 'refused'
      readonly code:
        | 'not_admin'
        | 'not_a_peer'
        | 'peer_unknown'
        | 'nothing_to_remove'
        | 'nothing_to_join'
        | 'below_unknown'
        | 'aside_unknown'
    }

/** What an epoch is to be for. */
export type EpochWish =
  | { readonly kind: 'initial' }
  | { readonly kind: 'membership'; readonly removals: readonly Removal[] }
  /** To delete what lies below an epoch in its past, or below itself. */
  | { readonly kind: 'prune'; readonly below?: IntentionId }
  | { readonly kind: 'join_of_epochs' }
  | { readonly kind: 'parent'; readonly store: StoreId; readonly epoch: IntentionId }
  /** To have epochs of this store that follow the parent count for nothing; {@link MAX_SET_ASIDE} at most. */
  | { readonly kind: 'set_aside'; readonly epochs: readonly IntentionId[] }

/** The rules of membership. Pure and total. */
export interface MembershipPolicy {
  /** True for what is a record, by its bytes alone. */
  readonly isRecord: (op: UniversalOp) => boolean
  /**
   * Who is given the role of a WRITER or more by a record, by its bytes alone. Nobody's first write counts without such a
   * record in its past, but where peers are another store's. Absent where nobody is asked for one.
   */
  readonly rolesIn?: (record: MembershipRecord) => readonly { readonly peer: PublicKey; readonly isAdmin: boolean }[]
  /** The view of all records. */
  readonly resolve: (history: MembershipHistory) => MembershipView
  /**
   * The view of records that are all there is in some past: of another store that they depend on no more counts than what
   * they name, and what is in the past of that. So it is the same wherever that is here. Absent where they depend on none.
   */
  readonly resolvePast?: (history: MembershipHistory) => MembershipView
  /** Whether `author` may make such an epoch on top of all these records. */
  readonly permit: (history: MembershipHistory, author: PublicKey, wish: EpochWish) => EpochPermission
}

/** The view of records that are all there is in some past, by whatever policy: see `resolvePast` of {@link MembershipPolicy}. */
export function resolvePast(policy: MembershipPolicy, history: MembershipHistory): MembershipView {
  return (policy.resolvePast ?? policy.resolve)(history)
}
