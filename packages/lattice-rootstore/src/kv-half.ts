/**
 * The key-value store within the root store: its methods over the keys' part of the table.
 *
 * The methods are taken as they are, whichever there are: each sees a store that holds keys and nothing else, and its
 * writes and events are those of a key-value store.
 *
 * @module
 */
import { kvCommands, type KvEvent, kvQueries, kvStreams } from '@lattice/kvstore'
import type {
  CommandDefinition,
  QueryDefinition,
  StreamContext,
  StreamDefinition,
  StreamEvents,
  StreamLagged,
} from '@lattice/store-base'
import type { RootEvent } from './apply-root.ts'
import { readPart } from './table-layout.ts'

export const keyCommands: Readonly<Record<string, CommandDefinition>> = mapValues(kvCommands, (definition) => {
  const plan = definition.plan?.bind(definition)
  return {
    ...definition,
    run: (context, request) =>
      definition.run(
        {
          ...context,
          read: readPart(context.read, 'kv'),
          submit: (payload, deps) => context.submit(payload, (read) => deps(readPart(read, 'kv'))),
        },
        request,
      ),
    ...(plan !== undefined && {
      plan: (request, schema) => {
        const { payload, deps } = plan(request, schema)
        return { payload, deps: (read) => deps(readPart(read, 'kv')) }
      },
    }),
  }
})

export const keyQueries: Readonly<Record<string, QueryDefinition>> = mapValues(kvQueries, (definition) => ({
  ...definition,
  run: (context, request) => definition.run({ ...context, read: readPart(context.read, 'kv') }, request),
}))

export const keyStreams: Readonly<Record<string, StreamDefinition<RootEvent>>> = mapValues(kvStreams, (definition) => ({
  ...definition,
  open: (context: StreamContext<RootEvent>, params) =>
    definition.open(
      { ...context, read: readPart(context.read, 'kv'), changes: () => keyChanges(context.changes()) },
      params,
    ),
}))

async function* keyChanges(
  changes: AsyncIterable<StreamEvents<RootEvent> | StreamLagged>,
): AsyncGenerator<StreamEvents<KvEvent> | StreamLagged, void, undefined> {
  for await (const change of changes)
    yield change.kind === 'lagged' ? change : { ...change, events: change.events.filter(isKeyEvent) }
}

function isKeyEvent(event: RootEvent): event is KvEvent {
  return event.kind === 'put' || event.kind === 'deleted'
}

function mapValues<From, To>(record: Readonly<Record<string, From>>, map: (value: From) => To): Record<string, To> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value)]))
}
