/**
 * What an intention of this store carries. It comes from any peer, so reading it says what is wrong and never throws.
 *
 * @module
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { err, ok, type Result, utf8Encode } from '@lattice/model'
import { type CounterPayload, CounterPayloadSchema } from './gen/example/counter/v1/counter_pb.ts'

/** Longest name, in bytes. */
export const MAX_NAME_BYTES = 64

export interface Addition {
  readonly name: string
  readonly delta: bigint
}

export function encodePayload({ name, delta }: Addition): Uint8Array {
  return toBinary(CounterPayloadSchema, create(CounterPayloadSchema, { name, delta }))
}

export function decodePayload(bytes: Uint8Array): Result<Addition, 'payload_malformed' | 'name_out_of_bounds'> {
  const payload = readMessage(bytes)
  // A field that this version does not know may change the meaning of those it does.
  if (payload === undefined || payload.$unknown !== undefined) return err('payload_malformed')
  if (!isName(payload.name)) return err('name_out_of_bounds')
  return ok({ name: payload.name, delta: payload.delta })
}

export function isName(name: string): boolean {
  return name.length > 0 && utf8Encode(name).length <= MAX_NAME_BYTES
}

function readMessage(bytes: Uint8Array): CounterPayload | undefined {
  try {
    return fromBinary(CounterPayloadSchema, bytes)
  } catch {
    return undefined
  }
}
