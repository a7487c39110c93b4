/**
 * What a pruned log stands on, as it goes from one node to another.
 *
 * A log that is pruned to an epoch, its base, keeps of what lies below it the genesis and the spine (the records of
 * membership, and the epochs), and of a few others where they stand: whatever is kept can then be placed. A node that has
 * nothing, or was away while the base came to be, begins with that, and with the state at the base.
 *
 * @module
 */
import type { Hash, Hlc, IntentionId, PublicKey, Result, SignedIntention } from '@lattice/model'
import type { LanePosition } from './reach-vector.ts'

/** Lanes and authors by their number among the items. */
export interface FoundationPlace {
  readonly lane: number
  readonly position: number
  readonly generation: number
  /** The past, itself included: each lane with its highest position. Lanes ascend. */
  readonly vector: readonly LanePosition[]
}

/**
 * Authors come first and lanes next, each numbered from 0 in the order in which it comes; then spine and anchors, causes
 * first: the genesis before all others, the base after all; then acks.
 */
export type FoundationItem =
  | { readonly kind: 'author'; readonly key: PublicKey }
  | {
      readonly kind: 'lane'
      readonly author: number
      /** Where it branches off; undefined for the lane of the genesis. */
      readonly parent: { readonly lane: number; readonly position: number } | undefined
      /** The last of its positions that is not above the base. */
      readonly head: number
    }
  | { readonly kind: 'spine'; readonly record: SignedIntention; readonly place: FoundationPlace }
  /** Comes after an unsigned one of its chain, with others up to the signed one that vouches for all of them. */
  | { readonly kind: 'closing'; readonly intention: SignedIntention; readonly place: FoundationPlace }
  | {
      readonly kind: 'anchor'
      readonly id: IntentionId
      readonly place: FoundationPlace
      readonly timestamp: Hlc
      /** Of an ack what it cites: a later write may mean it by citing the ack. */
      readonly folded: readonly IntentionId[]
    }
  | { readonly kind: 'ack'; readonly ack: SignedIntention }

/** As it stands while a node serves it: what is below an epoch never changes. */
export interface Foundation {
  readonly base: IntentionId
  /** How many items there are. */
  readonly items: number
  /** Items from the one numbered `after` on (0: all), up to about `maxBytes` on the wire and at least one; none at the end. */
  readonly read: (after: number, maxBytes: number) => readonly FoundationItem[]
}

/** Why what a peer sent is no foundation of the store. */
export type FoundationFault =
  /** It does not decode, or breaks a bound by itself. */
  | 'malformed'
  /** It comes where it must not: kinds have an order, and so have places. */
  | 'out_of_order'
  /** Two items are about the same thing. */
  | 'duplicate'
  /** It names an author, a lane, or a position that is none. */
  | 'reference'
  /** More items or bytes than a foundation may have. */
  | 'too_large'
  /** The genesis is of another store. */
  | 'wrong_store'
  /** No signature vouches for it. */
  | 'not_authentic'
  /** Its place contradicts what it cites, or that of another. */
  | 'misplaced'
  /** A record that is none, or whose rules its own past breaks. */
  | 'not_a_record'
  /** It reaches above the base. */
  | 'above_base'
  /** Its base is no epoch that counts. */
  | 'base_invalid'
  /** Whether its base counts depends on what is not here of the parent: nobody is to blame, and later it may. */
  | 'base_undecided'
  /** Something that has to be there is not: it was cut short. */
  | 'incomplete'
  /** Too few of those who have to vouch for a state at the base do. */
  | 'no_quorum'
  /** Those who vouch contradict each other. */
  | 'diverged'
  /** Those who vouch say that chains end elsewhere. */
  | 'ends_differ'

export interface FoundationRefused {
  readonly code: FoundationFault
  /** Number of the item, counted from 0; undefined where it is about all of them. */
  readonly item: number | undefined
  /** One sentence for a person. */
  readonly problem: string
}

/** What a complete foundation comes to. */
export interface FoundationEnd {
  readonly base: IntentionId
  /** What the state at the base has to hash to: a quorum signed it. */
  readonly root: Hash
}

/**
 * Takes a foundation in, item by item, and makes a log of it. What is taken in is on the disk: a writer that is opened anew
 * in the same directory goes on where the last one ended. After a refusal nothing of it is left.
 */
export interface FoundationWriter {
  /** How many items are taken in: the number of the next. */
  readonly position: () => number
  /** How many intentions are not above the base, by what is taken in. */
  readonly positions: () => number
  /** Takes the next items in, all of them or none. Throws `DiskFull` or `StorageFailed`. */
  readonly add: (items: readonly FoundationItem[]) => Result<undefined, FoundationRefused>
  /** Checks the whole and writes the log: the directory then opens as any other. Throws as `add`. */
  readonly finish: () => Result<FoundationEnd, FoundationRefused>
  /** Removes what was taken in. */
  readonly abort: () => void
  /** Releases files; what was taken in stays. */
  readonly close: () => void
}
