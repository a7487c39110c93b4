/**
 * What an intention of this store carries, read with care: anybody who may write to the store may sign any bytes.
 *
 * @module
 */
import { create, toBinary } from '@bufbuild/protobuf'
import { err, int, list, ok, raw, type Result, type SExpr, str, sym, utf8Encode } from '@lattice/model'
import { readCanonical } from '@lattice/store-base'
import { type CounterPayload, CounterPayloadSchema } from './gen/counter_pb.ts'

export type Change = { readonly kind: 'add'; readonly by: bigint } | { readonly kind: 'reset' }

export interface Write {
  readonly name: string
  readonly change: Change
}

export const MAX_NAME_BYTES = 256

/** The schema version that brought resets. */
export const RESET_SCHEMA = 2

export function isName(name: string): boolean {
  return name !== '' && utf8Encode(name).length <= MAX_NAME_BYTES
}

/** Total: bytes in, a write or a reason out, and by the bytes alone. */
export function decodePayload(bytes: Uint8Array): Result<Write, 'payload_malformed' | 'name_out_of_bounds'> {
  const payload = readCanonical(CounterPayloadSchema, bytes)
  const change = payload && readChange(payload)
  if (payload === undefined || change === undefined) return err('payload_malformed')
  return isName(payload.name) ? ok({ name: payload.name, change }) : err('name_out_of_bounds')
}

function readChange({ change }: CounterPayload): Change | undefined {
  if (change.case === 'add') return { kind: 'add', by: change.value }
  return change.case === 'reset' ? { kind: 'reset' } : undefined
}

export function encodePayload({ name, change }: Write): Uint8Array {
  const init = change.kind === 'add' ? { case: change.kind, value: change.by } : { case: change.kind, value: {} }
  return toBinary(CounterPayloadSchema, create(CounterPayloadSchema, { name, change: init }))
}

/** For people who look into a log. */
export function summarize(bytes: Uint8Array): SExpr {
  const decoded = decodePayload(bytes)
  if (!decoded.ok) return list(sym('rejected'), sym(decoded.error), raw(bytes))
  const { name, change } = decoded.value
  return change.kind === 'add' ? list(sym('add'), str(name), int(change.by)) : list(sym('reset'), str(name))
}
