/**
 * What is derived from the log and kept beside it: where ids are, who forked, what is reachable, what is in a range.
 *
 * A commit writes records alone. Indexes follow in memory and reach the disk together, every couple of thousand
 * records, so that many changes of a page are one. The records since then are the tail: read again
 * at open, and again when a commit fails, so an index on disk that lags behind is never wrong, only short.
 *
 * @module
 */
import type { LogEntry } from './log-entry.ts'

/** Something derived from the log: follows every append in memory, reaches the disk at checkpoints. */
export interface LogIndex {
  /** Follows the record that is appended next. */
  readonly advance: (entry: LogEntry) => void
  /** Takes the last advance back; one at most between two advances, and none after a checkpoint. */
  readonly retreat: (entry: LogEntry) => void
  /** Inside a transaction: makes everything up to the head durable. When the transaction fails, `load` comes next. */
  readonly checkpoint: () => void
  /** Forgets memory and goes back to the last checkpoint on disk; the records after it are advanced again. */
  readonly load: () => void
  /** True when there is something to bring to disk although no record was appended. */
  readonly isBehind?: () => boolean
}

/** Records between checkpoints: their indexes enter the disk within a turn, and are read again within one. */
export const CHECKPOINT_RECORDS = 1024
