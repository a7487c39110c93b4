/**
 * The directory that a backup is made in: empty before, and empty again when it is given up.
 *
 * @module
 */
import { existsSync, mkdirSync, readdirSync, realpathSync, rmSync } from 'node:fs'
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { isLatticeError } from '@lattice/model'
import { placeFailed, placeUnusable } from './backup-errors.ts'
import { MANIFEST_FILE, STORES_FOLDER } from './backup-manifest.ts'
import { invalidArgument } from './errors.ts'

const OWNER_ONLY = 0o700

export interface BackupTarget {
  readonly path: string
  readonly storesPath: string
  /** Removes what was made there. Never throws: what stays is no backup, for it has no manifest. */
  readonly discard: () => void
}

/** Takes `directory`, creating it (mode 0700) when absent. Throws `INVALID_ARGUMENT` or `DATA_DIR_UNUSABLE`. */
export function prepareTarget(directory: string, dataDir: string): BackupTarget {
  if (!isAbsolute(directory)) {
    throw invalidArgument(`a backup goes to an absolute path, not \`${directory}\`: give the whole path`, { directory })
  }
  const path = resolve(directory)
  if (isWithin(realPath(path), realPath(dataDir))) {
    throw placeUnusable(path, 'it is inside the data directory; choose one outside, best on another disk')
  }
  let made: string | undefined
  try {
    made = mkdirSync(path, { recursive: true, mode: OWNER_ONLY })
    const found = readdirSync(path)
    if (found.length > 0) throw placeUnusable(path, whyTaken(found))
    mkdirSync(join(path, STORES_FOLDER), { mode: OWNER_ONLY })
  } catch (error) {
    if (isLatticeError(error)) throw error
    if (made !== undefined) discard(path, made)
    throw placeFailed(path, error)
  }
  return { path, storesPath: join(path, STORES_FOLDER), discard: () => discard(path, made) }
}

function whyTaken(found: readonly string[]): string {
  if (found.includes(MANIFEST_FILE)) return 'it holds a backup already; choose another directory'
  const isCutOff = found.includes(STORES_FOLDER) && found.includes('meta.db')
  return isCutOff
    ? 'it holds a backup that was cut off; remove it, or choose another directory'
    : 'it is not empty; choose another directory'
}

/** `made` is the first directory that did not exist. */
function discard(path: string, made: string | undefined): void {
  try {
    for (const name of readdirSync(path)) rmSync(join(path, name), { recursive: true, force: true })
    if (made !== undefined) rmSync(made, { recursive: true, force: true })
  } catch {
    // A disk that is gone takes it along.
  }
}

/** The path without links, as far as it exists. */
function realPath(path: string): string {
  if (existsSync(path)) return realpathSync(path)
  const parent = dirname(path)
  return parent === path ? path : join(realPath(parent), basename(path))
}

function isWithin(path: string, folder: string): boolean {
  const way = relative(folder, path)
  return way === '' || (way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way))
}
