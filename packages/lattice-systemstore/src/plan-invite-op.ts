/**
 * Plans of operations on invites. Only an ADMIN makes and redeems them.
 *
 * A claim is a record per joiner, so that a token with several uses tells of
 * every one, also when claims are concurrent.
 *
 * @module
 */
import { err, type Hash, MAX_WALL_MS, ok, readHash, readPublicKey, type Result } from '@lattice/model'
import type { system } from '@lattice/proto'
import type { InviteField } from './keys.ts'
import { MAX_INVITE_USES } from './limits.ts'
import type { Condition, MalformedReason, OpOrigin, OpPlan, SystemRow } from './op-plan.ts'
import { encodeCount, encodeInviteStatus, encodeRole, encodeTime, MARK, roleOf } from './values.ts'

export function planInviteOp(op: system.InviteOp, origin: OpOrigin): Result<OpPlan, MalformedReason> {
  const tokenHash = readHash(op.tokenHash)
  if (tokenHash === undefined) return err('token_hash_malformed')
  switch (op.op.case) {
    case 'create':
      return planCreate(tokenHash, op.op.value, origin)
    case 'claim':
      return planClaim(tokenHash, op.op.value)
    case 'cancel':
      return ok({
        rows: [row(tokenHash, 'status', encodeInviteStatus('cancelled'))],
        privileged: true,
        ...whileOpen(tokenHash),
        makes: [{ kind: 'invite_cancelled', tokenHash }],
      })
    case undefined:
      return err('op_unset')
  }
}

function planCreate(
  tokenHash: Hash,
  { expiresAt, uses, role }: system.InviteCreate,
  { author }: OpOrigin,
): Result<OpPlan, MalformedReason> {
  const word = roleOf(role)
  if (word === undefined || word === 'none') return err('role_invalid')
  if (expiresAt > BigInt(MAX_WALL_MS)) return err('time_out_of_range')
  if (uses < 1 || uses > MAX_INVITE_USES) return err('uses_out_of_range')
  return ok({
    rows: [
      row(tokenHash, 'status', encodeInviteStatus('open')),
      row(tokenHash, 'invited-by', author),
      row(tokenHash, 'expires-at', encodeTime(Number(expiresAt))),
      row(tokenHash, 'uses', encodeCount(uses)),
      row(tokenHash, 'role', encodeRole(word)),
    ],
    privileged: true,
    bars: [{ fact: { kind: 'invite_made', tokenHash }, reason: 'invite_exists' }],
    makes: [{ kind: 'invite_made', tokenHash }],
  })
}

function planClaim(tokenHash: Hash, { claimedBy, usesLeft }: system.InviteClaim): Result<OpPlan, MalformedReason> {
  const peer = readPublicKey(claimedBy)
  if (peer === undefined) return err('peer_malformed')
  if (usesLeft >= MAX_INVITE_USES) return err('uses_out_of_range')
  return ok({
    rows: [
      // A use that is not the last leaves the status alone: it could undo a cancellation that is concurrent.
      ...(usesLeft === 0 ? [row(tokenHash, 'status', encodeInviteStatus('claimed'))] : []),
      row(tokenHash, 'uses', encodeCount(usesLeft)),
      { key: { kind: 'claim', tokenHash, peer }, value: MARK },
    ],
    privileged: true,
    ...whileOpen(tokenHash),
  })
}

/** Of an invite that was made, and not cancelled. */
function whileOpen(tokenHash: Hash): Required<Pick<OpPlan, 'needs' | 'bars'>> {
  const needs: readonly Condition[] = [{ fact: { kind: 'invite_made', tokenHash }, reason: 'invite_unknown' }]
  const bars: readonly Condition[] = [{ fact: { kind: 'invite_cancelled', tokenHash }, reason: 'invite_cancelled' }]
  return { needs, bars }
}

function row(tokenHash: Hash, field: InviteField, value: Uint8Array): SystemRow {
  return { key: { kind: 'invite', tokenHash, field }, value }
}
