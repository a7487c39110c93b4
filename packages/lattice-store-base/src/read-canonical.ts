/**
 * Reading a payload that has one encoding alone.
 *
 * @module
 */
import { type DescMessage, fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf'
import { equalBytes } from '@lattice/model'

/**
 * The message, or `undefined` for bytes that are not its one canonical encoding: fields out of order, written twice or
 * as a default, and such as this version does not know. Total.
 */
export function readCanonical<T extends DescMessage>(schema: T, bytes: Uint8Array): MessageShape<T> | undefined {
  try {
    const message = fromBinary(schema, bytes, { readUnknownFields: false })
    return equalBytes(toBinary(schema, message), bytes) ? message : undefined
  } catch {
    return undefined
  }
}
