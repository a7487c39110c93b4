/**
 * Gives the room of what was deleted back to the disk.
 *
 * A file shrinks by parts where it was made so; one that was not is written anew as a whole, once, where that is worth it.
 *
 * @module
 */
import { assert } from '@lattice/model'
import type Sqlite from 'better-sqlite3'
import type { StorageHooks } from './storage-hooks.ts'

/** What `PRAGMA auto_vacuum` says of a file that can shrink by parts. */
const INCREMENTAL = 2

/** Writes a file anew that cannot shrink by parts, where that halves it at least. */
export function makeShrinkable(handle: Sqlite.Database): void {
  if (numberOf(handle, 'auto_vacuum') === INCREMENTAL) return
  if (numberOf(handle, 'freelist_count') * 2 <= numberOf(handle, 'page_count')) return
  handle.pragma('auto_vacuum = INCREMENTAL')
  handle.exec('VACUUM')
}

function numberOf(handle: Sqlite.Database, pragma: string): number {
  return Number(handle.pragma(pragma, { simple: true }))
}

/** Pages of a file, and how many of them are free and can be given back. */
export interface FileRoom {
  readonly pages: number
  readonly free: number
}

export interface Shrinking {
  /** None is free in a file that cannot shrink by parts. */
  readonly room: () => FileRoom
  /**
   * Gives up to so many free pages at the end of the file back to the disk, moving what lies there; answers how many free
   * pages are left, and 0 for a file that cannot shrink by parts. Not inside a transaction.
   */
  readonly shrink: (pages: number) => number
  /** Cuts the write-ahead log off that a checkpoint leaves. Does nothing while the files are copied. */
  readonly truncateLog: () => void
}

interface ShrinkingParts {
  readonly path: string
  readonly guard: <T>(work: () => T) => T
  readonly hooks: StorageHooks | undefined
  /** Has `work` not wait for the disk. */
  readonly relaxed: <T>(work: () => T) => T
  readonly isPaused: () => boolean
}

export function createShrinking(
  handle: Sqlite.Database,
  { path, guard, hooks, relaxed, isPaused }: ShrinkingParts,
): Shrinking {
  const writing = <T>(work: () => T): T =>
    guard(() => {
      hooks?.at('write', path)
      const answer = work()
      hooks?.at('written', path)
      return answer
    })
  return {
    room: () =>
      guard(() => ({
        pages: numberOf(handle, 'page_count'),
        free: numberOf(handle, 'auto_vacuum') === INCREMENTAL ? numberOf(handle, 'freelist_count') : 0,
      })),
    shrink: (count) => {
      assert(Number.isSafeInteger(count) && count > 0, 'pages are counted')
      if (numberOf(handle, 'auto_vacuum') !== INCREMENTAL) return 0
      return relaxed(() =>
        writing(() => {
          // A statement alone would give back one page.
          handle.exec(`PRAGMA incremental_vacuum(${count})`)
          return numberOf(handle, 'freelist_count')
        }),
      )
    },
    truncateLog: () => {
      if (!isPaused()) writing(() => handle.pragma('wal_checkpoint(TRUNCATE)'))
    },
  }
}
