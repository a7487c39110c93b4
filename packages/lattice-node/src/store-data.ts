/**
 * The directory of a store's data, from outside: whether it is there, how large it is, and its end.
 *
 * Data is moved aside before it is removed, so a crash leaves either all of it in its place or none; what was moved is
 * swept at the next start.
 *
 * @module
 */
import { existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { syncDirectory, translateStorageError } from '@lattice/storage'

/** Marks a directory whose content is to be removed. */
const ASIDE = '.deleted'

/** True where there is a log. */
export function hasLog(path: string): boolean {
  return existsSync(join(path, 'log.db'))
}

/** Of all files. */
export function bytesOf(path: string): number {
  if (!existsSync(path)) return 0
  return translated(path, () =>
    readdirSync(path, { recursive: true, withFileTypes: true })
      .filter((file) => file.isFile())
      .reduce((sum, file) => sum + statSync(join(file.parentPath, file.name)).size, 0),
  )
}

/** Of the states at epochs that are kept, those that are being made included. */
export function snapshotBytesOf(path: string): number {
  if (!existsSync(path)) return 0
  return translated(path, () =>
    readdirSync(path)
      .filter((name) => name.startsWith('snapshot.'))
      .reduce((sum, name) => sum + (statSync(join(path, name), { throwIfNoEntry: false })?.size ?? 0), 0),
  )
}

/** Takes the data out of its place. Idempotent; {@link sweep} removes it. */
export function moveAside(storesPath: string, path: string): void {
  translated(path, () => {
    if (!existsSync(path)) return
    rmSync(path + ASIDE, { recursive: true, force: true })
    renameSync(path, path + ASIDE)
    syncDirectory(storesPath)
  })
}

/** Removes what was moved aside. */
export function sweep(storesPath: string): void {
  translated(storesPath, () => {
    for (const name of readdirSync(storesPath)) {
      if (name.endsWith(ASIDE)) rmSync(join(storesPath, name), { recursive: true, force: true })
    }
  })
}

function translated<T>(path: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw translateStorageError(error, { path, contents: 'other' })
  }
}
