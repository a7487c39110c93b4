/**
 * The key-value store as a library is used: text or bytes in, bytes out, pages
 * and batches taken care of.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import { type AbortSignal, assert, type IntentionId, type PublicKey, toIntentionId, toPublicKey } from '@lattice/model'
import { kv } from '@lattice/proto'
import { type Client, createClient, type Executor } from '@lattice/store-base'
import { importEntries, type KvEntry, type KvImportOptions } from './import-entries.ts'
import { type KvBytes, toBytes } from './kv-bytes.ts'
import { type KvWatchEvent, type KvWatchOptions, watchKv } from './watch-kv.ts'

export interface KvItem {
  readonly key: Uint8Array
  readonly value: Uint8Array
  /** Other concurrent writes stand beside the winner: see `inspect`. */
  readonly conflicted: boolean
}

export interface KvRead {
  /** Undefined when the key does not exist. */
  readonly value: Uint8Array | undefined
  readonly conflicted: boolean
}

export interface KvHeadInfo {
  readonly id: IntentionId
  readonly author: PublicKey
  readonly wall: number
  readonly counter: number
  /** Undefined for a deletion. */
  readonly value: Uint8Array | undefined
}

export interface KvListOptions {
  readonly prefix?: KvBytes
  /** Inclusive. */
  readonly start?: KvBytes
  /** Exclusive. */
  readonly end?: KvBytes
  readonly reverse?: boolean
  /** Entries fetched at a time. */
  readonly pageSize?: number
  readonly signal?: AbortSignal
}

export interface KvHistoryOptions {
  /** Entries fetched at a time. */
  readonly pageSize?: number
  readonly signal?: AbortSignal
}

/** A write of a key; in the end `cut_off`, where there may be older ones that the store's log here does not have. */
export type KvHistoryItem =
  | ({
      readonly kind: 'write'
      /** No later write has replaced it. */
      readonly stands: boolean
      /** It stands, and is what the key reads as. */
      readonly wins: boolean
    } & KvHeadInfo)
  | { readonly kind: 'cut_off' }

/** Which keys: those with `prefix` that are in `[start, end)`. */
export interface KvCountOptions {
  readonly prefix?: KvBytes
  /** Inclusive. */
  readonly start?: KvBytes
  /** Exclusive. */
  readonly end?: KvBytes
  readonly signal?: AbortSignal
}

export interface KvBatch {
  readonly put: (key: KvBytes, value: KvBytes) => KvBatch
  readonly delete: (key: KvBytes) => KvBatch
  /** Writes everything in one intention; all of it or nothing. */
  readonly commit: (signal?: AbortSignal) => Promise<IntentionId>
}

/** Every write resolves with the id of its intention, once it is durable. */
export interface Kv {
  readonly put: (key: KvBytes, value: KvBytes, signal?: AbortSignal) => Promise<IntentionId>
  readonly delete: (key: KvBytes, signal?: AbortSignal) => Promise<IntentionId>
  /** Ends a conflict with `value`, or by keeping what wins now; that rejects where there is no conflict. */
  readonly resolve: (key: KvBytes, value: KvBytes | undefined, signal?: AbortSignal) => Promise<IntentionId>
  readonly batch: () => KvBatch
  /**
   * Writes many entries in order, as fast as the store takes them in; holds few at a time, however many there are. Resolves
   * with how many. When it rejects, the first `detail.written` of them are durable and none of the others.
   */
  readonly import: (
    entries: Iterable<KvEntry> | AsyncIterable<Iterable<KvEntry>>,
    options?: KvImportOptions,
  ) => Promise<number>
  readonly get: (key: KvBytes, signal?: AbortSignal) => Promise<KvRead>
  /** Every standing write of the key, the winner first. */
  readonly inspect: (key: KvBytes, signal?: AbortSignal) => Promise<readonly KvHeadInfo[]>
  /** The writes of the key, newest first, as far as the store's log reaches here; fetched page by page. */
  readonly history: (key: KvBytes, options?: KvHistoryOptions) => AsyncIterable<KvHistoryItem>
  readonly count: (within?: KvBytes | KvCountOptions, signal?: AbortSignal) => Promise<number>
  /** Entries in key order, fetched page by page: each page is one state, the whole need not be. */
  readonly list: (options?: KvListOptions) => AsyncIterable<KvItem>
  /**
   * Subscribes at once; ends on `signal`. With the `cursor` of an event it goes on after it, also in another process: keys
   * that changed since come first, once each, as they read now, then `caught_up`.
   */
  readonly watch: (options?: KvWatchOptions) => AsyncIterable<KvWatchEvent>
}

/** Opens a key-value store over `executor`: a store handle of a node, a client of a daemon, or a test host. */
export function openKv(executor: Executor): Kv {
  const client = createClient({ service: kv.KvStore }, executor)
  return {
    put: async (key, value, signal) => idOf(await client.put({ key: toBytes(key), value: toBytes(value) }, signal)),
    delete: async (key, signal) => idOf(await client.delete({ key: toBytes(key) }, signal)),
    resolve: async (key, value, signal) =>
      idOf(await client.resolve({ key: toBytes(key), ...(value !== undefined && { value: toBytes(value) }) }, signal)),
    batch: () => createBatch(client),
    import: (entries, options = {}) => importEntries(executor, entries, options),
    get: async (key, signal) => {
      const { value, conflicted } = await client.get({ key: toBytes(key) }, signal)
      return { value, conflicted }
    },
    inspect: async (key, signal) => (await client.inspect({ key: toBytes(key) }, signal)).heads.map(headOf),
    history: (key, options = {}) => historyPages(client, toBytes(key), options),
    count: async (within = '', signal) => countKeys(client, within, signal),
    list: (options = {}) => listPages(client, options),
    watch: (options = {}) => watchKv(client, options),
  }
}

function createBatch(client: Client<typeof kv.KvStore>): KvBatch {
  const operations: kv.KvOperation[] = []
  const batch: KvBatch = {
    put: (key, value) => {
      operations.push(
        create(kv.KvOperationSchema, { key: toBytes(key), operation: { case: 'put', value: toBytes(value) } }),
      )
      return batch
    },
    delete: (key) => {
      operations.push(create(kv.KvOperationSchema, { key: toBytes(key), operation: { case: 'delete', value: {} } }))
      return batch
    },
    commit: async (signal) => idOf(await client.batch({ operations }, signal)),
  }
  return batch
}

/** Written out rather than a generator, which awaits several times for each entry of a page that is at hand. */
function listPages(
  client: Client<typeof kv.KvStore>,
  { prefix = '', start = '', end = '', reverse = false, pageSize = 0, signal }: KvListOptions,
): AsyncIterableIterator<KvItem> {
  const range = { prefix: toBytes(prefix), start: toBytes(start), end: toBytes(end), reverse, limit: pageSize }
  let page: readonly KvItem[] = []
  let next = 0
  let pageToken: Uint8Array | undefined = new Uint8Array()
  let fetching: Promise<void> = Promise.resolve()

  async function fetchPage(): Promise<void> {
    if (next < page.length || pageToken === undefined) return
    const { items, nextPageToken } = await client.list({ ...range, pageToken }, signal)
    page = items
    next = 0
    pageToken = nextPageToken.length > 0 ? nextPageToken : undefined
  }

  function take(): IteratorResult<KvItem, undefined> | undefined {
    const item = page[next]
    if (item === undefined) return undefined
    next += 1
    const { key, value, conflicted } = item
    return { done: false, value: { key, value, conflicted } }
  }

  async function takeFromNextPage(): Promise<IteratorResult<KvItem, undefined>> {
    // In the order in which they were asked for.
    fetching = fetching.then(fetchPage)
    await fetching
    return take() ?? { done: true, value: undefined }
  }

  return {
    [Symbol.asyncIterator]() {
      return this
    },
    next: async () => take() ?? takeFromNextPage(),
    return: async () => {
      page = []
      pageToken = undefined
      return { done: true, value: undefined }
    },
  }
}

async function* historyPages(
  client: Client<typeof kv.KvStore>,
  key: Uint8Array,
  { pageSize = 0, signal }: KvHistoryOptions,
): AsyncGenerator<KvHistoryItem, void, undefined> {
  let pageToken: Uint8Array = new Uint8Array()
  do {
    const page: kv.HistoryResponse = await client.history({ key, limit: pageSize, pageToken }, signal)
    for (const entry of page.entries) yield { kind: 'write', ...headOf(entry), stands: entry.stands, wins: entry.wins }
    if (page.cutOff) yield { kind: 'cut_off' }
    pageToken = page.nextPageToken
  } while (pageToken.length > 0)
}

async function countKeys(
  client: Client<typeof kv.KvStore>,
  within: KvBytes | KvCountOptions,
  signal: AbortSignal | undefined,
): Promise<number> {
  const options = typeof within === 'string' || within instanceof Uint8Array ? { prefix: within } : within
  const { prefix = '', start = '', end = '' } = options
  const request = { prefix: toBytes(prefix), start: toBytes(start), end: toBytes(end) }
  return Number((await client.count(request, signal ?? options.signal)).count)
}

function headOf({ id, author, wall, counter, value }: kv.HeadInfo | kv.HistoryEntry): KvHeadInfo {
  return { id: toIntentionId(id), author: toPublicKey(author), wall: Number(wall), counter, value }
}

function idOf({ id }: kv.WriteResponse): IntentionId {
  assert(id.length > 0, 'a write answers with its id')
  return toIntentionId(id)
}
