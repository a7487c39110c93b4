/**
 * The log store as a library is used: text or bytes in, entries out, pages taken care of.
 *
 * @module
 */
import {
  type AbortSignal,
  assert,
  type IntentionId,
  type PublicKey,
  toIntentionId,
  toPublicKey,
  utf8Encode,
} from '@lattice/model'
import { log } from '@lattice/proto'
import { type Client, createClient, type Executor } from '@lattice/store-base'

/** Text is taken as UTF-8. */
export type LogContent = string | Uint8Array

export interface LogRecord {
  /** Of the append, and the place in it, from 0: together they name the entry. */
  readonly id: IntentionId
  readonly position: number
  readonly author: PublicKey
  /** When it was written: milliseconds since the Unix epoch, then a counter. */
  readonly wall: number
  readonly counter: number
  readonly content: Uint8Array
}

/** Which entries: those of `author` that were written in `[from, to)`, in milliseconds since the Unix epoch. */
export interface LogRange {
  readonly from?: number
  readonly to?: number
  readonly author?: PublicKey
}

export interface LogReadOptions extends LogRange {
  /** Newest first. */
  readonly reverse?: boolean
  /** Only the newest so many. Not with `reverse`. */
  readonly tail?: number
  /** Entries fetched at a time. */
  readonly pageSize?: number
  readonly signal?: AbortSignal
}

export interface LogFollowOptions {
  /** Begin with the newest so many. With a cursor: only where it is not known any more. */
  readonly tail?: number
  readonly author?: PublicKey
  /** Of an event of an earlier following of this store on this node: go on after it. */
  readonly cursor?: Uint8Array
  readonly signal?: AbortSignal
}

/** The cursor is undefined where one can only begin anew: inside a tail, and where it is not known what was missed. */
export type LogFollowEvent = { readonly cursor: Uint8Array | undefined } & (
  | ({ readonly kind: 'entry' } & LogRecord)
  /** So many commits were missed, 0 where it is not known how many: go on from the cursor, or read again. */
  | { readonly kind: 'lagged'; readonly count: number }
  | { readonly kind: 'caught_up' }
)

/** Every append resolves with the id of its intention, once it is durable. */
export interface Log {
  readonly append: (content: LogContent, signal?: AbortSignal) => Promise<IntentionId>
  /** Appends all of it or nothing, one after another. */
  readonly appendBatch: (contents: readonly LogContent[], signal?: AbortSignal) => Promise<IntentionId>
  /** Entries in order of time, fetched page by page: each page is one state, the whole need not be. */
  readonly read: (options?: LogReadOptions) => AsyncIterable<LogRecord>
  /** The entries of one append; empty where it is not known, or older than this node's log. */
  readonly get: (id: IntentionId, signal?: AbortSignal) => Promise<readonly LogRecord[]>
  readonly count: (range?: LogRange, signal?: AbortSignal) => Promise<number>
  /**
   * Subscribes at once; ends on `signal`. With the `cursor` of an event it goes on after it, also in another process.
   * Entries come as they arrive: one that was written earlier elsewhere may come after later ones.
   */
  readonly follow: (options?: LogFollowOptions) => AsyncIterable<LogFollowEvent>
}

/** Opens a log store over `executor`: a store handle of a node, a client of a daemon, or a test host. */
export function openLog(executor: Executor): Log {
  const client = createClient({ service: log.LogStore }, executor)
  return {
    append: async (content, signal) => idOf(await client.append({ content: toBytes(content) }, signal)),
    appendBatch: async (contents, signal) =>
      idOf(await client.appendBatch({ contents: contents.map(toBytes) }, signal)),
    read: (options = {}) => readPages(client, options),
    get: async (id, signal) => (await client.get({ id }, signal)).entries.map(recordOf),
    count: async (range = {}, signal) => Number((await client.count({ range: rangeOf(range) }, signal)).count),
    follow: ({ tail = 0, author = NO_BYTES, cursor = NO_BYTES, signal } = {}) =>
      followEvents(client.follow({ tail, author, cursor }, signal)),
  }
}

const NO_BYTES = new Uint8Array()

async function* readPages(
  client: Client<typeof log.LogStore>,
  { reverse = false, tail = 0, pageSize = 0, signal, ...range }: LogReadOptions,
): AsyncGenerator<LogRecord, void, undefined> {
  const request = { range: rangeOf(range), reverse, tail, limit: pageSize }
  let pageToken: Uint8Array = NO_BYTES
  do {
    const page: log.ReadResponse = await client.read({ ...request, pageToken }, signal)
    for (const entry of page.entries) yield recordOf(entry)
    pageToken = page.nextPageToken
  } while (pageToken.length > 0)
}

async function* followEvents(events: AsyncIterable<log.FollowEvent>): AsyncGenerator<LogFollowEvent, void, undefined> {
  for await (const { event, cursor: bytes } of events) {
    const cursor = bytes.length > 0 ? bytes : undefined
    switch (event.case) {
      case 'entry':
        yield { kind: 'entry', ...recordOf(event.value), cursor }
        break
      case 'lagged':
        yield { kind: 'lagged', count: Number(event.value), cursor }
        break
      case 'caughtUp':
        yield { kind: 'caught_up', cursor }
        break
      case undefined:
        // Made by a newer store: this version has no word for it.
        break
    }
  }
}

function rangeOf({ from = 0, to = 0, author }: LogRange): {
  readonly from: bigint
  readonly to: bigint
  readonly author: Uint8Array
} {
  return { from: BigInt(from), to: BigInt(to), author: author ?? NO_BYTES }
}

function recordOf({ id, position, author, wall, counter, content }: log.LogEntry): LogRecord {
  return { id: toIntentionId(id), position, author: toPublicKey(author), wall: Number(wall), counter, content }
}

function idOf({ id }: log.AppendResponse): IntentionId {
  assert(id.length > 0, 'an append answers with its id')
  return toIntentionId(id)
}

function toBytes(content: LogContent): Uint8Array {
  return typeof content === 'string' ? utf8Encode(content) : content
}
