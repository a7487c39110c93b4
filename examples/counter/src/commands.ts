/**
 * The writes: what a user got wrong is refused here, before anything is signed.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import { type IntentionId, utf8Encode } from '@lattice/model'
import { defineWrite, InvalidArgument, MAX_FOLDED_DEPS, type PlannedWrite } from '@lattice/store-base'
import { AddRequestSchema, ResetRequestSchema, type WriteResponse, WriteResponseSchema } from './gen/counter_pb.ts'
import { type Change, encodePayload, isName, MAX_NAME_BYTES, RESET_SCHEMA } from './payload.ts'
import { decodeRow } from './row.ts'

export const add = defineWrite({
  description: 'Adds to a counter, which begins at 0: 1 unless `by` says otherwise.',
  request: AddRequestSchema,
  response: WriteResponseSchema,
  plan: ({ name, by = 1n }) => planWrite(name, { kind: 'add', by }),
  respond,
})

export const reset = defineWrite({
  description: 'Starts a counter again from 0.',
  request: ResetRequestSchema,
  response: WriteResponseSchema,
  plan: ({ name }, schema) => {
    if (schema < RESET_SCHEMA)
      throw new InvalidArgument(`this store uses schema ${schema}: activate schema ${RESET_SCHEMA} before a reset`)
    return planWrite(name, { kind: 'reset' })
  },
  respond,
})

function planWrite(name: string, change: Change): PlannedWrite {
  const key = utf8Encode(checkName(name))
  return {
    payload: encodePayload({ name, change }),
    // Read where the write is signed: it cites the resets that stand then. Few, unless somebody makes them in masses.
    deps: (read) => decodeRow(read.get(key)).resets.slice(0, MAX_FOLDED_DEPS),
  }
}

export function checkName(name: string): string {
  if (isName(name)) return name
  throw new InvalidArgument(`a counter's name has 1 to ${MAX_NAME_BYTES} bytes: give one of that length`)
}

function respond(id: IntentionId): WriteResponse {
  return create(WriteResponseSchema, { id })
}
