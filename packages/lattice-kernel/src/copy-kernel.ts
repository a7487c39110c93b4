/**
 * Copies the files of a store in use: state and snapshots first, then the log, so that what was copied was made of records
 * that were copied.
 *
 * State is derived, and may be replaced or fail while it is copied: then the copy has none, and is opened with state made
 * anew. Where the log is pruned that takes a snapshot, so there a copy without one is none; and no prune is decided while
 * copies are made.
 *
 * @module
 */
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type AbortSignal, isLatticeError } from '@lattice/model'
import { type CopyOptions, StorageFailed, translateStorageError } from '@lattice/storage'
import type { Core } from './core.ts'
import { KernelClosed } from './errors.ts'
import { LOG_FILE, STATE_FILE } from './log-schema.ts'
import type { Snapshots } from './snapshots.ts'

export interface KernelCopies {
  /** See `Kernel.copyTo`. */
  readonly copyTo: (directory: string, options?: CopyOptions) => Promise<void>
  /** True while a copy is made. */
  readonly isBusy: () => boolean
  /** Ends copies under way, before the files are closed. */
  readonly close: () => Promise<void>
}

export interface KernelCopiesDeps {
  readonly core: Core
  readonly snapshots: Pick<Snapshots, 'files'>
  /** A copy has ended. */
  readonly onEnd: () => void
}

export function createKernelCopies({ core, snapshots, onEnd }: KernelCopiesDeps): KernelCopies {
  const { storeId } = core.options
  const ending = new AbortController()
  const running = new Set<Promise<void>>()

  async function copy(directory: string, { signal, ...options }: CopyOptions): Promise<void> {
    const signals: AbortSignal[] = signal === undefined ? [ending.signal] : [ending.signal, signal]
    const both = { ...options, signal: AbortSignal.any(signals) }
    const isPruned = core.log.base.epoch() !== undefined
    const kept = isPruned ? snapshots.files() : []
    for (const file of [STATE_FILE, LOG_FILE, ...kept.map(({ name }) => name)]) {
      const path = join(directory, file)
      if (existsSync(path)) throw new StorageFailed(path, 'something else stands in its place')
    }
    await copyState(core, directory, both)
    both.signal.throwIfAborted()
    for (const { name, state } of kept) await state.copyFiles(join(directory, name), both)
    await core.log.database.copyFiles(join(directory, LOG_FILE), both)
  }

  return {
    copyTo: async (directory, options = {}) => {
      ending.signal.throwIfAborted()
      const copying = copy(directory, options)
      running.add(copying)
      try {
        await copying
      } finally {
        running.delete(copying)
        onEnd()
      }
    },
    isBusy: () => running.size > 0,
    close: async () => {
      ending.abort(new KernelClosed(storeId))
      await Promise.allSettled(running)
    },
  }
}

async function copyState(core: Core, directory: string, options: CopyOptions): Promise<void> {
  const path = join(directory, STATE_FILE)
  try {
    await core.projection().state.copyFiles(path, options)
  } catch (error) {
    removeCopy(path)
    // Without room for it there is none for the log either, or for what comes after it.
    if (isLatticeError(error) && error.code === 'DISK_FULL') throw error
    core.options.logger.warn('state could not be copied: whoever opens the copy makes it anew', { error })
  }
}

function removeCopy(path: string): void {
  try {
    for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(path + suffix, { force: true })
  } catch (error) {
    throw translateStorageError(error, { path, contents: 'other' })
  }
}
