/**
 * Membership of a topic: with which few peers a node stays connected, and who takes the place of one that goes.
 *
 * The words are those of HyParView (Leitão, Pereira, Rodrigues 2007). The active view holds the neighbours, is small and
 * symmetric: whoever is ours has us. The passive view holds replacements. What differs from the paper, and why:
 *
 * - Who belongs to a topic is known from data. Only such candidates are ever taken in, whatever a peer names, and a node
 *   without neighbours can always begin again with them.
 * - A neighbour is asked and answers, join included, so that both sides know.
 * - The answer to a shuffle goes back on the way of the walk: it needs no connection of its own.
 * - Now and then a full node swaps a neighbour for a random candidate. Without it two halves of a partition, each with
 *   full views, would stay apart when the link is back.
 *
 * @module
 */
import type { PublicKey } from '@lattice/model'

/** `high`: the asked peer makes room, unless it did so very often of late. `low`: a peer whose view is full refuses. */
export type NeighborPriority = 'high' | 'low'

/** What members of a topic say to each other. Keys alone are named; addresses travel beside. */
export type MembershipMessage =
  /** The sender has no neighbour: it becomes one here, and a walk from each neighbour of the receiver finds it more. */
  | { readonly kind: 'join' }
  /** A newcomer's walk. Where it ends, the newcomer is asked to become a neighbour. */
  | { readonly kind: 'forward_join'; readonly peer: PublicKey; readonly ttl: number }
  | { readonly kind: 'neighbor'; readonly priority: NeighborPriority }
  /** Answers a `join` or `neighbor`. */
  | { readonly kind: 'neighbor_reply'; readonly accepted: boolean }
  /** The receiver is no neighbour of the sender (any more). */
  | { readonly kind: 'disconnect' }
  /** A sample of what `origin` knows, on a walk to whom it is swapped with. */
  | {
      readonly kind: 'shuffle'
      readonly origin: PublicKey
      readonly ttl: number
      readonly sample: readonly PublicKey[]
    }
  /** What `origin` gets in return. */
  | { readonly kind: 'shuffle_reply'; readonly origin: PublicKey; readonly sample: readonly PublicKey[] }

/** One thing to do, in order. */
export type MembershipEffect =
  /** Wanted as a neighbour: dial, or use the connection there is; then say `up` or `failed`. */
  | { readonly kind: 'connect'; readonly peer: PublicKey }
  /** Only to peers with a connection. */
  | { readonly kind: 'send'; readonly peer: PublicKey; readonly message: MembershipMessage }
  | { readonly kind: 'neighbor_up'; readonly peer: PublicKey }
  | { readonly kind: 'neighbor_down'; readonly peer: PublicKey }
  /**
   * Not wanted here any more: once what was sent is out, the connection may end unless something else needs it. Follows
   * every `connect` and `neighbor_up` in the end, also when the connection failed or is gone.
   */
  | { readonly kind: 'release'; readonly peer: PublicKey }

export type MembershipEffects = readonly MembershipEffect[]

/** One node's part in the membership of one topic. Every method answers what is to be done now. */
export interface Membership {
  /** Who belongs to the topic, from data; replaces what was said before. Itself may be among them. */
  readonly candidates: (peers: readonly PublicKey[]) => MembershipEffects
  /** A connection with the peer is usable, whoever dialled; said again when another took its place. */
  readonly up: (peer: PublicKey) => MembershipEffects
  /** The last connection with the peer is gone. */
  readonly down: (peer: PublicKey) => MembershipEffects
  /** A `connect` came to nothing. May be said at once while the peer is not to be dialled. */
  readonly failed: (peer: PublicKey) => MembershipEffects
  readonly receive: (peer: PublicKey, message: MembershipMessage) => MembershipEffects
  /** The peer behaves as a neighbour. Where it is none it is told so. */
  readonly stranger: (peer: PublicKey) => MembershipEffects
  /** Every few seconds: gives up what is not answered, refills, shuffles, and now and then mixes. */
  readonly tick: () => MembershipEffects
  /** After sleep or a change of network: forgets who refused, and takes in new neighbours among all candidates. */
  readonly rejoin: () => MembershipEffects
  /** Says goodbye to every neighbour. Nothing happens afterwards until there are candidates again. */
  readonly leave: () => MembershipEffects
  /** The neighbours, in the order in which they came. */
  readonly active: () => readonly PublicKey[]
  readonly passive: () => readonly PublicKey[]
}
