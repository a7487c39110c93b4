/**
 * A typed client for any machine: methods with the request and response types
 * of its service, over anything that carries bytes.
 *
 * It needs the service's descriptor alone, not the machine, so the same client
 * works in process, over a socket and in a browser.
 *
 * @module
 */
import {
  create,
  type DescMessage,
  type DescMethod,
  fromBinary,
  type Message,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf'
import { type AbortSignal, createAbortController } from '@lattice/model'
import type { AnyService, ServiceMethod } from './service.ts'

/** Requests of one command: all at once, or in parts that arrive. */
export type ManyRequests = Iterable<Uint8Array> | AsyncIterable<Iterable<Uint8Array>>

export interface ExecutedMany {
  /** The first so many requests are done, durably. */
  readonly written: number
}

export interface ExecManyOptions {
  readonly signal?: AbortSignal
  /** Told as more is written. */
  readonly onProgress?: (progress: ExecutedMany) => void
}

/** Carries calls to a store. */
export interface Executor {
  /** Runs a command or query by its name in the service. */
  readonly exec: (method: string, request: Uint8Array, signal: AbortSignal) => Promise<Uint8Array>
  /**
   * Runs a query in this process, without encoding anything; `undefined` where the method is no query. Throws as `exec`
   * rejects.
   */
  readonly query?: (method: string, request: Message, signal: AbortSignal) => Message | undefined
  /**
   * Runs a command once for each request, in order, as fast as the store takes them in; holds few at a time. The command
   * is one that is a single write, else it rejects with `NOT_SUPPORTED`. When it rejects, the first `detail.written`
   * requests are done and none of the others; once aborted it rejects with `signal.reason`, and `onProgress` has told.
   */
  readonly execMany: (method: string, requests: ManyRequests, options: ExecManyOptions) => Promise<ExecutedMany>
  /** Opens a stream; ends on `signal`. */
  readonly subscribe: (stream: string, params: Uint8Array, signal: AbortSignal) => AsyncIterable<Uint8Array>
  /** Resolves in a later turn, so that long work of a client lets others in between; without it, such work is one turn. */
  readonly pause?: () => Promise<void>
}

export type UnaryCall<Req extends DescMessage, Res extends DescMessage> = (
  request: MessageInitShape<Req>,
  signal?: AbortSignal,
) => Promise<MessageShape<Res>>

export type StreamCall<Params extends DescMessage, Item extends DescMessage> = (
  params: MessageInitShape<Params>,
  signal?: AbortSignal,
) => AsyncIterable<MessageShape<Item>>

type Call<Method extends ServiceMethod> = Method['methodKind'] extends 'unary'
  ? UnaryCall<Method['input'], Method['output']>
  : StreamCall<Method['input'], Method['output']>

/** One function per method of the service, in camelCase: `client.put({ key, value })`. */
export type Client<Service extends AnyService> = {
  readonly [Name in keyof Service['method']]: Call<Service['method'][Name]>
}

/** Makes the client of `definition` (a machine, or anything else with its service) over `executor`. */
export function createClient<Service extends AnyService>(
  definition: { readonly service: Service },
  executor: Executor,
): Client<Service> {
  const never = createAbortController().signal
  const calls = definition.service.methods.map((method) => [method.localName, callOf(method, executor, never)] as const)
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Built from the very descriptor that the type is computed from.
  return Object.fromEntries(calls) as Client<Service>
}

function callOf({ name, methodKind, input, output }: DescMethod, executor: Executor, never: AbortSignal): unknown {
  const encode = (init: MessageInitShape<DescMessage>): Uint8Array => toBinary(input, create(input, init))
  if (methodKind === 'unary')
    return async (init: MessageInitShape<DescMessage>, signal: AbortSignal = never) => {
      if (executor.query === undefined) return fromBinary(output, await executor.exec(name, encode(init), signal))
      const request = create(input, init)
      const answer = executor.query(name, request, signal)
      return answer ?? fromBinary(output, await executor.exec(name, toBinary(input, request), signal))
    }
  return (params: MessageInitShape<DescMessage>, signal: AbortSignal = never) =>
    decodeItems(output, executor.subscribe(name, encode(params), signal))
}

async function* decodeItems(
  schema: DescMessage,
  items: AsyncIterable<Uint8Array>,
): AsyncGenerator<MessageShape<DescMessage>, void, undefined> {
  for await (const item of items) yield fromBinary(schema, item)
}
