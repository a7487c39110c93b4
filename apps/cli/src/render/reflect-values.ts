/**
 * What reflection yields, told apart at run time.
 *
 * @module
 */
import type { ReflectMessage } from '@bufbuild/protobuf/reflect'

export function isReflectMessage(value: unknown): value is ReflectMessage {
  return typeof value === 'object' && value !== null && 'desc' in value && 'isSet' in value
}

/** The elements of a list or the entries of a map; none of anything else. */
export function elementsOf(value: unknown): Iterable<unknown> {
  return isIterable(value) ? value : []
}

function isIterable(value: unknown): value is Iterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.iterator in value
}
