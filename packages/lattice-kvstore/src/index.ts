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
export { DEFAULT_LIST_LIMIT, MAX_BATCH_KEYS, MAX_LIST_LIMIT, MAX_PAGE_BYTES, MAX_SNAPSHOT_BYTES } from './limits.ts'
export {
  type Kv,
  type KvBatch,
  type KvHeadInfo,
  type KvItem,
  type KvListOptions,
  type KvRead,
  type KvWatchEvent,
  type KvWatchOptions,
  openKv,
} from './open-kv.ts'
export { decodePageToken, encodePageToken, type PagePosition } from './page-token.ts'
export { summarizePayload } from './summarize.ts'
