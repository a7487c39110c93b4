/**
 * Makes a database file and its write-ahead log durable without holding the event loop, where the wait is a thread's.
 *
 * The files stay open until the database is closed: closing one drops the locks that this process holds on it.
 *
 * @module
 */
import { closeSync, openSync } from 'node:fs'
import { type FileWork, threadedFileWork } from './file-work.ts'
import type { StorageHooks } from './storage-hooks.ts'
import { translateStorageError } from './translate-error.ts'

export interface FileSync {
  /** Resolves once what was written to the database file is durable. */
  readonly file: () => Promise<void>
  /** The same for its write-ahead log. */
  readonly log: () => Promise<void>
  /** Call it after the database is closed. */
  readonly close: () => void
}

export interface FileSyncOptions {
  readonly path: string
  readonly hooks?: StorageHooks
  readonly fileWork?: FileWork
}

export function createFileSync(options: FileSyncOptions): FileSync {
  const file = createSync(options)
  const log = createSync({ ...options, path: `${options.path}-wal` })
  return {
    file: file.sync,
    log: log.sync,
    close: () => {
      file.close()
      log.close()
    },
  }
}

function createSync({ path, hooks, fileWork = threadedFileWork }: FileSyncOptions): {
  readonly sync: () => Promise<void>
  readonly close: () => void
} {
  let descriptor: number | undefined
  let waiting = 0
  let isClosed = false

  function closeIfIdle(): void {
    if (!isClosed || waiting > 0 || descriptor === undefined) return
    const open = descriptor
    descriptor = undefined
    closeSync(open)
  }

  return {
    sync: async () =>
      new Promise<void>((resolve, reject) => {
        descriptor ??= openSync(path, 'r+')
        waiting += 1
        const onDurable = hooks?.syncing?.(path)
        fileWork.syncOpen(descriptor, (error) => {
          waiting -= 1
          closeIfIdle()
          if (error === null) {
            onDurable?.()
            resolve()
          } else reject(translateStorageError(error, { path, contents: 'state' }))
        })
      }),
    close: () => {
      isClosed = true
      closeIfIdle()
    },
  }
}
