/**
 * A message's JSON as an object, for documents that add to it.
 *
 * @module
 */
import type { JsonValue } from '@bufbuild/protobuf'

/** What is none has no fields. */
export function asObject(json: JsonValue): { readonly [key: string]: JsonValue } {
  return typeof json === 'object' && json !== null && !Array.isArray(json) ? json : {}
}
