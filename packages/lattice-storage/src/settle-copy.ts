/**
 * Makes one file of a copied database and its write-ahead log, durable, and such that reading it needs no other file.
 *
 * @module
 */
import { existsSync, statSync } from 'node:fs'
import { syncInThread } from './copy-bytes.ts'
import { translateStorageError } from './translate-error.ts'
import { foldCopy, type FoldAnswer, type FoldRequest } from './fold-copy.ts'
import { runThread, type ThreadEntry } from './run-thread.ts'

const ENTRY: ThreadEntry = {
  source: new URL('./fold-copy-worker.ts', import.meta.url),
  built: new URL('./fold-copy-worker.js', import.meta.url),
}

/** A log of this size is folded in within a few milliseconds; a thread takes longer than that to start. */
const INLINE_WAL_BYTES: number = 2 * 1024 * 1024

/** Settles the copy at `path`, which nobody has open. Rejects with `DiskFull`, `DatabaseDamaged` or `StorageFailed`. */
export async function settleCopy(path: string): Promise<void> {
  try {
    // In a thread first, so that what follows has little to wait for.
    await syncInThread(path)
    const isLong = existsSync(`${path}-wal`) && statSync(`${path}-wal`).size > INLINE_WAL_BYTES
    if (isLong) await foldInThread(path)
    else foldCopy(path)
    await syncInThread(path)
  } catch (error) {
    throw translateStorageError(error, { path, contents: 'other' })
  }
}

async function foldInThread(path: string): Promise<void> {
  const request: FoldRequest = { path }
  const answer = await runThread<FoldAnswer>(ENTRY, request)
  if (answer.failure !== undefined) throw Object.assign(new Error(answer.failure.message), answer.failure)
}
