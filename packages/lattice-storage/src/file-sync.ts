/**
 * Makes a database file and its write-ahead log durable without holding the event loop: the wait is a thread's.
 *
 * The files stay open until the database is closed: closing one drops the locks that this process holds on it.
 *
 * @module
 */
import { closeSync, fdatasync, openSync } from 'node:fs'
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

export function createFileSync(path: string, hooks?: StorageHooks): FileSync {
  const file = createSync(path, hooks)
  const log = createSync(`${path}-wal`, hooks)
  return {
    file: file.sync,
    log: log.sync,
    close: () => {
      file.close()
      log.close()
    },
  }
}

function createSync(
  path: string,
  hooks?: StorageHooks,
): { readonly sync: () => Promise<void>; readonly close: () => void } {
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
        fdatasync(descriptor, (error) => {
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
