/**
 * Copies a database while it is in use, without holding up whoever writes to it.
 *
 * One connection holds the file, so no other can read it, and SQLite's own backup runs on that connection: it copies, and
 * waits for the disk, within the turns of the event loop. This copies the files instead. While it does, nothing is folded
 * from the write-ahead log into the file: the file stands still, the log is only appended to, and both together are the
 * database as of the last commit that was copied. A commit that was half written then is none: its checksum says so, as
 * after a crash. What is written meanwhile makes the log longer, by as much as is written in the time that reading the
 * file takes; the amount to copy is fixed when it begins, so no writer can make it go on for ever.
 *
 * One thing may still overwrite the log: where all of it was in the file already, the next commit begins it anew. That
 * shows in its header, happens once at most, and the log is then copied again.
 *
 * Format: https://www.sqlite.org/fileformat2.html#the_write_ahead_log
 *
 * @module
 */
import { closeSync, existsSync, openSync, readSync, rmSync } from 'node:fs'
import { assert } from '@lattice/model'
import type { CopyOptions, CopySource } from './copy-bytes.ts'
import { StorageFailed } from './errors.ts'
import type { FileWork } from './file-work.ts'
import { settleCopy } from './settle-copy.ts'
import { translateStorageError } from './translate-error.ts'

const WAL = '-wal'
const WAL_HEADER_BYTES = 32

/** What a database that is copied does for it. */
export interface CopyTarget {
  readonly path: string
  readonly fileWork: FileWork
  /** Nothing is folded into the file until the returned function is called. */
  readonly pauseCheckpoints: () => () => void
  /** False once it is closed. */
  readonly isOpen: () => boolean
}

export interface DatabaseCopies {
  /** See `Database.copyFiles`. */
  readonly copy: (to: string, options?: CopyOptions) => Promise<void>
  /** Call it after the database is closed. */
  readonly close: () => void
}

export function createDatabaseCopies(target: CopyTarget): DatabaseCopies {
  const { path, fileWork } = target
  // Kept until the database is closed: closing it drops the locks that this process holds on the file.
  let descriptor: number | undefined
  let running = 0

  function closeIfIdle(): void {
    if (target.isOpen() || running > 0 || descriptor === undefined) return
    const open = descriptor
    descriptor = undefined
    closeSync(open)
  }

  async function copyFiles(to: string, options: CopyOptions): Promise<void> {
    const resume = target.pauseCheckpoints()
    try {
      descriptor ??= openFor(path)
      await fileWork.copy({ path, descriptor }, to, options)
      await copyLog(target, to, options)
      if (!target.isOpen()) throw new StorageFailed(path, 'it was closed while it was copied; try again')
    } finally {
      resume()
    }
  }

  return {
    copy: async (to, options = {}) => {
      assert(target.isOpen(), 'the database is open')
      running += 1
      try {
        await copyFiles(to, options)
      } finally {
        running -= 1
        closeIfIdle()
      }
      await settleCopy(to, fileWork)
    },
    close: closeIfIdle,
  }
}

/** Copies the write-ahead log as it is after the file was copied. */
async function copyLog({ path, fileWork }: CopyTarget, to: string, options: CopyOptions): Promise<void> {
  if (!existsSync(path + WAL)) return
  // The locks are on the database file, so this one may be closed.
  const source: CopySource = { path: path + WAL, descriptor: openFor(path + WAL) }
  try {
    for (let attempt = 0; ; attempt += 1) {
      const before = headerOf(source)
      await fileWork.copy(source, to + WAL, options)
      if (before.equals(headerOf(source))) return
      assert(attempt === 0, 'a log that is not folded into the file begins anew once at most')
      rmSync(to + WAL)
    }
  } finally {
    closeSync(source.descriptor)
  }
}

/** The salt and checksum in it are of one beginning of the log alone. */
function headerOf({ path, descriptor }: CopySource): Buffer {
  const header = Buffer.alloc(WAL_HEADER_BYTES)
  try {
    readSync(descriptor, header, 0, WAL_HEADER_BYTES, 0)
  } catch (error) {
    throw translateStorageError(error, { path, contents: 'other' })
  }
  return header
}

function openFor(path: string): number {
  try {
    return openSync(path, 'r')
  } catch (error) {
    throw translateStorageError(error, { path, contents: 'other' })
  }
}
