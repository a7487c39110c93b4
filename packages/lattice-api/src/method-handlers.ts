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

export type MethodHandler =
  | { readonly kind: 'unary'; readonly method: DescMethod; readonly call: UnaryHandler }
  | { readonly kind: 'stream'; readonly method: DescMethod; readonly call: StreamHandler }

/** Every method of `schema` with its handler. A method without one is a bug. */
export function methodHandlers(schema: ServiceSchema, handlers: object): readonly MethodHandler[] {
  const byName = new Map<string, unknown>(Object.entries(handlers))
  return schema.methods.map((method) => {
    const call = byName.get(method.localName)
    if (typeof call !== 'function') throw new TypeError(`no handler for ${schema.typeName}/${method.name}`)
    return method.methodKind === 'server_streaming'
      ? // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- ServiceHandlers<Schema> has this shape by its type.
        { kind: 'stream', method, call: call as StreamHandler }
      : // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- ServiceHandlers<Schema> has this shape by its type.
        { kind: 'unary', method, call: call as UnaryHandler }
  })
}
