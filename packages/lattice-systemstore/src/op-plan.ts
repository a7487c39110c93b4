/**
 * What one system operation would do, as data.
 *
 * @module
 */
import type { IntentionId, PublicKey, StoreId } from '@lattice/model'
import type { TextProblem } from './check-text.ts'
import type { SystemKey } from './keys.ts'
import type { Role } from './values.ts'

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
  | TextProblem
  /** Takes a right away, which only an epoch can do. */
  | 'needs_epoch'

/** One row an operation writes. */
export interface SystemRow {
  readonly key: SystemKey
  readonly value: Uint8Array
}

/** What one operation would do. */
export interface OpPlan {
  readonly rows: readonly SystemRow[]
  /** Counts only from an ADMIN. */
  readonly privileged: boolean
  /** Counts only if this peer was admitted before. */
  readonly known?: PublicKey
  /** Counts only if this child was not destroyed before: it sets a status, and destroyed is the last. */
  readonly revives?: StoreId
  /** Counts only if the peer holds no stronger role. */
  readonly grants?: { readonly peer: PublicKey; readonly role: Role; readonly admission: boolean }
}

/** Who wrote the operation. */
export interface OpOrigin {
  readonly id: IntentionId
  readonly author: PublicKey
}
