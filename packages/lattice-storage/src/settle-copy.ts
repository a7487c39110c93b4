/**
 * Makes one file of a copied database and its write-ahead log, durable, and such that reading it needs no other file.
 *
 * @module
 */
import { type FileWork, threadedFileWork } from './file-work.ts'
import { translateStorageError } from './translate-error.ts'

/** Settles the copy at `path`, which nobody has open. Rejects with `DiskFull`, `DatabaseDamaged` or `StorageFailed`. */
export async function settleCopy(path: string, work: FileWork = threadedFileWork): Promise<void> {
  try {
    // First of all, so that what follows has little to wait for.
    await work.sync(path)
    await work.fold(path)
    await work.sync(path)
  } catch (error) {
    throw translateStorageError(error, { path, contents: 'other' })
  }
}
