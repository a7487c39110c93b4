/**
 * The files of a store's snapshots, and which of them holds what.
 *
 *     snapshot.db                  the state at the newest settled epoch that there is one of
 *     snapshot.next.db             the state at a later epoch that is not settled
 *     snapshot.base.db             the state at the epoch that the log begins with, where the settled one is later
 *     snapshot.cut.db              the state at the epoch that it is to begin with next, where the settled one is later
 *     snapshot.making.db           one that is being made; goes on where it was left
 *     snapshot.copy.db             a copy that is not whole; of no use to anybody
 *     snapshot.diverged-<id>.db    the state at an epoch, where another node came to another
 *
 * Each is replaced by renaming another, so `snapshot.db` is always one whole snapshot. All of it is derived: what cannot
 * be read is removed, and made again.
 *
 * @module
 */
import { existsSync, readdirSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { assert, type Crypto, type IntentionId, isLatticeError, type Logger, type StoreId, toHex } from '@lattice/model'
import {
  type FileWork,
  openStateDatabase,
  removeDatabase,
  replaceDatabase,
  type StateDatabase,
  type StateRoot,
  type StorageHooks,
  translateStorageError,
} from '@lattice/storage'
import { readNote, type SnapshotNote } from './snapshot-note.ts'

const NAMES = {
  settled: 'snapshot.db',
  next: 'snapshot.next.db',
  base: 'snapshot.base.db',
  cut: 'snapshot.cut.db',
  making: 'snapshot.making.db',
  copy: 'snapshot.copy.db',
} as const
const DIVERGED: RegExp = /^snapshot\.diverged-[0-9a-f]{64}\.db$/

/** The one that is kept and served. */
export const SNAPSHOT_FILE: string = NAMES.settled

export type SnapshotName = keyof typeof NAMES

export interface SnapshotFile {
  readonly state: StateDatabase
  readonly note: SnapshotNote
}

/** A snapshot that is whole. */
export interface WholeSnapshot {
  readonly state: StateDatabase
  readonly epoch: IntentionId
  readonly cuts: Uint8Array | undefined
  readonly root: StateRoot
}

export interface SnapshotFiles {
  readonly path: (name: SnapshotName) => string
  /** Opens it, empty where it is not there or cannot be read. Throws `DiskFull` or `StorageFailed`. */
  readonly open: (name: SnapshotName) => SnapshotFile
  /** Opens one that is whole; undefined where there is none. */
  readonly openWhole: (name: SnapshotName) => WholeSnapshot | undefined
  readonly remove: (name: SnapshotName) => void
  /** Puts one in the place of another. Both are closed. */
  readonly replace: (name: SnapshotName, from: SnapshotName) => void
  /** Keeps one that is closed and not to be used any more. */
  readonly putAside: (name: SnapshotName, epoch: IntentionId) => void
  readonly bytes: (name: SnapshotName) => number
}

export interface SnapshotFilesDeps {
  readonly directory: string
  readonly storeId: StoreId
  readonly projectorVersion: string
  readonly crypto: Crypto
  readonly logger: Logger
  readonly fileWork?: FileWork
  readonly hooks?: StorageHooks
}

export function createSnapshotFiles(deps: SnapshotFilesDeps): SnapshotFiles {
  const { directory, logger } = deps
  const path = (name: SnapshotName): string => join(directory, NAMES[name])
  const openAt = (at: string): StateDatabase => openStateDatabase({ ...deps, path: at, stateRoot: deps.crypto })

  function open(name: SnapshotName): SnapshotFile {
    const at = path(name)
    try {
      const state = openAt(at)
      const note = readNote(state.cursor())
      if (note !== undefined) return { state, note }
      state.close()
      logger.warn('a snapshot is made again: it does not say what it is', { path: at })
    } catch (error) {
      if (!isLatticeError(error) || error.code !== 'STATE_DAMAGED') throw error
      logger.warn('a snapshot is made again', { path: at, error })
    }
    removeDatabase(at)
    return { state: openAt(at), note: { kind: 'empty' } }
  }

  return {
    path,
    open,
    openWhole: (name) => {
      if (!existsSync(path(name))) return undefined
      const { state, note } = open(name)
      if (note.kind === 'whole') return { ...note, state, root: rootOf(state) }
      state.close()
      removeDatabase(path(name))
      return undefined
    },
    remove: (name) => removeDatabase(path(name)),
    replace: (name, from) => replaceDatabase(path(name), path(from)),
    putAside: (name, epoch) => keepDiverged(directory, path(name), epoch),
    bytes: (name) => sizeOf(path(name)),
  }
}

/** Every snapshot keeps its root. */
export function rootOf(state: StateDatabase): StateRoot {
  const root = state.root()
  assert(root !== undefined, 'a snapshot keeps its root')
  return root
}

function keepDiverged(directory: string, from: string, epoch: IntentionId): void {
  try {
    const kept = readdirSync(directory).filter((name) => DIVERGED.test(name))
    const byAge = kept
      .map((name) => ({ path: join(directory, name), at: statSync(join(directory, name)).mtimeMs }))
      .sort((a, b) => a.at - b.at)
    // Two are enough for a person to look at: the first that differed, and the latest.
    for (const { path } of byAge.slice(1)) removeDatabase(path)
    renameSync(from, join(directory, `snapshot.diverged-${toHex(epoch)}.db`))
  } catch (error) {
    throw translateStorageError(error, { path: from, contents: 'state' })
  }
}

function sizeOf(path: string): number {
  try {
    return statSync(path).size
  } catch (error) {
    throw translateStorageError(error, { path, contents: 'state' })
  }
}
