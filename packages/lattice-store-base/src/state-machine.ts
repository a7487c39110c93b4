/**
 * What a store type must provide: how its operations change a table, and which
 * methods read and write it.
 *
 * `apply` is the only part that decides state, so it is pure, synchronous and
 * total: two nodes that applied the same operations in any two causal orders
 * hold the same bytes.
 *
 * @module
 */
import type { DescService } from '@bufbuild/protobuf'
import type { Hlc, IntentionId, PublicKey, ReadTable, SExpr, StoreType, WriteTable } from '@lattice/model'
import type { EpochWish } from './membership.ts'
import type { CommandDefinition, QueryDefinition, StreamDefinition } from './method.ts'
import type { AnyService } from './service.ts'

/** One witnessed operation, as a state machine sees it. */
export interface AppliedOp {
  /** Id of the intention. */
  readonly id: IntentionId
  readonly author: PublicKey
  readonly timestamp: Hlc
  /**
   * What its author cited: the intention's causal deps, and those of the
   * AckOp that folds them, see `planCitations`. Sorted, unique; every one of
   * them was applied before, in any causal order, but for what is beyond a
   * cutoff that the author had not seen: that is never applied.
   */
  readonly deps: readonly IntentionId[]
  /**
   * True when `ancestor` is among the causes of this operation, at any
   * distance. A fact of the DAG, so it may decide; it may cost a walk.
   */
  readonly follows: (ancestor: IntentionId) => boolean
  /**
   * True for what this operation replaces where it writes to the same place: its deps, and what lies below an epoch of
   * the store in its past, for no author cites that any more. A fact of the DAG, too. `at`: the timestamp of the one that is
   * asked about. Give it where it is at hand: of what was deleted with the history it may be all that tells.
   */
  readonly covers: (id: IntentionId, at?: Hlc) => boolean
  /** Schema version of the machine that wrote the payload. */
  readonly schema: number
  readonly payload: Uint8Array
}

/** The operation changed the table; events are differences of the resolved state. */
export interface OpApplied<Event> {
  readonly kind: 'applied'
  readonly events: readonly Event[]
  /** The node that wrote the operation makes this epoch right after it, in the same commit. Nobody else does. */
  readonly epoch?: EpochWish
}

/**
 * The operation is a recorded no-op, by a rule that depends on its bytes and
 * the table alone. The table is unchanged.
 */
export interface OpRejected {
  readonly kind: 'rejected'
  /** Stable, short, in snake_case: `payload_malformed`. */
  readonly reason: string
}

export type OpOutcome<Event> = OpApplied<Event> | OpRejected

/** How a client shows a bytes or integer field. */
export type FieldFormat = 'utf8' | 'hex' | 'json' | 'timestamp'

/** How a machine lets go of what is only there to say that something is gone, such as the tombstones of a table of keys. */
export interface MachinePurge {
  /** Of its payloads; the store has to have activated it. */
  readonly schema: number
  /**
   * Plans the writes, each a payload that `apply` understands. `isSeen`: true for an intention that everybody who writes to
   * the store has seen, so that nothing more will come from who has not. Yields undefined after a slice of looking: the table
   * may change between two steps, so what a payload says has to stay right when it is applied later.
   */
  readonly plan: (read: ReadTable, isSeen: (id: IntentionId) => boolean) => Iterable<Uint8Array | undefined>
}

export interface BlobReference {
  readonly cid: string
  readonly class: string
}

/**
 * A pluggable state machine. `Event` is what its `apply` emits and its streams
 * are made of; `Service` carries the types of its methods to `createClient`.
 */
export interface StateMachine<Event = unknown, Service extends AnyService = DescService> {
  readonly storeType: StoreType
  /**
   * Latest version of the payload schema that this machine writes and understands, as it does all before it; from 1. It
   * writes it once the store has activated it.
   */
  readonly schemaVersion: number
  /** Latest version that its commands need, where that is an earlier one: older nodes go on reading what they write. */
  readonly commandSchema?: number
  /** Version of the table's layout; a change rebuilds the projection. From 1. */
  readonly tableVersion: number
  /** The protobuf service that describes every method and stream. */
  readonly service: Service
  /** By the method's name in the service. */
  readonly commands: Readonly<Record<string, CommandDefinition>>
  readonly queries: Readonly<Record<string, QueryDefinition>>
  readonly streams: Readonly<Record<string, StreamDefinition<Event>>>
  /** Applies one operation. Total: never throws on any payload. */
  readonly apply: (table: WriteTable, op: AppliedOp) => OpOutcome<Event>
  /** By whoever prunes the store, once its history was cut. None: nothing is only there for that. */
  readonly purge?: MachinePurge
  /** A payload for people. Total; an undecodable payload is shown as bytes. */
  readonly summarize: (payload: Uint8Array) => SExpr
  /** Display formats by full field name, such as `lattice.kv.v1.PutRequest.key`. */
  readonly fieldFormats: Readonly<Record<string, FieldFormat>>
  /** Blobs the present state needs. */
  readonly referencedBlobs: (read: ReadTable) => Iterable<BlobReference>
}
