/**
 * The directory a node lives in: its layout, and the lock that keeps it to one process.
 *
 * ```
 * identity.key   meta.db   lattice.sock   lock   stores/<store id>/
 * ```
 *
 * The lock is taken before anything is read, and the system releases it when the process ends, however it ends.
 *
 * @module
 */
import { accessSync, constants, mkdirSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { isLatticeError, type StoreId, toHex } from '@lattice/model'
import { tryExclusiveLock } from '@lattice/storage'
import { dataDirLocked, dataDirUnusable } from './errors.ts'
import { errorCode } from './identity.ts'

const OWNER_ONLY = 0o700

/** A data directory that this process holds. */
export interface DataDirectory {
  /** Absolute. */
  readonly path: string
  readonly identityPath: string
  readonly metaPath: string
  readonly socketPath: string
  readonly storesPath: string
  readonly storePath: (id: StoreId) => string
  /** Gives up the lock. Idempotent. */
  readonly close: () => void
}

/** Where a node's gRPC socket is, for clients that hold no lock. */
export function socketPathOf(dataDir: string): string {
  return join(resolve(dataDir), 'lattice.sock')
}

/**
 * Takes a data directory, creating it (mode 0700) when absent. Throws `DATA_DIR_UNUSABLE` or `DATA_DIR_LOCKED`; nothing is
 * held then. `pid` is what others are told about the holder.
 */
export function openDataDirectory(dataDir: string, { pid }: { readonly pid: number }): DataDirectory {
  const path = resolve(dataDir)
  const storesPath = join(path, 'stores')
  prepare(path, path)
  const release = takeLock(path, pid)
  try {
    prepare(path, storesPath)
  } catch (error) {
    release()
    throw error
  }
  return {
    path,
    identityPath: join(path, 'identity.key'),
    metaPath: join(path, 'meta.db'),
    socketPath: socketPathOf(path),
    storesPath,
    storePath: (id) => join(storesPath, toHex(id)),
    close: release,
  }
}

/** Makes a directory that this user can list, enter and write. */
function prepare(dataDir: string, path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: OWNER_ONLY })
    if (!statSync(path).isDirectory()) throw dataDirUnusable(dataDir, 'it is not a directory')
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    if (isLatticeError(error)) throw error
    throw dataDirUnusable(dataDir, whyUnusable(errorCode(error)), error)
  }
}

function takeLock(path: string, pid: number): () => void {
  const lockPath = join(path, 'lock')
  let lock: ReturnType<typeof tryExclusiveLock>
  try {
    lock = tryExclusiveLock(lockPath, String(pid))
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw dataDirUnusable(path, `its lock cannot be taken (${why})`, error)
  }
  if (lock.kind === 'held') return lock.release
  const holder = Number(lock.holder)
  throw dataDirLocked(path, Number.isSafeInteger(holder) && holder > 0 ? holder : undefined)
}

/** What a person does about a failed call on a directory. */
export function whyUnusable(code: string | undefined): string {
  switch (code) {
    case 'EEXIST':
    case 'ENOTDIR':
      return 'it, or a part of its path, is not a directory'
    case 'EACCES':
    case 'EPERM':
      return 'this user may not read and write it; change its owner or mode, or choose another directory'
    case 'EROFS':
      return 'its file system is read-only; choose another directory'
    case 'ENOSPC':
    case 'EDQUOT':
      return 'the disk is full; free some space'
    case 'ENOENT':
      return 'it cannot be made here; check the path'
    default:
      return `the system reports ${code ?? 'an unknown error'}`
  }
}
