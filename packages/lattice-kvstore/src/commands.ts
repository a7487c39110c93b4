/**
 * The writes of the key-value store.
 *
 * Everything a user can get wrong is refused here, before anything is signed;
 * `apply` judges the same payload again, for it may come from anybody. Deps are
 * the heads of the touched keys, read where the write is signed, so a write
 * replaces exactly what this node has seen.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import { headIds, heads, isKvKey, type KvState } from '@lattice/kvtable'
import { type IntentionId, MAX_KEY_BYTES, type ReadTable } from '@lattice/model'
import { kv } from '@lattice/proto'
import {
  type CommandContext,
  type CommandDefinition,
  defineCommand,
  defineWrite,
  InvalidArgument,
  LimitExceeded,
  MAX_FOLDED_DEPS,
  MAX_PAYLOAD_BYTES,
  type PlannedWrite,
} from '@lattice/store-base'
import { MAX_BATCH_KEYS } from './limits.ts'
import type { KeyWrite } from './key-write.ts'
import { encodePayload, lastPerKey } from './payload.ts'

type Write<
  Request extends
    | typeof kv.PutRequestSchema
    | typeof kv.DeleteRequestSchema
    | typeof kv.BatchRequestSchema
    | typeof kv.ResolveRequestSchema,
> = CommandDefinition<Request, typeof kv.WriteResponseSchema>

export const put: Write<typeof kv.PutRequestSchema> = defineWrite({
  description: 'Writes a value under a key.',
  request: kv.PutRequestSchema,
  response: kv.WriteResponseSchema,
  plan: ({ key, value }) => planWrites([{ key: checkKey(key), state: { kind: 'value', value } }]),
  respond,
})

export const remove: Write<typeof kv.DeleteRequestSchema> = defineWrite({
  description: 'Deletes a key.',
  request: kv.DeleteRequestSchema,
  response: kv.WriteResponseSchema,
  plan: ({ key }) => planWrites([{ key: checkKey(key), state: { kind: 'tombstone' } }]),
  respond,
})

export const batch: Write<typeof kv.BatchRequestSchema> = defineWrite({
  description: 'Writes several keys atomically; the last operation of a key wins.',
  request: kv.BatchRequestSchema,
  response: kv.WriteResponseSchema,
  plan: ({ operations }) => {
    if (operations.length === 0)
      throw new InvalidArgument('a batch needs at least one operation: add a put or a delete')
    const writes = lastPerKey(
      operations.map(({ key, operation }) => ({ key: checkKey(key), state: stateOf(operation) })),
    )
    if (writes.length > MAX_BATCH_KEYS)
      throw new LimitExceeded(`a batch has at most ${MAX_BATCH_KEYS} keys: split it`, {
        limit: MAX_BATCH_KEYS,
        actual: writes.length,
      })
    return planWrites(writes)
  },
  respond,
})

export const resolve: Write<typeof kv.ResolveRequestSchema> = defineCommand({
  description: 'Ends a conflict: with the value given, or by keeping the one that wins now.',
  request: kv.ResolveRequestSchema,
  response: kv.WriteResponseSchema,
  run: async (context, { key, value }) => {
    if (value !== undefined)
      return submit(context, planWrites([{ key: checkKey(key), state: { kind: 'value', value } }]))
    const [winner, ...others] = heads(context.read, checkKey(key))
    if (winner === undefined || others.length === 0)
      throw new InvalidArgument('the key has no conflict to end: give a value to write one all the same')
    // Only what was looked at is replaced: a write that arrives meanwhile stands beside it.
    const seen = [winner, ...others].map((head) => head.id)
    return submit(
      context,
      planWrites([{ key, state: winner.state }], () => seen),
    )
  },
})

function planWrites(
  writes: readonly KeyWrite[],
  replaced: (read: ReadTable) => readonly IntentionId[] = (read) => headIds(read, keysOf(writes)),
): PlannedWrite {
  const payload = encodePayload(writes)
  if (payload.length > MAX_PAYLOAD_BYTES)
    throw new LimitExceeded(`a write has at most ${MAX_PAYLOAD_BYTES} bytes of keys and values: write less at once`, {
      limit: MAX_PAYLOAD_BYTES,
      actual: payload.length,
    })
  return { payload, deps: (read) => citedHeads(replaced(read)) }
}

async function submit(context: CommandContext, { payload, deps }: PlannedWrite): Promise<kv.WriteResponse> {
  return respond(await context.submit(payload, deps))
}

function respond(id: IntentionId): kv.WriteResponse {
  return create(kv.WriteResponseSchema, { id })
}

/**
 * Winners come first, so where a peer has piled up more heads than one write can
 * cite, the write still replaces every winner; the losers that are left stand as
 * a conflict and go with the next write. No key can be made unwritable.
 */
function citedHeads<Id extends Uint8Array>(ids: readonly Id[]): readonly Id[] {
  return ids.length <= MAX_FOLDED_DEPS ? ids : ids.slice(0, MAX_FOLDED_DEPS)
}

function checkKey(key: Uint8Array): Uint8Array {
  if (key.length === 0) throw new InvalidArgument('the key is empty: give a key of at least one byte')
  if (!isKvKey(key))
    throw new LimitExceeded(`a key has at most ${MAX_KEY_BYTES} bytes: use a shorter one`, {
      limit: MAX_KEY_BYTES,
      actual: key.length,
    })
  return key
}

function stateOf(operation: kv.KvOperation['operation']): KvState {
  switch (operation.case) {
    case 'put':
      return { kind: 'value', value: operation.value }
    case 'delete':
      return { kind: 'tombstone' }
    case undefined:
      throw new InvalidArgument('an operation of the batch is neither a put nor a delete: set one of them')
  }
}

function keysOf(writes: readonly KeyWrite[]): readonly Uint8Array[] {
  return writes.map((write) => write.key)
}
