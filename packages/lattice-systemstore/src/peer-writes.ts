/**
 * Operations on peers and invites, ready to submit.
 *
 * Each throws `InvalidArgument` for what every node would reject.
 *
 * @module
 */
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import type { Hash, PublicKey } from '@lattice/model'
import { system } from '@lattice/proto'
import { createSystemWrite, type SystemWrite } from './system-write.ts'
import { PEER_STATUS_NUMBER, type PeerStatus, type Role, ROLE_NUMBER } from './values.ts'

/** Who signs; every builder takes it. */
export interface Signing {
  readonly author: PublicKey
}

/** Admits a peer, or with `invited` announces it without rights. `addedAt` in milliseconds since the Unix epoch. */
export function admitPeer({
  author,
  peer,
  status = 'active',
  role,
  addedAt,
}: Signing & {
  readonly peer: PublicKey
  readonly status?: 'active' | 'invited'
  readonly role: Exclude<Role, 'none'>
  readonly addedAt: number
}): SystemWrite {
  const admit = { status: PEER_STATUS_NUMBER[status], role: ROLE_NUMBER[role], addedAt: BigInt(addedAt) }
  return peerWrite(author, peer, { case: 'admit', value: admit })
}

/** Marks an admitted peer as away or back. */
export function setPeerStatus({
  author,
  peer,
  status,
}: Signing & { readonly peer: PublicKey; readonly status: PeerStatus }): SystemWrite {
  return peerWrite(author, peer, { case: 'setStatus', value: PEER_STATUS_NUMBER[status] })
}

/** Gives an admitted peer a stronger role. */
export function setPeerRole({
  author,
  peer,
  role,
}: Signing & { readonly peer: PublicKey; readonly role: Exclude<Role, 'none'> }): SystemWrite {
  return peerWrite(author, peer, { case: 'setRole', value: ROLE_NUMBER[role] })
}

/** Names a peer: its own author may, and an ADMIN. */
export function setPeerName({
  author,
  peer = author,
  name,
}: Signing & { readonly peer?: PublicKey; readonly name: string }): SystemWrite {
  return peerWrite(author, peer, { case: 'setName', value: name })
}

/** Describes the machine a peer runs on: its own author may, and an ADMIN. */
export function setPeerDevice({
  author,
  peer = author,
  device,
}: Signing & { readonly peer?: PublicKey; readonly device: string }): SystemWrite {
  return peerWrite(author, peer, { case: 'setDevice', value: device })
}

/** Opens an invite. `expiresAt` in milliseconds since the Unix epoch. */
export function createInvite({
  author,
  tokenHash,
  expiresAt,
  uses,
  role,
}: Signing & {
  readonly tokenHash: Hash
  readonly expiresAt: number
  readonly uses: number
  readonly role: Exclude<Role, 'none'>
}): SystemWrite {
  const invite = { expiresAt: BigInt(expiresAt), uses, role: ROLE_NUMBER[role] }
  return inviteWrite(author, tokenHash, { case: 'create', value: invite })
}

/** Records that a peer joined with an invite; goes into one batch with its admission. */
export function claimInvite({
  author,
  tokenHash,
  claimedBy,
  usesLeft,
}: Signing & { readonly tokenHash: Hash; readonly claimedBy: PublicKey; readonly usesLeft: number }): SystemWrite {
  return inviteWrite(author, tokenHash, { case: 'claim', value: { claimedBy, usesLeft } })
}

export function cancelInvite({ author, tokenHash }: Signing & { readonly tokenHash: Hash }): SystemWrite {
  return inviteWrite(author, tokenHash, { case: 'cancel', value: {} })
}

function peerWrite(
  author: PublicKey,
  peer: PublicKey,
  op: NonNullable<MessageInitShape<typeof system.PeerOpSchema>['op']>,
): SystemWrite {
  return createSystemWrite(create(system.SystemOpSchema, { op: { case: 'peer', value: { peer, op } } }), author)
}

function inviteWrite(
  author: PublicKey,
  tokenHash: Hash,
  op: NonNullable<MessageInitShape<typeof system.InviteOpSchema>['op']>,
): SystemWrite {
  return createSystemWrite(create(system.SystemOpSchema, { op: { case: 'invite', value: { tokenHash, op } } }), author)
}
