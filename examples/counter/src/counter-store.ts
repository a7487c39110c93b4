/**
 * The state machine: everything a node needs to host counters.
 *
 * @module
 */
import { assert, parseStoreType } from '@lattice/model'
import { defineStateMachine } from '@lattice/store-base'
import { applyPayload } from './apply.ts'
import { add, reset } from './commands.ts'
import { Counter } from './gen/counter_pb.ts'
import { summarize } from './payload.ts'
import { get, list, watch } from './queries.ts'

const storeType = parseStoreType('example:counter')
assert(storeType.ok, 'the store type is well-formed')

export const counterStore = defineStateMachine({
  storeType: storeType.value,
  schemaVersion: 2,
  tableVersion: 1,
  service: Counter,
  commands: { Add: add, Reset: reset },
  queries: { Get: get, List: list },
  streams: { Watch: watch },
  apply: applyPayload,
  summarize,
  fieldFormats: { 'example.counter.v1.WriteResponse.id': 'hex' },
  referencedBlobs: () => [],
})
