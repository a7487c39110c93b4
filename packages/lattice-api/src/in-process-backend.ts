/**
 * A backend without a socket: calls go straight to the handlers. Requests are
 * made complete as a decoder would, so that a handler cannot tell the difference.
 *
 * @module
 */
import { create, type DescMethod, type Message } from '@bufbuild/protobuf'
import { LatticeError } from '@lattice/model'
import { BACKEND_SERVICES, type BackendHandlers, type LatticeBackend } from './backend.ts'
import {
  type DuplexHandler,
  type MethodHandler,
  methodHandlers,
  type StreamHandler,
  type UnaryHandler,
} from './method-handlers.ts'
import type { CallOptions, ServiceClient, ServiceHandlers, ServiceSchema } from './service-types.ts'

/** The backend was closed; open another. */
export class BackendClosed extends LatticeError {
  override readonly name = 'BackendClosed'
  readonly code = 'CLOSED'

  constructor() {
    super('this backend is closed: open another one')
  }
}

/** Calls `handlers` directly. Closing it ends running calls; the node stays open. */
export function createInProcessBackend(handlers: BackendHandlers): LatticeBackend {
  const ending = new AbortController()
  const close = (): Promise<void> => {
    ending.abort(new BackendClosed())
    return Promise.resolve()
  }
  return {
    node: directClient(BACKEND_SERVICES.node, handlers.node, ending.signal),
    store: directClient(BACKEND_SERVICES.store, handlers.store, ending.signal),
    dynamic: directClient(BACKEND_SERVICES.dynamic, handlers.dynamic, ending.signal),
    close,
    [Symbol.asyncDispose]: close,
  }
}

type Call = (request: Record<string, unknown>, options?: CallOptions) => Promise<Message> | AsyncIterable<Message>
type DuplexCall = (requests: AsyncIterable<Record<string, unknown>>, options?: CallOptions) => AsyncIterable<Message>

function directClient<Schema extends ServiceSchema>(
  schema: Schema,
  handlers: ServiceHandlers<Schema>,
  ending: AbortSignal,
): ServiceClient<Schema> {
  const calls = methodHandlers(schema, handlers).map((handler) => [handler.method.localName, callOf(handler, ending)])
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Every method of the schema is built above, by its own name.
  return Object.fromEntries(calls) as ServiceClient<Schema>
}

function callOf(handler: MethodHandler, ending: AbortSignal): Call | DuplexCall {
  switch (handler.kind) {
    case 'duplex':
      return duplex(handler.method, handler.call, ending)
    case 'stream':
      return stream(handler.method, handler.call, ending)
    case 'unary':
      return unary(handler.method, handler.call, ending)
  }
}

function unary(method: DescMethod, handler: UnaryHandler, ending: AbortSignal): Call {
  return async (request, options) => {
    const signal = joined(ending, options)
    signal.throwIfAborted()
    return handler(create(method.input, request), signal)
  }
}

function stream(method: DescMethod, handler: StreamHandler, ending: AbortSignal): Call {
  return (request, options) => run((signal) => handler(create(method.input, request), signal), ending, options)
}

function duplex(method: DescMethod, handler: DuplexHandler, ending: AbortSignal): DuplexCall {
  async function* complete(requests: AsyncIterable<Record<string, unknown>>): AsyncGenerator<Message> {
    for await (const request of requests) yield create(method.input, request)
  }
  return (requests, options) => run((signal) => handler(complete(requests), signal), ending, options)
}

async function* run(
  start: (signal: AbortSignal) => AsyncIterable<Message>,
  ending: AbortSignal,
  options: CallOptions | undefined,
): AsyncGenerator<Message> {
  const consumer = new AbortController()
  const signal = AbortSignal.any([consumer.signal, joined(ending, options)])
  signal.throwIfAborted()
  try {
    yield* start(signal)
    // A handler may end quietly on abort; the caller is told, as it is over a socket.
    signal.throwIfAborted()
  } finally {
    consumer.abort()
  }
}

function joined(ending: AbortSignal, options: CallOptions | undefined): AbortSignal {
  return options?.signal === undefined ? ending : AbortSignal.any([ending, options.signal])
}
