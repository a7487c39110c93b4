/**
 * What the kernel projects. The kernel hands over every witnessed operation that
 * is not its own; the system layer is the projector of a real store and routes
 * to the state machine inside it.
 *
 * @module
 */
import type { Hlc, IntentionId, PublicKey, SExpr, ReadTable, WriteTable } from '@lattice/model'
import type { weaver } from '@lattice/proto'
import type { OpOutcome } from './state-machine.ts'

/** The two tables of a store's state. */
export interface StoreTables {
  readonly system: WriteTable
  readonly app: WriteTable
}

export interface ReadStoreTables {
  readonly system: ReadTable
  readonly app: ReadTable
}

export interface ProjectedOp {
  readonly id: IntentionId
  readonly author: PublicKey
  readonly timestamp: Hlc
  /**
   * The intention's causal deps. Where one of them is its `store_prev` and an
   * AckOp, the deps of that ack count as its own, see `planCitations`. Sorted,
   * unique.
   */
  readonly deps: readonly IntentionId[]
  /** The decoded envelope, or undefined when the ops are not one. */
  readonly op: weaver.UniversalOp | undefined
  /** True when `ancestor` is among the causes of this operation, at any distance. */
  readonly follows: (ancestor: IntentionId) => boolean
  /**
   * True for what this operation replaces where it writes to the same place: what is among its deps, and what lies below
   * an epoch in its past, which nobody cites any more. `at`: the timestamp of the one that is asked about, where it is known.
   */
  readonly covers: (id: IntentionId, at?: Hlc) => boolean
  /** `writer`: an epoch took more than that from the author, and the operation does not precede it. Authorize it so. */
  readonly limit?: 'writer'
}

export interface Projector<Event = unknown> {
  /** Changes whenever the tables would come out different: state is then rebuilt. */
  readonly version: string
  /** Once, before any operation: the genesis names the creator. */
  readonly applyGenesis: (tables: StoreTables, genesis: ProjectedOp) => OpOutcome<Event>
  /** Total, deterministic, synchronous. */
  readonly apply: (tables: StoreTables, op: ProjectedOp) => OpOutcome<Event>
  /** A payload for people. Total. */
  readonly summarize: (op: weaver.UniversalOp) => SExpr
}

/**
 * Who may author here. Answers come from replicated tables, so they only ever
 * delay: what is refused now may be admitted when an admission arrives.
 */
export interface Authority {
  readonly admits: (tables: ReadStoreTables, author: PublicKey) => boolean
  /**
   * True where peers are another store's. Then no record here tells by what somebody was let in, and nodes may differ in that
   * for ever: what let it in may count for nothing by the time it comes. So what somebody who is admitted has built on is
   * taken in as well, and counts, whoever made it. Absent: never.
   */
  readonly admitsByUse?: (tables: ReadStoreTables) => boolean
  /**
   * What an author's next intention has to cite beside the deps the caller
   * names: its admission or the grant it relies on, unless it is the creator, and
   * the activation of a later schema than the first.
   * The writer leaves out those that are in the past of its tips already.
   */
  readonly requiredDeps: (tables: ReadStoreTables, author: PublicKey, op: weaver.UniversalOp) => readonly IntentionId[]
}
