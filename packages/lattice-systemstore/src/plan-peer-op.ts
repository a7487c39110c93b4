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
import type { Condition, MalformedReason, OpOrigin, OpPlan, SystemRow } from './op-plan.ts'
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
    bars: strongerThan(peer, given),
    makes: [{ kind: 'role', peer, least: given }],
  })
}

function planStatus(peer: PublicKey, status: system.PeerStatus): Result<OpPlan, MalformedReason> {
  const word = peerStatusOf(status)
  // Of another or of oneself: the word is the operation of both, and counts once an epoch carries it out.
  if (word === 'revoked') return err('needs_epoch')
  if (word !== 'active' && word !== 'dormant') return err('status_invalid')
  return ok({ rows: [row(peer, 'status', encodePeerStatus(word))], privileged: true, needs: admitted(peer) })
}

function planRole(peer: PublicKey, number: system.Role, { id }: OpOrigin): Result<OpPlan, MalformedReason> {
  const role = grantable(number)
  if (role === undefined) return err('role_invalid')
  return ok({
    rows: [row(peer, 'role', encodeRole(role)), { key: { kind: 'grant', peer, grant: id }, value: encodeRole(role) }],
    privileged: true,
    // Of one that is announced, a role would be a right before its time: it is announced anew instead.
    needs: admitted(peer),
    bars: strongerThan(peer, role),
    makes: [{ kind: 'role', peer, least: role }],
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
  return ok(equalBytes(peer, author) ? { rows, privileged: false } : { rows, privileged: true, needs: known(peer) })
}

/** Admitted, or announced. */
function known(peer: PublicKey): readonly Condition[] {
  return [{ fact: { kind: 'role', peer, least: 'none' }, reason: 'peer_unknown' }]
}

function admitted(peer: PublicKey): readonly Condition[] {
  return [...known(peer), { fact: { kind: 'role', peer, least: 'reader' }, reason: 'peer_not_admitted' }]
}

/** A role is given to who has no stronger one: taking that away is an epoch's. */
function strongerThan(peer: PublicKey, role: Role): readonly Condition[] {
  const least = NEXT_ROLE[role]
  return least === undefined ? [] : [{ fact: { kind: 'role', peer, least }, reason: 'needs_epoch' }]
}

const NEXT_ROLE: Readonly<Record<Role, Role | undefined>> = {
  none: 'reader',
  reader: 'writer',
  writer: 'admin',
  admin: undefined,
}

function grantable(number: number): Role | undefined {
  const role = roleOf(number)
  return role === 'none' ? undefined : role
}

function row(peer: PublicKey, field: PeerField, value: Uint8Array): SystemRow {
  return { key: { kind: 'peer', peer, field }, value }
}
