/**
 * The typed shape of a generated protobuf service.
 *
 * A generated service knows the messages of its methods; a service read from a
 * descriptor at run time does not. Both are an {@link AnyService}.
 *
 * @module
 */
import type { DescMessage, DescService } from '@bufbuild/protobuf'

/** One method, as far as types go. */
export interface ServiceMethod {
  readonly methodKind: 'unary' | 'server_streaming' | 'client_streaming' | 'bidi_streaming'
  readonly input: DescMessage
  readonly output: DescMessage
}

/** A protobuf service, generated or dynamic. */
export type AnyService = Omit<DescService, 'method'> & { readonly method: Readonly<Record<string, ServiceMethod>> }
