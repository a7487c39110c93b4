/**
 * The root store: `core:rootstore`.
 *
 * @module
 */
export type { RootEvent } from './apply-root.ts'
export { BundleInvalid, type BundleProblem, type BundleReason } from './bundle/bundle-problem.ts'
export { type Bundle, type BundleFile, readBundle } from './bundle/read-bundle.ts'
export { BundleChanged, BundleIncomplete, NotRegistered, UploadOvertaken } from './errors.ts'
export {
  MAX_BUNDLE_BYTES,
  MAX_BUNDLE_ENTRIES,
  MAX_COMPRESSION_RATIO,
  MAX_FILE_BYTES,
  MAX_INLINE_BYTES,
  MAX_PARTS,
  MAX_UNPACKED_BYTES,
  PART_BYTES,
  UPLOAD_PATIENCE_MS,
} from './limits.ts'
export {
  type App,
  type AppBinding,
  type AppHead,
  type AppsEvent,
  type BundleSummary,
  openRoot,
  type RecordHead,
  type Root,
} from './open-root.ts'
export { rootStore } from './root-store.ts'
export type { TransferOptions, TransferProgress } from './transfer-bundle.ts'
