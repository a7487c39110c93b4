/**
 * The key-value state machine, `core:kvstore`.
 *
 * @module
 */
import { assert, parseStoreType, type StoreType } from '@lattice/model'
import { kv } from '@lattice/proto'
import { defineStateMachine, type StateMachine } from '@lattice/store-base'
import { applyPayload, type KvEvent } from './apply-payload.ts'
import { kvCommands, kvFieldFormats, kvQueries, kvStreams } from './kv-methods.ts'
import { planPurges, PURGE_SCHEMA } from './purge.ts'
import { summarizePayload } from './summarize.ts'

/** A store of keys and values in which the last writer wins and nobody's write is lost unseen. */
export const kvStore: StateMachine<KvEvent, typeof kv.KvStore> = defineStateMachine<
  StateMachine<KvEvent, typeof kv.KvStore>
>({
  storeType: storeType('core:kvstore'),
  schemaVersion: PURGE_SCHEMA,
  commandSchema: 1,
  tableVersion: 2,
  service: kv.KvStore,
  commands: kvCommands,
  queries: kvQueries,
  streams: kvStreams,
  apply: applyPayload,
  purge: { schema: PURGE_SCHEMA, plan: planPurges },
  summarize: summarizePayload,
  fieldFormats: kvFieldFormats,
  referencedBlobs: () => [],
})

function storeType(text: string): StoreType {
  const parsed = parseStoreType(text)
  assert(parsed.ok, 'the store type is well-formed')
  return parsed.value
}
