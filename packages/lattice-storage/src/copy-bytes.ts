/**
 * Copies the bytes of an open file to a new one, in parts, off the event loop.
 *
 * The source is a descriptor and not a path: closing any descriptor of a file drops the locks that this process holds on
 * it, so whoever holds a database open decides when that is.
 *
 * @module
 */
import { close, fdatasync, fstat, open, read, stat, write } from 'node:fs'
import { promisify } from 'node:util'
import type { AbortSignal } from '@lattice/model'
import { translateStorageError } from './translate-error.ts'

export const OWNER_ONLY = 0o600
/** Bytes in memory at once. */
export const COPY_PART_BYTES: number = 1024 * 1024

const [openFile, closeFile, statPath, statFile, readFile, writeFile, syncFile] = [
  promisify(open),
  promisify(close),
  promisify(stat),
  promisify(fstat),
  promisify(read),
  promisify(write),
  promisify(fdatasync),
] as const

export interface CopyOptions {
  /** Bytes that were copied since the last call. */
  readonly onProgress?: (bytes: number) => void
  readonly signal?: AbortSignal
}

export interface CopySource {
  /** For messages. */
  readonly path: string
  readonly descriptor: number
}

/**
 * Copies what the file holds now to a new file at `to`, readable by its owner alone, and answers how many bytes that was.
 * What is appended meanwhile is left out; a file that gets shorter ends the copy. Rejects with `DiskFull`,
 * `StorageFailed`, or `signal.reason`; what was written stays.
 */
export async function copyBytes(source: CopySource, to: string, options: CopyOptions = {}): Promise<number> {
  const { size } = await translated(source.path, () => statFile(source.descriptor))
  const target = await translated(to, () => openFile(to, 'wx', OWNER_ONLY))
  const buffer = new Uint8Array(Math.min(COPY_PART_BYTES, size))
  let done = 0
  try {
    while (done < size) {
      options.signal?.throwIfAborted()
      const position = done
      const length = Math.min(buffer.length, size - done)
      const { bytesRead } = await translated(source.path, () =>
        readFile(source.descriptor, buffer, 0, length, position),
      )
      if (bytesRead === 0) break
      await translated(to, () => writeAll(target, buffer.subarray(0, bytesRead), position))
      done += bytesRead
      options.onProgress?.(bytesRead)
    }
  } finally {
    await closeFile(target)
  }
  return done
}

/** Copies a file that nobody holds open; see {@link copyBytes}. */
export async function copyFileBytes(path: string, to: string, options: CopyOptions = {}): Promise<number> {
  const descriptor = await translated(path, () => openFile(path, 'r'))
  try {
    return await copyBytes({ path, descriptor }, to, options)
  } finally {
    await closeFile(descriptor)
  }
}

/** Makes a file, or the names within a directory, durable; the wait is a thread's. */
export async function syncInThread(path: string): Promise<void> {
  const descriptor = await translated(path, () => openForSync(path))
  try {
    await translated(path, () => syncFile(descriptor))
  } finally {
    await closeFile(descriptor)
  }
}

/** Some systems sync only what may be written, and none opens a directory for writing. */
async function openForSync(path: string): Promise<number> {
  const found = await statPath(path)
  return openFile(path, found.isDirectory() ? 'r' : 'r+')
}

async function writeAll(descriptor: number, bytes: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    const { bytesWritten } = await writeFile(descriptor, bytes, written, bytes.length - written, position + written)
    written += bytesWritten
  }
}

async function translated<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw translateStorageError(error, { path, contents: 'other' })
  }
}
