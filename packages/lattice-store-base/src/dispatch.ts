/**
 * Calls a machine's methods by name, with requests as bytes: the way in for
 * every interface that knows a store only by its descriptor.
 *
 * A request is untrusted: it is bounded before it is decoded, and what cannot
 * be decoded is the caller's error, not the machine's.
 *
 * @module
 */
import { type DescMessage, fromBinary, type Message, type MessageShape, toBinary } from '@bufbuild/protobuf'
import { assert } from '@lattice/model'
import { InvalidArgument, LimitExceeded, MethodNotFound, NotBulk, StreamNotFound } from './errors.ts'
import { MAX_REQUEST_BYTES } from './limits.ts'
import type {
  CommandContext,
  CommandDefinition,
  PlannedWrite,
  QueryContext,
  QueryDefinition,
  StreamContext,
  StreamDefinition,
} from './method.ts'

/** The part of a machine that dispatch needs. */
export interface MachineMethods<Event = unknown> {
  readonly commands: Readonly<Record<string, CommandDefinition>>
  readonly queries: Readonly<Record<string, QueryDefinition>>
  readonly streams: Readonly<Record<string, StreamDefinition<Event>>>
}

/**
 * Runs a command or query. Rejects with {@link MethodNotFound},
 * {@link InvalidArgument}, {@link LimitExceeded}, or what the method throws;
 * with `signal.reason` when aborted before it starts.
 */
export async function execMethod(
  machine: MachineMethods,
  name: string,
  { request, context }: { readonly request: Uint8Array; readonly context: CommandContext },
): Promise<Uint8Array> {
  const command = own(machine.commands, name)
  const query = own(machine.queries, name)
  if (command === undefined && query === undefined) throw new MethodNotFound(name, methodNames(machine))
  context.signal.throwIfAborted()
  if (command !== undefined)
    return toBinary(command.response, await command.run(context, decodeRequest(command.request, name, request)))
  if (query !== undefined)
    return toBinary(query.response, query.run(context, decodeRequest(query.request, name, request)))
  throw new MethodNotFound(name, methodNames(machine))
}

/**
 * Runs a query with a request that is not encoded, for callers in this process; `undefined` where the method is no
 * query. The request is one of the method's own. Throws as {@link execMethod} rejects.
 */
export function runQuery(
  machine: MachineMethods,
  name: string,
  { request, context }: { readonly request: Message; readonly context: QueryContext },
): Message | undefined {
  const query = own(machine.queries, name)
  if (query === undefined) return undefined
  context.signal.throwIfAborted()
  assert(request.$typeName === query.request.typeName, 'a request is of the type of its method')
  return query.run(context, request)
}

/**
 * Makes the writes of a command that is to be run many times, from its requests, in a schema version that the store has
 * activated. Throws {@link MethodNotFound}, or {@link NotBulk} for a method that is not one write; the planner throws for
 * a request what `execMethod` rejects with.
 */
export function writePlanner(
  machine: MachineMethods,
  name: string,
  schema: number,
): (request: Uint8Array) => PlannedWrite {
  const command = own(machine.commands, name)
  if (command === undefined && own(machine.queries, name) === undefined) {
    throw new MethodNotFound(name, methodNames(machine))
  }
  if (command?.plan === undefined) {
    const planned = Object.entries(machine.commands).filter(([, { plan }]) => plan !== undefined)
    throw new NotBulk(
      name,
      planned.map(([each]) => each),
    )
  }
  const plan = command.plan.bind(command)
  return (request) => plan(decodeRequest(command.request, name, request), schema)
}

/**
 * Opens a stream; it is subscribed when this returns. Throws
 * {@link StreamNotFound}, {@link InvalidArgument} or {@link LimitExceeded}.
 */
export function openStream<Event>(
  machine: MachineMethods<Event>,
  name: string,
  { params, context }: { readonly params: Uint8Array; readonly context: StreamContext<Event> },
): AsyncIterable<Uint8Array> {
  const stream = own(machine.streams, name)
  if (stream === undefined) throw new StreamNotFound(name, Object.keys(machine.streams))
  const items = stream.open(context, decodeRequest(stream.params, name, params))
  return encodeItems(stream.item, items)
}

async function* encodeItems<Item extends DescMessage>(
  schema: Item,
  items: AsyncIterable<MessageShape<Item>>,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const item of items) yield toBinary(schema, item)
}

function decodeRequest<Req extends DescMessage>(schema: Req, name: string, bytes: Uint8Array): MessageShape<Req> {
  if (bytes.length > MAX_REQUEST_BYTES)
    throw new LimitExceeded(`a request has at most ${MAX_REQUEST_BYTES} bytes: send less at once`, {
      limit: MAX_REQUEST_BYTES,
      actual: bytes.length,
    })
  try {
    return fromBinary(schema, bytes)
  } catch (cause) {
    throw new InvalidArgument(
      `the request of ${name} is not a ${schema.typeName}: encode it as that message`,
      { method: name },
      { cause },
    )
  }
}

function methodNames(machine: MachineMethods): string[] {
  return [...Object.keys(machine.commands), ...Object.keys(machine.queries)]
}

/** Names come from outside: what an object inherits is no method. */
function own<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined
}
