/**
 * Changes of a store's peers and invites.
 *
 * Everything is checked twice: here, for a sentence that says what is wrong, and again as the operation is signed, on all
 * that the store knows by then. What does not count is never signed.
 *
 * @module
 */
import { type AbortSignal, createAbortController, fromHex, HASH_BYTES, type PublicKey, toHex } from '@lattice/model'
import { system } from '@lattice/proto'
import {
  cancelInvite,
  checkText,
  isAdmin,
  MAX_NAME_BYTES,
  setPeerName,
  setPeerRole,
  setPeerStatus,
  type SystemWrite,
} from '@lattice/systemstore'
import { inviteAmbiguous, inviteNotFound, invalidArgument, NodeError, notAdmin, shortId } from './errors.ts'
import type { NodeContext } from './node-context.ts'
import type { InviteEntry, PeerActs, PeerEntry, PeerRemoval, SelfRemovalOptions } from './store-types.ts'
import type { OpenStore } from './open-store.ts'
import { nameOfPeer, resolvePeer } from './peer-reference.ts'
import { refuseInherited } from './refuse-inherited.ts'
import type { StoreManager } from './store-manager.ts'
import { viewInvites, viewPeers } from './store-views.ts'
import { peerHolder } from './store-peers.ts'
import { checkRevocable, checkSuccession, takeRights } from './revoke-peer.ts'
import { submitSystem } from './submit-system.ts'

/** Fewest digits of a token hash: as for stores and peers. */
const MIN_HASH_DIGITS = 4
/** Candidates listed for an ambiguous prefix. */
const CANDIDATES_SHOWN = 8

export interface PeerActsDeps {
  readonly context: NodeContext
  readonly manager: Pick<StoreManager, 'entry' | 'tablesOf'>
  /** Throws what keeps the store from being used. */
  readonly store: () => OpenStore
  /** Leaves the store as it is, once all that is here was offered to who is connected. */
  readonly leave: (signal: AbortSignal) => Promise<void>
}

export function createPeerActs(deps: PeerActsDeps): PeerActs {
  return {
    cancelInvite: (prefix) => cancel(deps, prefix),
    setPeerRole: (reference, role) => changeRole(deps, reference, role),
    revokePeer: (reference) => revoke(deps, reference),
    revokeSelf: (options = {}) => revokeSelf(deps, options),
    setPeerStatus: (reference, status) => changeStatus(deps, reference, status),
    setPeerName: (reference, name) => (reference === '' ? nameSelf(deps, name) : namePeer(deps, reference, name)),
  }
}

async function cancel(deps: PeerActsDeps, prefix: string): Promise<InviteEntry> {
  const store = adminsStore(deps, 'cancel invites')
  const { tokenHash, status } = findInvite(viewInvites(store), prefix)
  if (status === system.InviteStatus.CLAIMED) {
    throw wrongState(`the invite ${shortId(tokenHash)} is used up: it admits nobody any more`)
  }
  if (status === system.InviteStatus.CANCELLED)
    throw wrongState(`the invite ${shortId(tokenHash)} is cancelled already`)
  const author = deps.context.id
  await submitSystem(store.kernel, [cancelInvite({ author, tokenHash })], { author, act: 'cancel invites' })
  return findInvite(viewInvites(store), toHex(tokenHash))
}

function findInvite(invites: readonly InviteEntry[], prefix: string): InviteEntry {
  const digits = prefix.trim().toLowerCase()
  const isPrefix = digits.length >= MIN_HASH_DIGITS && digits.length <= 2 * HASH_BYTES
  if (!isPrefix || fromHex(digits.padEnd(2 * HASH_BYTES, '0')) === undefined) {
    throw invalidArgument(`an invite is named by ${MIN_HASH_DIGITS} or more hex digits of its hash: list the invites`)
  }
  const found = invites.filter(({ tokenHash }) => toHex(tokenHash).startsWith(digits))
  const [only] = found
  if (only === undefined) throw inviteNotFound(digits)
  if (found.length === 1) return only
  const candidates = found.slice(0, CANDIDATES_SHOWN).map(({ tokenHash }) => shortId(tokenHash))
  throw inviteAmbiguous(digits, { count: found.length, candidates })
}

const ROLES = {
  [system.Role.READER]: 'reader',
  [system.Role.WRITER]: 'writer',
  [system.Role.ADMIN]: 'admin',
} as const

async function changeRole(deps: PeerActsDeps, reference: string, role: system.Role): Promise<PeerEntry> {
  const word = role === system.Role.UNSPECIFIED ? undefined : ROLES[role]
  if (word === undefined) throw invalidArgument('a role is reader, writer or admin: choose one of them')
  const act = 'change roles'
  const store = adminsStore(deps, act)
  const peer = resolvePeer(reference, peersOf(deps, store))
  if (peer.status === system.PeerStatus.REVOKED) throw revokedAlready(peer)
  // The numbers of the roles rise with what they give.
  if (word !== 'admin' && role < peer.role && peer.status !== system.PeerStatus.INVITED) {
    if (peer.self) checkSuccession(peersOf(deps, store), peer)
    await takeRights(store, peer, word)
    return resolvePeer(toHex(peer.publicKey), peersOf(deps, store))
  }
  if (role === peer.role && peer.status !== system.PeerStatus.INVITED) return peer
  const author = deps.context.id
  const write = setPeerRole({ author, peer: peer.publicKey, role: word })
  return submitForPeer(deps, { store, write, act, peer: peer.publicKey })
}

async function changeStatus(deps: PeerActsDeps, reference: string, status: system.PeerStatus): Promise<PeerEntry> {
  if (status === system.PeerStatus.REVOKED) {
    throw invalidArgument('a peer is revoked by an act of its own: revoke it instead of changing its status')
  }
  if (status !== system.PeerStatus.ACTIVE && status !== system.PeerStatus.DORMANT) {
    throw invalidArgument('a peer is made active or dormant: choose one of them')
  }
  const act = 'change the status of peers'
  const store = adminsStore(deps, act)
  const peer = resolvePeer(reference, peersOf(deps, store))
  if (peer.self && status === system.PeerStatus.DORMANT) {
    throw invalidArgument('this node is in use, so it is not dormant: name another peer')
  }
  if (peer.status === status) return peer
  if (peer.status === system.PeerStatus.REVOKED) throw revokedAlready(peer)
  const word = status === system.PeerStatus.ACTIVE ? 'active' : 'dormant'
  const write = setPeerStatus({ author: deps.context.id, peer: peer.publicKey, status: word })
  return submitForPeer(deps, { store, write, act, peer: peer.publicKey })
}

async function revoke(deps: PeerActsDeps, reference: string): Promise<PeerRemoval> {
  const store = adminsStore(deps, 'revoke peers')
  const peer = resolvePeer(reference, peersOf(deps, store))
  if (peer.self) throw invalidArgument('that is this node: to remove it from the store, revoke it as itself')
  checkRevocable(peer)
  const epoch = await takeRights(store, peer, 'none')
  return { peer: resolvePeer(toHex(peer.publicKey), peersOf(deps, store)), epoch }
}

/** Whoever writes may remove itself; others are to learn of it before this node falls silent. */
async function revokeSelf(
  deps: PeerActsDeps,
  { force = false, signal = createAbortController().signal }: SelfRemovalOptions,
): Promise<PeerRemoval> {
  const { context, manager } = deps
  const store = deps.store()
  refuseInherited(store.kernel.tables(), { tablesOf: manager.tablesOf, act: 'remove this node' })
  const peers = peersOf(deps, store)
  const self = resolvePeer(toHex(context.id), peers)
  checkRevocable(self)
  if (self.role === system.Role.READER || self.role === system.Role.UNSPECIFIED) {
    throw wrongState('this node only reads the store, and has no right to take: leave it')
  }
  checkSuccession(peers, self)
  if (!force && !peers.some((peer) => !peer.self && peer.connected)) {
    throw new NodeError(
      'NOT_REPLICATED',
      'no peer of the store is connected, so nobody would learn that this node is out: connect to one, or force it',
    )
  }
  const epoch = await takeRights(store, self, 'none')
  const peer = resolvePeer(toHex(context.id), peersOf(deps, store))
  await deps.leave(signal)
  return { peer, epoch }
}

async function namePeer(deps: PeerActsDeps, reference: string, name: string): Promise<PeerEntry> {
  checkPeerName(name)
  const here = deps.store()
  const peer = resolvePeer(reference, peersOf(deps, here))
  if (peer.self) return nameSelf(deps, name)
  const act = 'name peers'
  const store = adminsStore(deps, act)
  if (peer.name === name) return peer
  const write = setPeerName({ author: deps.context.id, peer: peer.publicKey, name })
  return submitForPeer(deps, { store, write, act, peer: peer.publicKey })
}

/** What this node is called where the store's peers are: in the store itself or above it. */
async function nameSelf(deps: PeerActsDeps, name: string): Promise<PeerEntry> {
  checkPeerName(name)
  const { context, manager } = deps
  const here = deps.store()
  const at = peerHolder(here.kernel.tables(), manager.tablesOf).id ?? here.id
  const entry = manager.entry(at)
  if (entry?.open === undefined || !entry.ready) {
    throw new NodeError('STORE_NOT_READY', `the store ${shortId(at)}, whose peers count here, is not in use: open it`)
  }
  const self = resolvePeer(toHex(context.id), peersOf(deps, here))
  if (self.name === name) return self
  const write = setPeerName({ author: context.id, name })
  return submitForPeer(deps, { store: entry.open, write, act: 'name itself', peer: context.id })
}

interface PeerWrite {
  readonly store: OpenStore
  readonly write: SystemWrite
  readonly act: string
  readonly peer: PublicKey
}

/** Answers with the peer as it is then. */
async function submitForPeer(deps: PeerActsDeps, { store, write, act, peer }: PeerWrite): Promise<PeerEntry> {
  await submitSystem(store.kernel, [write], { author: deps.context.id, act })
  return resolvePeer(toHex(peer), peersOf(deps, store))
}

/** The store, where its peers are its own and this node may change them. */
function adminsStore({ context, manager, store }: PeerActsDeps, act: string): OpenStore {
  const opened = store()
  const tables = opened.kernel.tables()
  refuseInherited(tables, { tablesOf: manager.tablesOf, act })
  if (!isAdmin(tables.system, context.id)) throw notAdmin(opened.id, act)
  return opened
}

function peersOf({ context, manager }: PeerActsDeps, store: OpenStore): readonly PeerEntry[] {
  return viewPeers(context, { store, tablesOf: manager.tablesOf })
}

function checkPeerName(name: string): void {
  const problem = checkText(name, { maxBytes: MAX_NAME_BYTES, segment: false })
  if (problem === undefined) return
  throw invalidArgument(`a peer's name has 1 to ${MAX_NAME_BYTES} bytes of visible text: choose another`, {
    reason: problem,
  })
}

function revokedAlready(peer: PeerEntry): NodeError {
  return wrongState(`${nameOfPeer(peer)} is revoked: invite it anew to have it back`)
}

function wrongState(message: string): NodeError {
  return new NodeError('WRONG_STATE', message)
}
