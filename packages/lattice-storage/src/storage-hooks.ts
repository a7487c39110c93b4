/**
 * Where a test may step in between two lines: throw as a disk would, look at the files, or end the process.
 *
 * @module
 */

/**
 * A moment in the life of a file: around its opening (with its migrations), around each statement that writes, before a
 * transaction commits and right after it is durable and before anyone knows, and around its closing. Between two points
 * that follow one another a file is changed by SQLite alone.
 */
export type StoragePoint = 'open' | 'opened' | 'write' | 'written' | 'commit' | 'committed' | 'close' | 'closed'

/** What SQLite says it does with a file, read back from it. */
export interface StorageSettings {
  /** 0 never waits for the disk, 1 at checkpoints, 2 at every commit. */
  readonly synchronous: number
  readonly journalMode: string
}

export interface StorageHooks {
  /** Called with the file's path at each point. What it throws is treated as the disk's own error. */
  readonly at: (point: StoragePoint, path: string) => void
  /** Called when a file is opened, before its schema is written, and whenever that is changed. */
  readonly configured?: (path: string, settings: StorageSettings) => void
  /** Called when a sync off the event loop begins; what it answers is called once the file is durable. */
  readonly syncing?: (path: string) => () => void
}
