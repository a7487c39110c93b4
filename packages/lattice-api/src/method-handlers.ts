/**
 * The methods of a service beside their implementations, for whoever routes
 * calls to them.
 *
 * @module
 */
import type { DescMethod, Message } from '@bufbuild/protobuf'
import type { ServiceSchema } from './service-types.ts'

export type UnaryHandler = (request: Message, signal: AbortSignal) => Promise<Message>
export type StreamHandler = (request: Message, signal: AbortSignal) => AsyncIterable<Message>

/** The requests end, or reject, when the call does. */
export type DuplexHandler = (requests: AsyncIterable<Message>, signal: AbortSignal) => AsyncIterable<Message>

export type MethodHandler =
  | { readonly kind: 'duplex'; readonly method: DescMethod; readonly call: DuplexHandler }
  | { readonly kind: 'unary'; readonly method: DescMethod; readonly call: UnaryHandler }
  | { readonly kind: 'stream'; readonly method: DescMethod; readonly call: StreamHandler }

/** Every method of `schema` with its handler. A method without one is a bug. */
export function methodHandlers(schema: ServiceSchema, handlers: object): readonly MethodHandler[] {
  const byName = new Map<string, unknown>(Object.entries(handlers))
  return schema.methods.map((method) => {
    const call = byName.get(method.localName)
    if (typeof call !== 'function') throw new TypeError(`no handler for ${schema.typeName}/${method.name}`)
    switch (method.methodKind) {
      case 'bidi_streaming':
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- ServiceHandlers<Schema> has this shape by its type.
        return { kind: 'duplex', method, call: call as DuplexHandler }
      case 'server_streaming':
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- ServiceHandlers<Schema> has this shape by its type.
        return { kind: 'stream', method, call: call as StreamHandler }
      default:
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- ServiceHandlers<Schema> has this shape by its type.
        return { kind: 'unary', method, call: call as UnaryHandler }
    }
  })
}
