/**
 * Where a test may step in between two lines: throw as a disk would, or end the process.
 *
 * @module
 */

/**
 * A moment in the life of a write: before a statement that writes, before a transaction commits, and right after it is
 * durable and before anyone knows.
 */
export type StoragePoint = 'write' | 'commit' | 'committed'

/** Called with the file's path at each point. What it throws is treated as the disk's own error. */
export interface StorageHooks {
  readonly at: (point: StoragePoint, path: string) => void
}
