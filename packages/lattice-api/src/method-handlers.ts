/**
 * The methods of a service beside their implementations, for whoever routes
 * calls to them.
 *
 * @module
 */
import type { DescMethod, Message } from '@bufbuild/protobuf'
import { checkRequest } from './check-request.ts'
import type { ServiceSchema } from './service-types.ts'

export type UnaryHandler = (request: Message, signal: AbortSignal) => Promise<Message>
export type StreamHandler = (request: Message, signal: AbortSignal) => AsyncIterable<Message>

/** The requests end, or reject, when the call does. */
export type DuplexHandler = (requests: AsyncIterable<Message>, signal: AbortSignal) => AsyncIterable<Message>

export type MethodHandler =
  | { readonly kind: 'duplex'; readonly method: DescMethod; readonly call: DuplexHandler }
  | { readonly kind: 'unary'; readonly method: DescMethod; readonly call: UnaryHandler }
  | { readonly kind: 'stream'; readonly method: DescMethod; readonly call: StreamHandler }

/** Every method of `schema` with its handler, which sees only requests that are well made. A method without one is a bug. */
export function methodHandlers(schema: ServiceSchema, handlers: object): readonly MethodHandler[] {
  const byName = new Map<string, unknown>(Object.entries(handlers))
  return schema.methods.map((method) => {
    const call = byName.get(method.localName)
    if (typeof call !== 'function') throw new TypeError(`no handler for ${schema.typeName}/${method.name}`)
    switch (method.methodKind) {
      case 'bidi_streaming':
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- ServiceHandlers<Schema> has this shape by its type.
        return { kind: 'duplex', method, call: checkedDuplex(method, call as DuplexHandler) }
      case 'server_streaming':
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- ServiceHandlers<Schema> has this shape by its type.
        return { kind: 'stream', method, call: checkedStream(method, call as StreamHandler) }
      default:
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- ServiceHandlers<Schema> has this shape by its type.
        return { kind: 'unary', method, call: checkedUnary(method, call as UnaryHandler) }
    }
  })
}

function checkedUnary({ input }: DescMethod, call: UnaryHandler): UnaryHandler {
  return async (request, signal) => {
    checkRequest(input, request)
    return call(request, signal)
  }
}

function checkedStream({ input }: DescMethod, call: StreamHandler): StreamHandler {
  return async function* (request, signal) {
    checkRequest(input, request)
    yield* call(request, signal)
  }
}

function checkedDuplex({ input }: DescMethod, call: DuplexHandler): DuplexHandler {
  async function* checked(requests: AsyncIterable<Message>): AsyncGenerator<Message> {
    for await (const request of requests) {
      checkRequest(input, request)
      yield request
    }
  }
  return (requests, signal) => call(checked(requests), signal)
}
