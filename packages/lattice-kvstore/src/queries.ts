/**
 * The reads of the key-value store. Each runs synchronously, and so on one state.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import { get as getKey, heads, type KvHead, type KvRange, resolveHeads, scan } from '@lattice/kvtable'
import { compareBytes, type ReadTable } from '@lattice/model'
import { kv } from '@lattice/proto'
import { defineQuery, InvalidArgument, type QueryDefinition } from '@lattice/store-base'
import { checkKey, checkPageLimit, checkRange } from './check-request.ts'
import { MAX_LIST_LIMIT, MAX_PAGE_BYTES } from './limits.ts'
import { decodePageToken, encodePageToken, type PagePosition } from './page-token.ts'

export const get: QueryDefinition<typeof kv.GetRequestSchema, typeof kv.GetResponseSchema> = defineQuery({
  description: 'Reads the winning value of a key.',
  request: kv.GetRequestSchema,
  response: kv.GetResponseSchema,
  run: ({ read }, { key }) => {
    const found = getKey(read, checkKey(key))
    // Set rather than given to `create`, which looks at each field by its description.
    const response = create(kv.GetResponseSchema)
    if (found === undefined) return response
    if (found.value !== undefined) response.value = found.value
    response.conflicted = found.conflicted
    return response
  },
})

export const list: QueryDefinition<typeof kv.ListRequestSchema, typeof kv.ListResponseSchema> = defineQuery({
  description: 'Lists keys and values in key order.',
  request: kv.ListRequestSchema,
  response: kv.ListResponseSchema,
  run: ({ read }, request) => {
    const range = listRange(request)
    return readPage(read, range, checkPageLimit(request.limit, MAX_LIST_LIMIT))
  },
})

export const inspect: QueryDefinition<typeof kv.InspectRequestSchema, typeof kv.InspectResponseSchema> = defineQuery({
  description: 'Shows every concurrent value of a key with its author and time.',
  request: kv.InspectRequestSchema,
  response: kv.InspectResponseSchema,
  run: ({ read }, { key }) => {
    const [winner, ...losers] = heads(read, checkKey(key))
    if (winner === undefined) return create(kv.InspectResponseSchema, { key })
    const { value, conflicted } = resolveHeads([winner, ...losers])
    return create(kv.InspectResponseSchema, {
      key,
      exists: value !== undefined,
      conflicted,
      heads: [winner, ...losers].map(headInfo),
    })
  },
})

export const count: QueryDefinition<typeof kv.CountRequestSchema, typeof kv.CountResponseSchema> = defineQuery({
  description: 'Counts keys.',
  request: kv.CountRequestSchema,
  response: kv.CountResponseSchema,
  run: ({ read }, request) => {
    let total = 0
    for (const entry of scan(read, checkRange(request))) if (entry.value !== undefined) total += 1
    return create(kv.CountResponseSchema, { count: BigInt(total) })
  },
})

function readPage(read: ReadTable, range: KvRange, limit: number): kv.ListResponse {
  const items: kv.KeyValue[] = []
  let bytes = 0
  for (const { key, value, conflicted } of scan(read, range)) {
    if (value === undefined) continue
    bytes += key.length + value.length
    const last = items.at(-1)
    // The page is full and there is more: only then is there a next page.
    if (last !== undefined && (items.length === limit || bytes > MAX_PAGE_BYTES))
      return create(kv.ListResponseSchema, {
        items,
        nextPageToken: encodePageToken({ after: last.key, reverse: range.reverse ?? false }),
      })
    const item = create(kv.KeyValueSchema)
    item.key = key
    item.value = value
    item.conflicted = conflicted
    items.push(item)
  }
  return create(kv.ListResponseSchema, { items })
}

function listRange(request: kv.ListRequest): KvRange {
  const { pageToken, reverse } = request
  const range = { ...checkRange(request), reverse }
  if (pageToken.length === 0) return range
  const position = decodePageToken(pageToken)
  if (position === undefined || position.reverse !== reverse || !isWithin(range, position))
    throw new InvalidArgument('the page token is not of this listing: repeat the request that gave it, with its token')
  return { ...range, after: position.after }
}

function isWithin({ prefix, gte, lt }: KvRange, { after }: PagePosition): boolean {
  if (prefix !== undefined && compareBytes(after.subarray(0, prefix.length), prefix) !== 0) return false
  if (gte !== undefined && compareBytes(after, gte) < 0) return false
  return lt === undefined || compareBytes(after, lt) < 0
}

function headInfo({ id, author, timestamp, state }: KvHead): kv.HeadInfo {
  return create(kv.HeadInfoSchema, {
    id,
    author,
    wall: BigInt(timestamp.wall),
    counter: timestamp.counter,
    ...(state.kind === 'value' && { value: state.value }),
  })
}
