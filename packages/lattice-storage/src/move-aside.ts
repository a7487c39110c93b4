/**
 * Gets a derived database out of the way without destroying it.
 *
 * @module
 */
import { existsSync, renameSync, rmSync } from 'node:fs'
import { translateStorageError } from './translate-error.ts'

/** What SQLite keeps beside a file. */
const COMPANIONS = ['-wal', '-shm', '-journal'] as const
const ASIDE = '.aside'

/**
 * Renames the file (and what belongs to it) to `<path>.aside`, in place of one that was there: a copy to look into, and
 * never more than one. Answers where it went, or `undefined` when there was none. The database is closed.
 */
export function moveAside(path: string): string | undefined {
  const aside = `${path}${ASIDE}`
  try {
    if (!existsSync(path)) {
      // Without their file they would be taken for those of the next.
      for (const companion of COMPANIONS) rmSync(path + companion, { force: true })
      return undefined
    }
    // The file goes last: a crash in between leaves it here, to be found damaged again.
    for (const companion of COMPANIONS) {
      rmSync(aside + companion, { force: true })
      if (existsSync(path + companion)) renameSync(path + companion, aside + companion)
    }
    renameSync(path, aside)
    return aside
  } catch (error) {
    throw translateStorageError(error, { path, contents: 'state' })
  }
}

/** Puts the closed database at `from` in the place of the closed one at `path`. */
export function replaceDatabase(path: string, from: string): void {
  try {
    for (const companion of COMPANIONS) {
      rmSync(path + companion, { force: true })
      rmSync(from + companion, { force: true })
    }
    renameSync(from, path)
  } catch (error) {
    throw translateStorageError(error, { path, contents: 'state' })
  }
}

/** Deletes a derived database, if it is there. */
export function removeDatabase(path: string): void {
  try {
    for (const file of [path, ...COMPANIONS.map((companion) => path + companion)]) rmSync(file, { force: true })
  } catch (error) {
    throw translateStorageError(error, { path, contents: 'state' })
  }
}
