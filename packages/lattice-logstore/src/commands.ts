/**
 * The writes of the log store.
 *
 * Everything a user can get wrong is refused here, before anything is signed; `apply` judges the same payload again, for
 * it may come from anybody. An append cites nothing: its place follows from its time, which is later than that of
 * everything its node has seen.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import type { IntentionId } from '@lattice/model'
import { log } from '@lattice/proto'
import {
  type CommandDefinition,
  defineWrite,
  InvalidArgument,
  LimitExceeded,
  MAX_PAYLOAD_BYTES,
  type PlannedWrite,
} from '@lattice/store-base'
import { MAX_BATCH_ENTRIES } from './limits.ts'
import { encodePayload } from './payload.ts'

export const append: CommandDefinition<typeof log.AppendRequestSchema, typeof log.AppendResponseSchema> = defineWrite({
  description: 'Appends an entry.',
  request: log.AppendRequestSchema,
  response: log.AppendResponseSchema,
  plan: ({ content }) => planAppend([content]),
  respond,
})

export const appendBatch: CommandDefinition<typeof log.AppendBatchRequestSchema, typeof log.AppendResponseSchema> =
  defineWrite({
    description: 'Appends several entries atomically, one after another.',
    request: log.AppendBatchRequestSchema,
    response: log.AppendResponseSchema,
    plan: ({ contents }) => {
      if (contents.length === 0) throw new InvalidArgument('a batch needs at least one entry: give its content')
      if (contents.length > MAX_BATCH_ENTRIES)
        throw new LimitExceeded(`a batch has at most ${MAX_BATCH_ENTRIES} entries: split it`, {
          limit: MAX_BATCH_ENTRIES,
          actual: contents.length,
        })
      return planAppend(contents)
    },
    respond,
  })

function planAppend(contents: readonly Uint8Array[]): PlannedWrite {
  if (contents.some((content) => content.length === 0))
    throw new InvalidArgument('an entry is empty: give it a content of at least one byte')
  const payload = encodePayload(contents)
  if (payload.length > MAX_PAYLOAD_BYTES)
    throw new LimitExceeded(`an append has at most ${MAX_PAYLOAD_BYTES} bytes: write less at once`, {
      limit: MAX_PAYLOAD_BYTES,
      actual: payload.length,
    })
  return { payload, deps: () => [] }
}

function respond(id: IntentionId): log.AppendResponse {
  return create(log.AppendResponseSchema, { id })
}
