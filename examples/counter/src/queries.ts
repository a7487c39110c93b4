/**
 * The reads. Each sees the table as of one commit.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import { compareBytes, concatBytes, prefixRange, type ReadTable, utf8Decode, utf8Encode } from '@lattice/model'
import { defineQuery, defineStream, LimitExceeded, type StreamContext } from '@lattice/store-base'
import type { CounterChanged } from './apply.ts'
import { checkName } from './commands.ts'
import {
  type CounterValue,
  CounterValueSchema,
  GetRequestSchema,
  ListRequestSchema,
  ListResponseSchema,
  type WatchEvent,
  WatchEventSchema,
  WatchRequestSchema,
} from './gen/counter_pb.ts'
import { decodeRow } from './row.ts'

export const DEFAULT_LIMIT = 100
export const MAX_LIMIT = 1000

export const get = defineQuery({
  description: 'Reads one counter.',
  request: GetRequestSchema,
  response: CounterValueSchema,
  run: ({ read }, { name }) => {
    const { total } = decodeRow(read.get(utf8Encode(checkName(name))))
    return create(CounterValueSchema, { name, value: total })
  },
})

export const list = defineQuery({
  description: "Lists counters in the order of their names' bytes.",
  request: ListRequestSchema,
  response: ListResponseSchema,
  run: ({ read }, { prefix, after, limit }) => {
    if (limit > MAX_LIMIT)
      throw new LimitExceeded(`a list has at most ${MAX_LIMIT} counters: ask for fewer, then go on after the last`, {
        limit: MAX_LIMIT,
        actual: limit,
      })
    const wanted = limit === 0 ? DEFAULT_LIMIT : limit
    const found = readCounters(read, { prefix, after, limit: wanted + 1 })
    return create(ListResponseSchema, { counters: found.slice(0, wanted), more: found.length > wanted })
  },
})

export const watch = defineStream<CounterChanged>()({
  description: 'Follows the counters whose names begin with a prefix.',
  params: WatchRequestSchema,
  item: WatchEventSchema,
  // Subscribed here, before anything is read: no change falls between.
  open: (context, { prefix }) => follow(context.changes(), prefix),
})

async function* follow(
  commits: ReturnType<StreamContext<CounterChanged>['changes']>,
  prefix: string,
): AsyncGenerator<WatchEvent, void, undefined> {
  for await (const commit of commits) {
    if (commit.kind === 'lagged') {
      yield create(WatchEventSchema, { event: { case: 'lagged', value: BigInt(commit.count) } })
      continue
    }
    for (const { name, value } of commit.events)
      if (name.startsWith(prefix))
        yield create(WatchEventSchema, { event: { case: 'changed', value: { name, value } } })
  }
}

interface Page {
  readonly prefix: string
  readonly after: string
  readonly limit: number
}

function readCounters(read: ReadTable, { prefix, after, limit }: Page): CounterValue[] {
  const range = prefixRange(utf8Encode(prefix))
  // The first key behind `after`. Keys are compared as bytes: text has another order, and in every language its own.
  const next = after === '' ? range.gte : concatBytes(utf8Encode(after), Uint8Array.of(0))
  const gte = compareBytes(next, range.gte) > 0 ? next : range.gte
  const counters: CounterValue[] = []
  for (const { key, value } of read.scan({ ...range, gte, limit })) {
    const name = utf8Decode(key)
    if (name !== undefined) counters.push(create(CounterValueSchema, { name, value: decodeRow(value).total }))
  }
  return counters
}
