/**
 * SQLite for Lattice: opening, transactions, schema versions, typed failures, fault hooks and the state database.
 *
 * @module
 */
export { copyFileBytes, COPY_PART_BYTES, type CopyOptions, syncInThread } from './copy-bytes.ts'
export {
  type Database,
  openDatabase,
  type OpenDatabaseOptions,
  type OpenTransaction,
  type SqlValue,
  type Statement,
} from './database.ts'
export { type LockAttempt, tryExclusiveLock } from './exclusive-lock.ts'
export { type FileWork, inlineFileWork, threadedFileWork } from './file-work.ts'
export {
  DatabaseDamaged,
  DiskFull,
  isDiskFailure,
  LogDamaged,
  SchemaTooNew,
  StateDamaged,
  StorageFailed,
} from './errors.ts'
export type { Migration } from './migrations.ts'
export { moveAside, removeDatabase, replaceDatabase } from './move-aside.ts'
export { type LayeredPage, type PageSource, scanPages } from './merge-rows.ts'
export { createOverlayTable, type OverlayTable, type VisibleTable } from './overlay-table.ts'
export type { TableSnapshot } from './row-layers.ts'
export { toPlainBytes } from './plain-bytes.ts'
export { openStateDatabase, type OpenStateOptions, type StateDatabase } from './state-database.ts'
export type { StateOwner } from './state-meta.ts'
export type { RowCounts, StateRoot } from './state-root.ts'
export { createRootScan, type RootScan, scanRoot } from './scan-root.ts'
export {
  MAX_ROW_VALUE_BYTES,
  PAGE_ROWS_MAX,
  type PageFault,
  type RowPage,
  type RowPosition,
  type StateRow,
} from './row-pages.ts'
export { openSnapshotLoad, type OpenLoadOptions, type RootMismatch, type SnapshotLoad } from './snapshot-load.ts'
export { type FileCheck, inlineFileCheck, threadedFileCheck } from './page-check.ts'
export { openStateReader, type StateReader } from './state-reader.ts'
export type { PageRange, PageTable, TableName } from './sqlite-table.ts'
export type { ReadRowChanges, RowChange } from './row-changes.ts'
export type { Rejection, StateChange, StateCursor, StateWrite } from './state-change.ts'
export type { StorageHooks, StoragePoint, StorageSettings } from './storage-hooks.ts'
export { type Schema, schemaOf, schemaProblem } from './schema-check.ts'
export { settleCopy } from './settle-copy.ts'
export { syncDirectory } from './sync-directory.ts'
export { type DatabaseContents, type ErrorSource, translateStorageError } from './translate-error.ts'
export { walProblem } from './wal-check.ts'
