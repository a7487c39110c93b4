/**
 * The shape of a service as TypeScript methods, inferred from its schema: the
 * same for a caller, whatever it calls through, and for an implementation.
 *
 * @module
 */
import type { DescMessage, DescService, MessageInitShape, MessageShape } from '@bufbuild/protobuf'

export interface CallOptions {
  /** Ends the call; it then rejects with `signal.reason`. */
  readonly signal?: AbortSignal
}

interface MethodShape {
  readonly methodKind: string
  readonly input: DescMessage
  readonly output: DescMessage
}

/** Any generated service. */
export type ServiceSchema = Omit<DescService, 'method'> & { readonly method: Readonly<Record<string, object>> }

type Methods<Schema extends ServiceSchema> = {
  readonly [Name in keyof Schema['method']]: Schema['method'][Name] extends infer M extends MethodShape ? M : never
}

type ClientMethod<M extends MethodShape> = M['methodKind'] extends 'bidi_streaming'
  ? (
      requests: AsyncIterable<MessageInitShape<M['input']>>,
      options?: CallOptions,
    ) => AsyncIterable<MessageShape<M['output']>>
  : M['methodKind'] extends 'server_streaming'
    ? (request: MessageInitShape<M['input']>, options?: CallOptions) => AsyncIterable<MessageShape<M['output']>>
    : (request: MessageInitShape<M['input']>, options?: CallOptions) => Promise<MessageShape<M['output']>>

type HandlerMethod<M extends MethodShape> = M['methodKind'] extends 'bidi_streaming'
  ? (requests: AsyncIterable<MessageShape<M['input']>>, signal: AbortSignal) => AsyncIterable<MessageShape<M['output']>>
  : M['methodKind'] extends 'server_streaming'
    ? (request: MessageShape<M['input']>, signal: AbortSignal) => AsyncIterable<MessageShape<M['output']>>
    : (request: MessageShape<M['input']>, signal: AbortSignal) => Promise<MessageShape<M['output']>>

/** How a service is called: unary methods answer a promise, streams an async iterable, and take one where the caller streams. */
export type ServiceClient<Schema extends ServiceSchema> = {
  readonly [Name in keyof Methods<Schema>]: ClientMethod<Methods<Schema>[Name]>
}

/** How a service is implemented. A failure is a rejection with a LatticeError. */
export type ServiceHandlers<Schema extends ServiceSchema> = {
  readonly [Name in keyof Methods<Schema>]: HandlerMethod<Methods<Schema>[Name]>
}
