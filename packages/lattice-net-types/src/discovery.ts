/**
 * Port of discovery: telling peers where this node is, and finding where they are.
 *
 * What is found is a hint and never believed: a transport dials it and proves who answers. So whoever forges hints can make
 * a node dial in vain, and nothing else.
 *
 * @module
 */
import type { AbortSignal, Lagged, PublicKey } from '@lattice/model'

/** Peers that one discovery looks for at a time; beyond it, further ones are not looked for: a mesh has far fewer. */
export const MAX_SOUGHT_PEERS = 4096

/** Addresses of one peer that are told: a few interfaces in two notations. More are left out, those told last first. */
export const MAX_FOUND_ADDRESSES = 16

/** Something about a peer that is looked for. */
export type DiscoveryEvent =
  /** The peer, or somebody in its name, says where it is. At least one address, the whole of what is known now. */
  | { readonly kind: 'found'; readonly peer: PublicKey; readonly addresses: readonly string[] }
  /** What was found no longer holds: it said goodbye, or has not been heard of for too long. */
  | { readonly kind: 'gone'; readonly peer: PublicKey }

export interface Discovery {
  /** `lan`, `sim`, … */
  readonly name: string
  /**
   * From now on whoever looks for this node is told these addresses; they replace those before. With none the node is not
   * found. Addresses that the medium cannot carry are left out.
   */
  readonly announce: (addresses: readonly string[]) => void
  /**
   * Looks for a peer until `signal` aborts; what is found comes as events, what is known already at once. To look for it
   * again asks anew, and a peer that answers is told of again, though it says the same: it is there. Of peers that nobody
   * looks for nothing is told and nothing kept.
   */
  readonly find: (peer: PublicKey, signal: AbortSignal) => void
  /** Events from this call on. A subscriber that lagged looks for its peers again. Ends on close. */
  readonly events: (signal: AbortSignal) => AsyncIterable<DiscoveryEvent | Lagged>
  /** Says goodbye, ends every subscription, releases sockets. Idempotent. Announcing and looking do nothing after it. */
  readonly close: () => Promise<void>
}
