/**
 * The inviter's side of a join: a secret against the invites this node made.
 *
 * One request at a time per store, each ending in one intention that admits the peer and counts the use; so uses can
 * never be exceeded, and a crash leaves both done or neither. A peer that is in already is let in again for nothing: its
 * first answer may have been lost. To whoever cannot show a secret, a store that is here and one that is not look alike.
 *
 * @module
 */
import {
  equalBytes,
  idKey,
  type IdKey,
  isLatticeError,
  type PublicKey,
  type ReadTable,
  toStoreId,
} from '@lattice/model'
import type { Kernel } from '@lattice/kernel'
import type { JoinAttempt, JoinGrant, JoinHandler, JoinRefusal, PeerHint } from '@lattice/net'
import {
  admitPeer,
  checkText,
  claimInvite,
  type InviteEntry,
  MAX_NAME_BYTES,
  readInviteOrigin,
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
/** Times a token is judged anew because the invite changed under it: each takes an admin's write, and one is rare. */
const MAX_TRIES = 3
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
      // Before it waits for its turn: how long others take, or that too many wait, would tell that the store is here.
      const invite = findInvite(context, store.kernel.tables().system, attempt.secret)
      if (invite === undefined) return refused('TOKEN_UNKNOWN')
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
  const verdict = await admitOnce(context, store, attempt)
  if (verdict.kind === 'refused') return verdict
  const { meta, clock } = context
  const { peer, addresses } = attempt
  meta.saveAddresses(peer, addresses, clock.wallMs())
  return {
    kind: 'granted',
    storeType: store.storeType,
    witnessCount: store.kernel.stats().witnessCount,
    peers: hintsFor(context, { store, joiner: peer, manager }),
  }
}

/** Sees to it that the peer is in, unless its token is worth nothing. */
async function admitOnce(
  context: NodeContext,
  store: OpenStore,
  attempt: JoinAttempt,
): Promise<{ readonly kind: 'in' } | JoinRefusal> {
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const verdict = judge(context, { kernel: store.kernel, system: store.kernel.tables().system }, attempt)
    if (verdict.kind !== 'open') return verdict
    try {
      const { invite } = verdict
      const work = (): Promise<void> => admit(context, store, { invite, attempt })
      // It shows a good token: where it alone knows that the clock here is wrong, its admission would be out of its reach.
      await (context.network()?.vouch([attempt.peer], work) ?? work())
      return { kind: 'in' }
    } catch (error) {
      if (error instanceof Outdated) continue
      const code = refusalFor(error)
      if (code === undefined) throw error
      return refused(code)
    }
  }
  return refused('STORE_NOT_READY')
}

type Verdict =
  /** The peer is in: it has only to be told. */
  { readonly kind: 'in' } | { readonly kind: 'open'; readonly invite: InviteEntry } | JoinRefusal

interface Judged {
  readonly kernel: Pick<Kernel, 'membership' | 'isAncestor'>
  readonly system: ReadTable
}

function judge(context: NodeContext, { kernel, system }: Judged, { secret, peer }: JoinAttempt): Verdict {
  const invite = findInvite(context, system, secret)
  if (invite === undefined) return refused('TOKEN_UNKNOWN')
  // Whoever shows its secret may know that it is another node's to redeem.
  if (!equalBytes(invite.invitedBy, context.id)) return refused('STORE_NOT_FOUND')
  const status = readPeer(system, peer)?.status
  if (status === 'active' || status === 'dormant') return { kind: 'in' }
  // A token from before it was removed does not undo that; one that was made since is an admin's word.
  if (status === 'revoked' && !isMadeSince({ kernel, system }, invite, peer)) return refused('REVOKED')
  if (invite.status === 'cancelled') return refused('TOKEN_REVOKED')
  if (invite.expiresAt <= context.clock.wallMs()) return refused('TOKEN_EXPIRED')
  if (invite.status === 'claimed' || invite.usesLeft < 1) return refused('TOKEN_USED')
  return { kind: 'open', invite }
}

/** True when whoever made the invite knew that the peer was removed. */
function isMadeSince({ kernel, system }: Judged, { tokenHash }: InviteEntry, peer: PublicKey): boolean {
  const origin = readInviteOrigin(system, tokenHash)
  if (origin === undefined) return false
  return kernel
    .membership()
    .cutoffsOf(peer)
    .every(({ epoch, readmissions }) => readmissions.length > 0 || kernel.isAncestor(epoch, origin))
}

/** What the joiner is told of a failure that passes. Any other is this node's own. */
function refusalFor(error: unknown): JoinRefusal['code'] | undefined {
  if (!isLatticeError(error)) return undefined
  switch (error.code) {
    case 'CLOCK_SKEW':
      return 'CLOCK_SKEW'
    // Stalled, being repaired, held back until it has caught up, or about to close.
    case 'PROJECTION_STALLED':
    case 'STORE_NOT_READY':
    case 'CLOSED':
      return 'STORE_NOT_READY'
    default:
      return undefined
  }
}

/** Since it was looked at, another admin cancelled the invite, or let the peer in. */
class Outdated extends Error {
  override readonly name = 'Outdated'
}

/** Looks at every invite in the same way, so that time tells nothing of which one comes close. */
function findInvite({ crypto }: NodeContext, system: ReadTable, secret: Uint8Array): InviteEntry | undefined {
  const tokenHash = crypto.blake3(secret)
  let found: InviteEntry | undefined
  for (const invite of readInvites(system)) {
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
  await submitSystem(store.kernel, writes, {
    author,
    act: 'admit peers',
    // On the state that is signed upon: what came in since then counts, too.
    guard: ({ system }) => {
      const verdict = judge(context, { kernel: store.kernel, system }, attempt)
      if (verdict.kind !== 'open' || verdict.invite.usesLeft !== invite.usesLeft) {
        throw new Outdated('the invite is not what it was')
      }
    },
  })
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
