/**
 * The key-value store: `core:kvstore`.
 *
 * @module
 */
export { applyPayload, type KvEvent } from './apply-payload.ts'
export { ImportStopped, type KvEntry, type KvImportOptions } from './import-entries.ts'
export type { KvBytes } from './kv-bytes.ts'
export { kvCommands, kvFieldFormats, kvQueries, kvStreams } from './kv-methods.ts'
export { kvStore } from './kv-store.ts'
export {
  DEFAULT_LIST_LIMIT,
  MAX_BATCH_KEYS,
  MAX_CATCH_UP_WRITES,
  MAX_HISTORY_LIMIT,
  MAX_LIST_LIMIT,
  MAX_PAGE_BYTES,
  MAX_SNAPSHOT_BYTES,
} from './limits.ts'
export {
  type Kv,
  type KvBatch,
  type KvCountOptions,
  type KvHeadInfo,
  type KvHistoryItem,
  type KvHistoryOptions,
  type KvItem,
  type KvListOptions,
  type KvRead,
  openKv,
} from './open-kv.ts'
export { decodePageToken, encodePageToken, type PagePosition } from './page-token.ts'
export { decodePurgeList, isPurgePayload, planPurges, PURGE_SCHEMA, purgesOf } from './purge.ts'
export { summarizePayload } from './summarize.ts'
export type { KvWatchEvent, KvWatchOptions } from './watch-kv.ts'
