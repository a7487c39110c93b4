/**
 * Puts a log that was made beside a damaged one in its place, without ever being without either.
 *
 * What is made lies in `repair/`. Its renaming to `repaired/` is the decision; the rest is moving files, each move
 * repeatable, and is finished by whoever opens the store next when a crash came in between. The damaged log is kept
 * beside the new one, under a number of its own: it may hold what is nowhere else.
 *
 * @module
 */
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { moveAside, removeDatabase, syncDirectory, translateStorageError } from '@lattice/storage'
import { LOG_FILE, STATE_FILE } from './log-schema.ts'
import { SNAPSHOT_FILE } from './snapshot-files.ts'

/** Where a log is made anew. */
const MAKING = 'repair'
/** Where one is fetched that others pruned; kept from one attempt to the next. */
export const FETCHING = 'fetching'
const MADE = 'repaired'
const KEPT = `${LOG_FILE}.damaged`
const WAL = '-wal'
/** Lies in what is made where the log that it replaces is not to be kept. */
const SPENT = 'old-is-spent'
/** Damaged logs kept before a person is asked to look: each repair keeps one. */
const KEPT_MAX = 100

/** The directory to make a new log in: what an earlier attempt left there is gone. */
export function beginReplacement(directory: string): string {
  const making = join(directory, MAKING)
  return translated(directory, () => {
    rmSync(making, { recursive: true, force: true })
    mkdirSync(making, { recursive: true, mode: 0o700 })
    return making
  })
}

/** Drops what was made. */
export function abandonReplacement(directory: string): void {
  translated(directory, () => rmSync(join(directory, MAKING), { recursive: true, force: true }))
}

/** Puts what was made, and is closed, in place; answers where the damaged log is kept, if there was one. */
export function commitReplacement(directory: string): string | undefined {
  translated(directory, () => {
    renameSync(join(directory, MAKING), join(directory, MADE))
    syncDirectory(directory)
  })
  return finishReplacement(directory)
}

/** True where something was fetched that is not in place. */
export function hasFetched(directory: string): boolean {
  return existsSync(join(directory, FETCHING))
}

/** Puts what was fetched, and is whole and closed, in place of a log that holds nothing of worth any more. */
export function commitFetched(directory: string): void {
  translated(directory, () => {
    writeFileSync(join(directory, FETCHING, SPENT), '')
    syncDirectory(join(directory, FETCHING))
    renameSync(join(directory, FETCHING), join(directory, MADE))
    syncDirectory(directory)
  })
  finishReplacement(directory)
}

/** Goes on with a replacement that was decided; does nothing where there is none. */
export function finishReplacement(directory: string): string | undefined {
  const made = join(directory, MADE)
  if (!existsSync(made)) return undefined
  return translated(directory, () => {
    let kept: string | undefined
    if (existsSync(join(made, LOG_FILE))) {
      const isSpent = existsSync(join(made, SPENT))
      kept = isSpent ? removeLog(directory) : keepDamaged(directory)
      moveInto(made, directory, LOG_FILE)
      syncDirectory(directory)
    }
    // State of a pruned log can be made of a snapshot alone, so that goes first.
    if (existsSync(join(made, SNAPSHOT_FILE))) {
      removeDatabase(join(directory, SNAPSHOT_FILE))
      moveInto(made, directory, SNAPSHOT_FILE)
      syncDirectory(directory)
    }
    if (existsSync(join(made, STATE_FILE))) {
      moveAside(join(directory, STATE_FILE))
      moveInto(made, directory, STATE_FILE)
    }
    syncDirectory(directory)
    rmSync(made, { recursive: true, force: true })
    return kept
  })
}

/** The file first: a write-ahead log without it is nothing. */
function removeLog(directory: string): undefined {
  const path = join(directory, LOG_FILE)
  for (const file of [path, path + WAL, `${path}-shm`]) rmSync(file, { force: true })
}

/** Moves the damaged log to a name of its own. The file goes last, so that a repetition finds the same name. */
function keepDamaged(directory: string): string | undefined {
  const path = join(directory, LOG_FILE)
  const isThere = existsSync(path)
  if (!isThere) {
    // Either it went before the crash, or there was none; what is left of it belongs to no other.
    rmSync(path + WAL, { force: true })
    return undefined
  }
  for (let number = 1; number <= KEPT_MAX; number += 1) {
    const kept = join(directory, number === 1 ? KEPT : `${KEPT}-${number}`)
    if (existsSync(kept)) continue
    if (existsSync(path + WAL)) renameSync(path + WAL, kept + WAL)
    renameSync(path, kept)
    return kept
  }
  throw new Error(`${KEPT_MAX} damaged logs are kept beside ${path}: look at the disk`)
}

/** A closed database has no other files. */
function moveInto(from: string, directory: string, file: string): void {
  if (existsSync(join(from, file + WAL))) renameSync(join(from, file + WAL), join(directory, file + WAL))
  renameSync(join(from, file), join(directory, file))
}

function translated<T>(path: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw translateStorageError(error, { path, contents: 'other' })
  }
}
