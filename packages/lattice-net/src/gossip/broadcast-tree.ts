/**
 * Broadcast in a topic along a tree that mends itself.
 *
 * The words are those of PlumTree (Leitão, Pereira, Rodrigues 2007). A message goes in full to the eager neighbours and by
 * its id to the lazy ones. A second copy prunes the link it came by, so that what stays is a tree; an id whose message does
 * not come grafts a link back into it. What differs from the paper, and why:
 *
 * - A message is delivered to the store first. It goes on to others, and its link counts, only once the store accepted
 *   it; a rejected copy leaves the message wanted from whoever else announced it.
 * - Nothing is dropped silently: what cannot be got or served any more is an effect.
 * - A neighbour whose claim of a shorter path was followed and that then did not deliver is not believed again.
 *
 * @module
 */
import type { IntentionId, PublicKey, StoreId } from '@lattice/model'

/** A message of a topic: a run, by its closing intention, of one of the stores the topic is for. */
export interface MessageRef {
  readonly store: StoreId
  readonly id: IntentionId
}

/** A message that the store here holds. */
export interface OwnMessage<P> extends MessageRef {
  readonly payload: P
  /** The neighbour it came from on another way: it is not sent it. */
  readonly holder?: PublicKey
}

/** A message that the sender holds, and over how many hops the receiver would have it from there. */
export interface Announced {
  readonly id: IntentionId
  readonly round: number
}

/** What neighbours say to each other. `P` is what is broadcast; the tree does not look into it. */
export type TreeMessage<P> =
  /** `round` counts hops from the author: 1 at its neighbours. */
  | (MessageRef & { readonly kind: 'gossip'; readonly round: number; readonly payload: P })
  | { readonly kind: 'ihave'; readonly store: StoreId; readonly entries: readonly Announced[] }
  /** The sender wants messages from here in full from now on, and these at once, if any. */
  | {
      readonly kind: 'graft'
      readonly wanted: { readonly store: StoreId; readonly ids: readonly IntentionId[] } | undefined
    }
  /** The sender wants ids only. */
  | { readonly kind: 'prune' }

/** A timer of the tree: one for all announcements that wait, and one for each id that is waited for. */
export type TreeTimer = { readonly kind: 'announce' } | { readonly kind: 'graft'; readonly id: IntentionId }

/** One thing to do, in order. */
export type TreeEffect<P> =
  | { readonly kind: 'send'; readonly peer: PublicKey; readonly message: TreeMessage<P> }
  /** To be verified and stored; then say `accepted` or `rejected`, in any order. */
  | (MessageRef & { readonly kind: 'deliver'; readonly payload: P; readonly from: PublicKey; readonly round: number })
  /** Say `timeout` after so long; takes the place of the same timer. */
  | { readonly kind: 'arm'; readonly timer: TreeTimer; readonly delayMs: number }
  | { readonly kind: 'cancel'; readonly timer: TreeTimer }
  /** Who is no neighbour sent what only neighbours do: for the membership to put right (`stranger`). */
  | { readonly kind: 'stranger'; readonly peer: PublicKey }
  /** The peer asks for a message that is not kept here any more: send it from the store, or reconcile. */
  | (MessageRef & { readonly kind: 'unserved'; readonly peer: PublicKey })
  /** None of those who announced the message gave it: reconcile with one of them. */
  | (MessageRef & { readonly kind: 'gave_up'; readonly announcers: readonly PublicKey[] })

export type TreeEffects<P> = readonly TreeEffect<P>[]

/** One node's part in the broadcasts of one topic. Every method answers what is to be done now. */
export interface BroadcastTree<P> {
  readonly neighborUp: (peer: PublicKey) => TreeEffects<P>
  readonly neighborDown: (peer: PublicKey) => TreeEffects<P>
  /** Sends what the store here holds. Does nothing for what was broadcast before. */
  readonly broadcast: (message: OwnMessage<P>) => TreeEffects<P>
  /** From any peer that may use the topic; of those that are no neighbours only broadcasts count. */
  readonly receive: (peer: PublicKey, message: TreeMessage<P>) => TreeEffects<P>
  /** The store took what was delivered: it goes on to others. */
  readonly accepted: (id: IntentionId) => TreeEffects<P>
  /** The store did not: it goes no further, and another copy is asked for where there is one. */
  readonly rejected: (id: IntentionId) => TreeEffects<P>
  /** The store got the message on another way, and it is not to be broadcast from here. */
  readonly held: (message: MessageRef) => TreeEffects<P>
  readonly timeout: (timer: TreeTimer) => TreeEffects<P>
  /** Neighbours that get messages in full. */
  readonly eager: () => readonly PublicKey[]
  /** Neighbours that get ids. */
  readonly lazy: () => readonly PublicKey[]
}
