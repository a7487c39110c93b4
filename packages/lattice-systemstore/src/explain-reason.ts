/**
 * A sentence for each reason why a system operation would be rejected, for the
 * one who is about to sign it.
 *
 * @module
 */
import type { LatticeErrorCode } from '@lattice/model'
import {
  MAX_APP_ID_BYTES,
  MAX_CRUSH_BYTES,
  MAX_INVITE_USES,
  MAX_KEEP_DAYS,
  MAX_NAME_BYTES,
  MAX_REPLICATION_FACTOR,
} from './limits.ts'
import type { MalformedReason, UnauthorizedReason } from './op-plan.ts'

const NEEDS_EPOCH =
  'this takes a right away, which takes an epoch: use `peer revoke`, or `peer role` with the weaker role, which make one'

const MALFORMED: Readonly<Record<MalformedReason, string>> = {
  op_unset: 'the operation says nothing: set what it is to do',
  op_unknown_field: 'the operation holds a field this version does not know: upgrade this node, or leave it out',
  batch_empty: 'the batch is empty: add an operation',
  batch_nested: 'a batch cannot hold a batch: put its operations side by side',
  peer_malformed: 'a peer is named by its public key of 32 bytes: give that',
  status_invalid: 'this is not a status the operation can set: use active, dormant or, when admitting, invited',
  role_invalid: 'this is not a role: use reader, writer or admin',
  time_out_of_range: 'the time is out of range: give milliseconds since the Unix epoch',
  token_hash_malformed: 'an invite is named by the hash of its secret, 32 bytes: give that',
  uses_out_of_range: `an invite has 1 to ${MAX_INVITE_USES} uses: choose a number in between`,
  child_malformed: 'a child store is named by its id of 32 bytes: give that',
  store_type_malformed: "this is not a store type: write it as 'namespace:name' in lower case",
  strategy_malformed: 'the peer strategy is incomplete: use independent, or name the parent store',
  schema_out_of_range: 'a schema version is at least 1: give the version to activate',
  replication_out_of_range: `a replication factor is 1 to ${MAX_REPLICATION_FACTOR}, its placement map at most ${MAX_CRUSH_BYTES} bytes`,
  prune_policy_invalid: `a prune policy is manual, or keeps 1 to ${MAX_KEEP_DAYS} days, or 1 intention or more: choose one of these`,
  text_empty: 'the name is empty: give at least one character',
  text_too_long: `the name is too long: use at most ${Math.min(MAX_NAME_BYTES, MAX_APP_ID_BYTES)} bytes`,
  text_malformed:
    'the name holds a character that cannot be shown or typed, a slash, or a space at an end: leave it out',
  needs_epoch: NEEDS_EPOCH,
}

/** What to say, and how a program tells it. */
export interface Refusal {
  readonly code: LatticeErrorCode
  readonly message: string
}

const UNAUTHORIZED: Readonly<Record<UnauthorizedReason, Refusal>> = {
  not_admin: { code: 'NOT_ADMIN', message: 'only an admin of the store may do this: ask one' },
  needs_epoch: { code: 'WRONG_STATE', message: NEEDS_EPOCH },
  peer_unknown: { code: 'PEER_NOT_FOUND', message: 'the store has no such peer: admit it first' },
  peer_not_admitted: { code: 'WRONG_STATE', message: 'the peer is announced and not admitted: admit it first' },
  child_unknown: { code: 'STORE_NOT_FOUND', message: 'the store declares no such child: add it first' },
  child_exists: { code: 'STORE_EXISTS', message: 'the store declares this child already: change what is to change' },
  child_destroyed: { code: 'WRONG_STATE', message: 'the child was destroyed, which is for good: make a new one' },
  child_not_destroyed: {
    code: 'WRONG_STATE',
    message: 'the child is not destroyed, so there is nothing to acknowledge: destroy it first',
  },
  invite_unknown: { code: 'INVITE_NOT_FOUND', message: 'the store has no such invite: list the invites' },
  invite_exists: { code: 'WRONG_STATE', message: 'there is an invite with this secret already: make one with another' },
  invite_cancelled: { code: 'WRONG_STATE', message: 'the invite was cancelled, which is for good: make a new one' },
  strategy_set: {
    code: 'WRONG_STATE',
    message: 'whose peers the store has was decided when it was made: make another store',
  },
  store_destroyed: { code: 'WRONG_STATE', message: 'the store is destroyed already: there is nothing to do' },
  store_not_destroyed: {
    code: 'WRONG_STATE',
    message: 'the store is not destroyed, so there is nothing to acknowledge: destroy it first',
  },
}

export function explainReason(reason: MalformedReason): string {
  return MALFORMED[reason]
}

export function explainRefusal(reason: UnauthorizedReason): Refusal {
  return UNAUTHORIZED[reason]
}
