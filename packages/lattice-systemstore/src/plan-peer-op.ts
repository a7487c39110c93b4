/**
 * Plans of operations on peers.
 *
 * @module
 */
import { err, MAX_WALL_MS, ok, type PublicKey, readPublicKey, type Result, equalBytes } from '@lattice/model'
import type { system } from '@lattice/proto'
import { checkText } from './check-text.ts'
import type { PeerField } from './keys.ts'
import { MAX_DEVICE_BYTES, MAX_NAME_BYTES } from './limits.ts'
import type { MalformedReason, OpOrigin, OpPlan, SystemRow } from './op-plan.ts'
import { encodePeerStatus, encodeRole, encodeText, encodeTime, peerStatusOf, type Role, roleOf } from './values.ts'

export function planPeerOp(op: system.PeerOp, origin: OpOrigin): Result<OpPlan, MalformedReason> {
  const peer = readPublicKey(op.peer)
  if (peer === undefined) return err('peer_malformed')
  switch (op.op.case) {
    case 'admit':
      return planAdmit(peer, op.op.value, origin)
    case 'setStatus':
      return planStatus(peer, op.op.value)
    case 'setRole':
      return planRole(peer, op.op.value, origin)
    case 'setName':
      return planText({ peer, field: 'name', text: op.op.value, maxBytes: MAX_NAME_BYTES }, origin)
    case 'setDevice':
      return planText({ peer, field: 'device', text: op.op.value, maxBytes: MAX_DEVICE_BYTES }, origin)
    case undefined:
      return err('op_unset')
  }
}

/** ACTIVE gives the role; INVITED announces the peer and its role, and gives no right yet. */
function planAdmit(
  peer: PublicKey,
  { status, role, addedAt }: system.PeerAdmit,
  { id, author }: OpOrigin,
): Result<OpPlan, MalformedReason> {
  const asStatus = peerStatusOf(status)
  const asRole = grantable(role)
  if (asStatus !== 'active' && asStatus !== 'invited') return err('status_invalid')
  if (asRole === undefined) return err('role_invalid')
  if (addedAt > BigInt(MAX_WALL_MS)) return err('time_out_of_range')
  const given = asStatus === 'active' ? asRole : 'none'
  return ok({
    rows: [
      row(peer, 'status', encodePeerStatus(asStatus)),
      row(peer, 'role', encodeRole(asRole)),
      row(peer, 'added-at', encodeTime(Number(addedAt))),
      row(peer, 'added-by', author),
      { key: { kind: 'grant', peer, grant: id }, value: encodeRole(given) },
    ],
    privileged: true,
    grants: { peer, role: given, admission: true },
  })
}

function planStatus(peer: PublicKey, status: system.PeerStatus): Result<OpPlan, MalformedReason> {
  const word = peerStatusOf(status)
  if (word === 'revoked') return err('needs_epoch')
  if (word !== 'active' && word !== 'dormant') return err('status_invalid')
  return ok({ rows: [row(peer, 'status', encodePeerStatus(word))], privileged: true, known: peer })
}

function planRole(peer: PublicKey, number: system.Role, { id }: OpOrigin): Result<OpPlan, MalformedReason> {
  const role = grantable(number)
  if (role === undefined) return err('role_invalid')
  return ok({
    rows: [row(peer, 'role', encodeRole(role)), { key: { kind: 'grant', peer, grant: id }, value: encodeRole(role) }],
    privileged: true,
    known: peer,
    grants: { peer, role, admission: false },
  })
}

/** A peer names itself; an ADMIN may name any. */
function planText(
  {
    peer,
    field,
    text,
    maxBytes,
  }: { readonly peer: PublicKey; readonly field: PeerField; readonly text: string; readonly maxBytes: number },
  { author }: OpOrigin,
): Result<OpPlan, MalformedReason> {
  const problem = checkText(text, { maxBytes, segment: false })
  if (problem !== undefined) return err(problem)
  const rows = [row(peer, field, encodeText(text))]
  return ok(equalBytes(peer, author) ? { rows, privileged: false } : { rows, privileged: true, known: peer })
}

function grantable(number: number): Role | undefined {
  const role = roleOf(number)
  return role === 'none' ? undefined : role
}

function row(peer: PublicKey, field: PeerField, value: Uint8Array): SystemRow {
  return { key: { kind: 'peer', peer, field }, value }
}
