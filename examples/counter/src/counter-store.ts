/**
 * The counter machine, `example:counter`.
 *
 * @module
 */
import { int, list, parseStoreType, raw, type SExpr, str, sym } from '@lattice/model'
import { defineStateMachine, type StateMachine } from '@lattice/store-base'
import { apply, type CounterEvent } from './apply.ts'
import { CounterStore } from './gen/example/counter/v1/counter_pb.ts'
import { add, get, watch } from './methods.ts'
import { decodePayload } from './payload.ts'

const storeType = parseStoreType('example:counter')
if (!storeType.ok) throw new Error('the store type is well-formed')

export const counterStore: StateMachine<CounterEvent, typeof CounterStore> = defineStateMachine<
  StateMachine<CounterEvent, typeof CounterStore>
>({
  storeType: storeType.value,
  schemaVersion: 1,
  tableVersion: 1,
  service: CounterStore,
  commands: { Add: add },
  queries: { Get: get },
  streams: { Watch: watch },
  apply,
  summarize,
  fieldFormats: { 'example.counter.v1.AddResponse.id': 'hex' },
  referencedBlobs: () => [],
})

/** A payload for people: `(add "visits" 1)`. */
function summarize(payload: Uint8Array): SExpr {
  const decoded = decodePayload(payload)
  if (!decoded.ok) return list(sym('rejected'), sym(decoded.error), raw(payload))
  return list(sym('add'), str(decoded.value.name), int(decoded.value.delta))
}
