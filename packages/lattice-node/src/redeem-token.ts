/**
 * The inviter's side of a join: a secret against the invites this node made.
 *
 * One request at a time per store, each ending in one intention that admits the peer and counts the use; so uses can
 * never be exceeded, and a crash leaves both done or neither. A peer that is in already is let in again for nothing: its
 * first answer may have been lost. To whoever cannot show a secret, a store that is here and one that is not look alike.
 *
 * @module
 */
import { equalBytes, idKey, type IdKey, isLatticeError, type PublicKey, toStoreId } from '@lattice/model'
import type { JoinAttempt, JoinGrant, JoinHandler, JoinRefusal, PeerHint } from '@lattice/net'
import {
  admitPeer,
  checkText,
  claimInvite,
  type InviteEntry,
  MAX_NAME_BYTES,
  readInvites,
  readPeer,
  setPeerName,
} from '@lattice/systemstore'
import { createMutex, type Mutex } from './mutex.ts'
import type { NodeContext } from './node-context.ts'
import type { OpenStore } from './open-store.ts'
import type { StoreManager } from './store-manager.ts'
import { replicaPeers } from './store-peers.ts'
import { submitSystem } from './submit-system.ts'

/** Requests that wait for one store: joins are rare, and a flood of them is refused. */
const MAX_WAITING = 64
/** Peers named to a joiner to bootstrap from. */
const MAX_HINTS = 16

/** Makes the handler. `manager` is asked when a request comes, not before. */
export function createRedeemer(context: NodeContext, manager: () => StoreManager): JoinHandler {
  const mutexes = new Map<IdKey, Mutex>()
  return {
    redeem: async (attempt) => {
      const entry = manager().entry(toStoreId(attempt.storeId))
      const store = entry?.open
      if (entry === undefined || store === undefined || !entry.ready) return refused('TOKEN_UNKNOWN')
      const key = idKey(store.id)
      // One per store that is open here, so as many as there are stores.
      const mutex = mutexes.get(key) ?? createMutex({ capacity: MAX_WAITING })
      mutexes.set(key, mutex)
      return mutex.run(() => redeem(context, { store, attempt, manager: manager() }))
    },
  }
}

interface Redeem {
  readonly store: OpenStore
  readonly attempt: JoinAttempt
  readonly manager: StoreManager
}

async function redeem(context: NodeContext, { store, attempt, manager }: Redeem): Promise<JoinGrant | JoinRefusal> {
  const { meta, clock } = context
  const { peer } = attempt
  const invite = findInvite(context, store, attempt.secret)
  if (invite === undefined) return refused('TOKEN_UNKNOWN')
  // Whoever shows its secret may know that it is another node's to redeem.
  if (!equalBytes(invite.invitedBy, context.id)) return refused('STORE_NOT_FOUND')
  const known = readPeer(store.kernel.tables().system, peer)
  const isIn = known?.status === 'active' || known?.status === 'dormant'
  if (!isIn) {
    if (invite.status === 'cancelled') return refused('TOKEN_REVOKED')
    if (invite.expiresAt <= clock.wallMs()) return refused('TOKEN_EXPIRED')
    if (invite.usesLeft < 1) return refused('TOKEN_USED')
    try {
      await admit(context, store, { invite, attempt })
    } catch (error) {
      // What the joiner can have set right; any other failure is this node's own.
      if (isLatticeError(error) && error.code === 'CLOCK_SKEW') return refused('CLOCK_SKEW')
      throw error
    }
  }
  meta.saveAddresses(peer, attempt.addresses, clock.wallMs())
  return {
    kind: 'granted',
    storeType: store.storeType,
    witnessCount: store.kernel.stats().witnessCount,
    peers: hintsFor(context, { store, joiner: peer, manager }),
  }
}

/** Looks at every invite in the same way, so that time tells nothing of which one comes close. */
function findInvite({ crypto }: NodeContext, store: OpenStore, secret: Uint8Array): InviteEntry | undefined {
  const tokenHash = crypto.blake3(secret)
  let found: InviteEntry | undefined
  for (const invite of readInvites(store.kernel.tables().system)) {
    if (crypto.constantTimeEqual(invite.tokenHash, tokenHash)) found = invite
  }
  return found
}

async function admit(
  context: NodeContext,
  store: OpenStore,
  { invite, attempt }: { readonly invite: InviteEntry; readonly attempt: JoinAttempt },
): Promise<void> {
  const { id: author, clock } = context
  const { peer, name } = attempt
  const role = invite.role === 'none' ? 'reader' : invite.role
  const writes = [
    admitPeer({ author, peer, role, addedAt: clock.wallMs() }),
    claimInvite({ author, tokenHash: invite.tokenHash, claimedBy: peer, usesLeft: invite.usesLeft - 1 }),
  ]
  // A name that may not be used is the joiner's loss, not a reason to turn it away.
  if (checkText(name, { maxBytes: MAX_NAME_BYTES, segment: false }) === undefined) {
    writes.push(setPeerName({ author, peer, name }))
  }
  await submitSystem(store.kernel, writes, { author, act: 'admit peers' })
}

interface HintsFor {
  readonly store: OpenStore
  readonly joiner: PublicKey
  readonly manager: StoreManager
}

/** Others to bootstrap from, where it is known how to reach them. */
function hintsFor({ id, meta }: NodeContext, { store, joiner, manager }: HintsFor): PeerHint[] {
  return replicaPeers(store.kernel.tables(), id, manager.tablesOf)
    .filter((peer) => !equalBytes(peer, joiner))
    .map((peer) => ({ peer, addresses: meta.addresses(peer) }))
    .filter((hint) => hint.addresses.length > 0)
    .slice(0, MAX_HINTS)
}

function refused(code: JoinRefusal['code']): JoinRefusal {
  return { kind: 'refused', code }
}
