/**
 * Making an invite: the secret goes into the token, its hash into the store.
 *
 * @module
 */
import { MAX_WALL_MS } from '@lattice/model'
import { system } from '@lattice/proto'
import { createInvite, MAX_INVITE_USES } from '@lattice/systemstore'
import { invalidArgument } from './errors.ts'
import { encodeInviteToken, TOKEN_SECRET_BYTES } from './invite-token.ts'
import type { NodeContext } from './node-context.ts'
import type { Invitation, InviteOptions } from './store-types.ts'
import type { OpenStore } from './open-store.ts'
import { refuseInherited } from './refuse-inherited.ts'
import type { TablesOf } from './store-peers.ts'
import { submitSystem } from './submit-system.ts'

/** How long an invite holds when nothing is said. */
export const DEFAULT_INVITE_MS: number = 24 * 3_600_000
const DEFAULT_USES = 1

const ROLE_WORD = {
  [system.Role.READER]: 'reader',
  [system.Role.WRITER]: 'writer',
  [system.Role.ADMIN]: 'admin',
} as const

export interface InvitePeerOptions {
  readonly store: OpenStore
  readonly tablesOf: TablesOf
  readonly invite: InviteOptions
}

/** Makes an invite that this node redeems. Rejects with `NOT_ADMIN` or `INVALID_ARGUMENT`. */
export async function invitePeer(
  context: NodeContext,
  { store, tablesOf, invite }: InvitePeerOptions,
): Promise<Invitation> {
  refuseInherited(store.kernel.tables(), { tablesOf, act: 'invite' })
  const { role = system.Role.WRITER, expiresInMs = DEFAULT_INVITE_MS, uses = DEFAULT_USES } = invite
  if (role === system.Role.UNSPECIFIED) throw invalidArgument('an invite gives a role: reader, writer or admin')
  if (!Number.isSafeInteger(uses) || uses < 1 || uses > MAX_INVITE_USES) {
    throw invalidArgument(`an invite has 1 to ${MAX_INVITE_USES} uses: choose a number in between`, { uses })
  }
  const expiresAt = Math.floor(context.clock.wallMs() + expiresInMs)
  if (!(expiresInMs > 0) || expiresAt > MAX_WALL_MS) {
    throw invalidArgument('an invite has to expire later than now, and some day', { expiresInMs })
  }
  const { id: author } = context
  const secret = context.random.bytes(TOKEN_SECRET_BYTES)
  const tokenHash = context.crypto.blake3(secret)
  const write = createInvite({ author, tokenHash, expiresAt, uses, role: ROLE_WORD[role] })
  await submitSystem(store.kernel, [write], { author, act: 'invite peers' })
  const addresses = context.network()?.addresses() ?? []
  const token = encodeInviteToken({ storeId: store.id, secret, inviter: author, addresses, expiresAt, uses, role })
  return { token, tokenHash, expiresAt }
}
