/**
 * The reads of the log store. Each runs synchronously, and so on one state.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import { readIntentionId, type ReadTable } from '@lattice/model'
import { log } from '@lattice/proto'
import { defineQuery, InvalidArgument, LimitExceeded, type QueryDefinition } from '@lattice/store-base'
import { type EntryRange, isOfAuthor, isWithin, successor, toEntryRange, walkRange } from './entry-range.ts'
import {
  DEFAULT_READ_LIMIT,
  ENTRY_OVERHEAD_BYTES,
  MAX_PAGE_BYTES,
  MAX_READ_LIMIT,
  MAX_SCAN_BYTES,
  MAX_SCAN_ROWS,
} from './limits.ts'
import { entriesOfWrite, entryMessage, entryOfRow } from './log-entry.ts'
import { decodePageToken, encodePageToken } from './page-token.ts'
import { checkTail, readTail } from './tail.ts'

export const read: QueryDefinition<typeof log.ReadRequestSchema, typeof log.ReadResponseSchema> = defineQuery({
  description: 'Reads entries in order of time, from either end.',
  request: log.ReadRequestSchema,
  response: log.ReadResponseSchema,
  run: (context, request) => {
    const page = toPage(context.read, request)
    return page === undefined ? create(log.ReadResponseSchema) : readPage(context.read, page)
  },
})

export const get: QueryDefinition<typeof log.GetRequestSchema, typeof log.GetResponseSchema> = defineQuery({
  description: 'Reads the entries of one append by its id, as far as the log reaches.',
  request: log.GetRequestSchema,
  response: log.GetResponseSchema,
  run: (context, request) => {
    const id = readIntentionId(request.id)
    if (id === undefined) throw new InvalidArgument('an id has 32 bytes: give what an append answered')
    const write = context.log.get(id)
    return create(log.GetResponseSchema, {
      entries: write === undefined ? [] : entriesOfWrite(write).map(entryMessage),
    })
  },
})

export const count: QueryDefinition<typeof log.CountRequestSchema, typeof log.CountResponseSchema> = defineQuery({
  description: 'Counts entries.',
  request: log.CountRequestSchema,
  response: log.CountResponseSchema,
  run: (context, request) => {
    const range = toEntryRange(request.range)
    let total = 0
    for (const { key } of walkRange(context.read, range, { reverse: false })) if (isOfAuthor(range, key)) total += 1
    return create(log.CountResponseSchema, { count: BigInt(total) })
  },
})

interface Page {
  readonly range: EntryRange
  readonly after: Uint8Array | undefined
  readonly reverse: boolean
  readonly limit: number
  /** The key that a tail ends with. */
  readonly until: Uint8Array | undefined
}

/** Undefined for the tail of nothing. */
function toPage(table: ReadTable, request: log.ReadRequest): Page | undefined {
  const { reverse, pageToken } = request
  const range = toEntryRange(request.range)
  const limit = checkLimit(request.limit)
  const tail = checkTail(request.tail)
  if (tail > 0 && reverse)
    throw new InvalidArgument(
      'the newest entries are asked for with `tail`, or in reverse with `limit`: set one of them',
    )
  if (pageToken.length > 0) {
    const position = decodePageToken(pageToken)
    const isTail = position?.until !== undefined
    if (
      position === undefined ||
      position.reverse !== reverse ||
      isTail !== tail > 0 ||
      !isWithin(range, position.after)
    )
      throw new InvalidArgument(
        'the page token is not of this reading: repeat the request that gave it, with its token',
      )
    return { range: upTo(range, position.until), ...position, limit }
  }
  if (tail === 0) return { range, after: undefined, reverse, limit, until: undefined }
  const rows = readTail(table, range, tail)
  const [first, last] = [rows[0], rows.at(-1)]
  if (first === undefined || last === undefined) return undefined
  // What arrives while its pages are read is not of the tail, unless it is older.
  return { range: upTo({ ...range, gte: first.key }, last.key), after: undefined, reverse, limit, until: last.key }
}

function upTo(range: EntryRange, until: Uint8Array | undefined): EntryRange {
  if (until === undefined || !isWithin(range, until)) return range
  return { ...range, lt: successor(until) }
}

function readPage(table: ReadTable, { range, after, reverse, limit, until }: Page): log.ReadResponse {
  const entries: log.LogEntry[] = []
  let [walked, walkedBytes, pageBytes] = [0, 0, 0]
  let last: Uint8Array | undefined
  for (const row of walkRange(table, range, { ...(after && { after }), reverse })) {
    const isWanted = isOfAuthor(range, row.key)
    walked += 1
    walkedBytes += row.value.length
    pageBytes += isWanted ? row.value.length + ENTRY_OVERHEAD_BYTES : 0
    const isFull = isWanted && entries.length > 0 && (entries.length === limit || pageBytes > MAX_PAGE_BYTES)
    const isLong = walked > MAX_SCAN_ROWS || walkedBytes > MAX_SCAN_BYTES
    if (last !== undefined && (isFull || isLong))
      return create(log.ReadResponseSchema, {
        entries,
        nextPageToken: encodePageToken({ after: last, reverse, until }),
      })
    last = row.key
    if (isWanted) entries.push(entryMessage(entryOfRow(row)))
  }
  return create(log.ReadResponseSchema, { entries })
}

function checkLimit(limit: number): number {
  if (limit > MAX_READ_LIMIT)
    throw new LimitExceeded(`a page has at most ${MAX_READ_LIMIT} entries: ask for fewer and follow the page token`, {
      limit: MAX_READ_LIMIT,
      actual: limit,
    })
  return limit === 0 ? DEFAULT_READ_LIMIT : limit
}
