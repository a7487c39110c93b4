/**
 * Turns a generated service schema into what grpc-js needs: paths and codecs.
 *
 * @module
 */
import { type DescMessage, type DescMethod, fromBinary, type Message, toBinary } from '@bufbuild/protobuf'
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js'
import type { ServiceSchema } from './service-types.ts'

/** Largest request or response in bytes: a page of 1,000 entries with payloads, with room. */
export const MAX_MESSAGE_BYTES: number = 16 * 1024 * 1024

/** Method definitions by the local (lowerCamelCase) name of each method. */
export function grpcDefinition(service: ServiceSchema): ServiceDefinition {
  return Object.fromEntries(service.methods.map((method) => [method.localName, methodDefinition(service, method)]))
}

function methodDefinition(service: ServiceSchema, method: DescMethod): MethodDefinition<Message, Message> {
  return {
    path: `/${service.typeName}/${method.name}`,
    originalName: method.localName,
    requestStream: method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming',
    responseStream: method.methodKind === 'server_streaming' || method.methodKind === 'bidi_streaming',
    requestSerialize: serializer(method.input),
    requestDeserialize: deserializer(method.input),
    responseSerialize: serializer(method.output),
    responseDeserialize: deserializer(method.output),
  }
}

function serializer(schema: DescMessage): (message: Message) => Buffer {
  return (message) => {
    const bytes = toBinary(schema, message)
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }
}

function deserializer(schema: DescMessage): (bytes: Buffer) => Message {
  // Fields are views into what is decoded; plain arrays, for the `slice` of a Buffer would share instead of copy.
  return (bytes) => fromBinary(schema, new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength))
}
