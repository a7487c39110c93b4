/**
 * Commands, queries and streams of a state machine, each bound to the protobuf
 * method that describes it.
 *
 * `run` and `open` are declared as methods: that lets a definition with precise
 * messages stand in a record of any definitions. Dispatch decodes a request
 * with the definition's own schema, so each still gets exactly what it names.
 *
 * @module
 */
import type { DescMessage, MessageShape } from '@bufbuild/protobuf'
import type { AbortSignal, IntentionId, ReadTable } from '@lattice/model'
import type { ReadLog } from './read-log.ts'

/**
 * Deps of a write, resolved against the state in which it is signed. At most
 * `MAX_FOLDED_DEPS`, in any order; more than an intention can hold are folded
 * through an AckOp by the writer.
 */
export type ResolveDeps = (read: ReadTable) => readonly IntentionId[]

/** A write that is made but for its place in the store: what is signed there, and what it cites. */
export interface PlannedWrite {
  /** At most `MAX_PAYLOAD_BYTES`. */
  readonly payload: Uint8Array
  readonly deps: ResolveDeps
}

export interface QueryContext {
  /** The projected application table. */
  readonly read: ReadTable
  /** The writes that made it, as far as this node's log reaches. */
  readonly log: ReadLog
  readonly signal: AbortSignal
}

export interface CommandContext extends QueryContext {
  /**
   * The schema version that payloads are written in: the latest that the store has activated and this machine knows. A
   * machine that is newer than its store writes as the older one did, until its version is activated.
   */
  readonly schema: number
  /**
   * Signs, witnesses and projects one operation; resolves with its id once it
   * is durable. `deps` runs inside the store's writer, so that this node's own
   * concurrent writes see each other. Not cancelled once it is queued.
   */
  readonly submit: (payload: Uint8Array, deps: ResolveDeps) => Promise<IntentionId>
  /**
   * Resolves in a later turn, so that long work lets other work in between. The state may have changed by then: what has
   * to hold where a write is signed is looked at in its `deps`, which may throw.
   */
  readonly pause: () => Promise<void>
  /**
   * Runs `task` once those of this store that came before have ended: for work of many turns that holds much memory.
   * Rejects with `LIMIT_EXCEEDED` where too many wait. A task that waits for another of its store never ends.
   */
  readonly exclusive: <Result>(task: () => Promise<Result>) => Promise<Result>
}

/** A subscriber fell behind by so many commits, 0 where it is not known how many, and has to read again. */
export interface StreamLagged {
  readonly kind: 'lagged'
  readonly count: number
}

export interface StreamEvents<Event> {
  readonly kind: 'events'
  /** Events of one commit, in order. */
  readonly events: readonly Event[]
  /** Where the state stood in the log after it, see `ReadLog`. */
  readonly cursor: Uint8Array
}

export interface StreamContext<Event> extends QueryContext {
  /**
   * Everything applied from this call on, commit by commit; ends on `signal`. What is read of `read` and `log` in the same
   * turn as the call is the state from which it goes on.
   */
  readonly changes: () => AsyncIterable<StreamEvents<Event> | StreamLagged>
  /** Resolves in a later turn, so that long reading lets other work in between. The state may have changed by then. */
  readonly pause: () => Promise<void>
}

export interface CommandDefinition<Req extends DescMessage = DescMessage, Res extends DescMessage = DescMessage> {
  readonly kind: 'command'
  readonly description: string
  readonly request: Req
  readonly response: Res
  run(context: CommandContext, request: MessageShape<Req>): Promise<MessageShape<Res>>
  /**
   * Where the command is one write and reads nothing before it: that write, in the schema version given. Throws what
   * `run` rejects with. Such a command can be run many times at once, see `writePlanner`.
   */
  plan?(request: MessageShape<Req>, schema: number): PlannedWrite
}

export interface QueryDefinition<Req extends DescMessage = DescMessage, Res extends DescMessage = DescMessage> {
  readonly kind: 'query'
  readonly description: string
  readonly request: Req
  readonly response: Res
  run(context: QueryContext, request: MessageShape<Req>): MessageShape<Res>
}

export interface StreamDefinition<
  Event = unknown,
  Params extends DescMessage = DescMessage,
  Item extends DescMessage = DescMessage,
> {
  readonly kind: 'stream'
  readonly description: string
  readonly params: Params
  readonly item: Item
  /** Validates and subscribes at once; what comes is read from the result. */
  open(context: StreamContext<Event>, params: MessageShape<Params>): AsyncIterable<MessageShape<Item>>
}
