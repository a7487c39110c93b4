/**
 * What users of the store can do. Everything they can get wrong is refused here, before anything is signed.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import {
  defineQuery,
  defineStream,
  defineWrite,
  InvalidArgument,
  type StreamEvents,
  type StreamLagged,
} from '@lattice/store-base'
import { type CounterEvent, readCounter } from './apply.ts'
import {
  AddRequestSchema,
  AddResponseSchema,
  type Counter,
  CounterSchema,
  GetRequestSchema,
} from './gen/example/counter/v1/counter_pb.ts'
import { encodePayload, isName, MAX_NAME_BYTES } from './payload.ts'

export const add = defineWrite({
  description: 'Adds to a counter.',
  request: AddRequestSchema,
  response: AddResponseSchema,
  // An addition replaces nothing, so it cites nothing.
  plan: ({ name, delta }) => ({ payload: encodePayload({ name: checkName(name), delta }), deps: () => [] }),
  respond: (id) => create(AddResponseSchema, { id }),
})

export const get = defineQuery({
  description: 'Reads a counter.',
  request: GetRequestSchema,
  response: CounterSchema,
  run: ({ read }, { name }) => create(CounterSchema, { name, value: readCounter(read, checkName(name)) }),
})

export const watch = defineStream<CounterEvent>()({
  description: 'Follows a counter from what it is now on.',
  params: GetRequestSchema,
  item: CounterSchema,
  open: (context, { name }) => {
    checkName(name)
    // Subscribed, then read, in one turn: no commit falls between, and none is told twice.
    const changes = context.changes()
    return follow(changes, { name, value: readCounter(context.read, name), read: () => readCounter(context.read, name) })
  },
})

async function* follow(
  changes: AsyncIterable<StreamEvents<CounterEvent> | StreamLagged>,
  { name, value, read }: CounterEvent & { readonly read: () => bigint },
): AsyncGenerator<Counter, void, undefined> {
  yield create(CounterSchema, { name, value })
  for await (const change of changes) {
    // A counter is its present value: whoever missed some changes reads it again.
    if (change.kind === 'lagged') yield create(CounterSchema, { name, value: read() })
    else
      for (const event of change.events)
        if (event.name === name) yield create(CounterSchema, { name, value: event.value })
  }
}

function checkName(name: string): string {
  if (!isName(name)) throw new InvalidArgument(`a counter's name has 1 to ${MAX_NAME_BYTES} bytes: choose another`)
  return name
}
