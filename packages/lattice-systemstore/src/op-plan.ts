/**
 * What one system operation would do, as data.
 *
 * @module
 */
import type { IntentionId, PublicKey } from '@lattice/model'
import type { TextProblem } from './check-text.ts'
import type { Fact } from './facts.ts'
import type { SystemKey } from './keys.ts'

/** Why an operation is a recorded no-op, by its bytes alone. */
export type MalformedReason =
  | 'op_unset'
  | 'op_unknown_field'
  | 'batch_empty'
  | 'batch_nested'
  | 'peer_malformed'
  | 'status_invalid'
  | 'role_invalid'
  | 'time_out_of_range'
  | 'token_hash_malformed'
  | 'uses_out_of_range'
  | 'child_malformed'
  | 'store_type_malformed'
  | 'strategy_malformed'
  | 'schema_out_of_range'
  | 'replication_out_of_range'
  | 'prune_policy_invalid'
  | TextProblem
  /** Takes a right away, which only an epoch can do. */
  | 'needs_epoch'

/** One row an operation writes. */
export interface SystemRow {
  readonly key: SystemKey
  readonly value: Uint8Array
}

/** Why a well-formed operation is a recorded no-op, by what is in its past. */
export type UnauthorizedReason =
  /** Its author was no ADMIN. */
  | 'not_admin'
  /** It changes a peer that was neither admitted nor announced. */
  | 'peer_unknown'
  /** It changes the role or status of a peer that was announced only. */
  | 'peer_not_admitted'
  /** It takes a right away, which only an epoch can do. */
  | 'needs_epoch'
  | 'child_unknown'
  /** It adds a child that was added: whatever it says would be a change in disguise. */
  | 'child_exists'
  /** Nothing undoes a destruction. */
  | 'child_destroyed'
  | 'child_not_destroyed'
  | 'invite_unknown'
  | 'invite_exists'
  | 'invite_cancelled'
  /** Whose peers a store has is said once: another answer would take rights away. */
  | 'strategy_set'
  | 'store_destroyed'
  | 'store_not_destroyed'

/** A fact that decides, and the reason to give where it decides against the operation. */
export interface Condition {
  readonly fact: Fact
  readonly reason: UnauthorizedReason
}

/** What one operation would do. */
export interface OpPlan {
  readonly rows: readonly SystemRow[]
  /** Counts only from an ADMIN. */
  readonly privileged: boolean
  /** Counts only if each of these is in its past, or made by an operation before it in its batch. */
  readonly needs?: readonly Condition[]
  /** Counts only if none of these is in its past. */
  readonly bars?: readonly Condition[]
  /** What operations after it in its batch may rely on. */
  readonly makes?: readonly Fact[]
}

/** Who wrote the operation. */
export interface OpOrigin {
  readonly id: IntentionId
  readonly author: PublicKey
}
