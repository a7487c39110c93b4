/**
 * How the work on files is done that takes as long as a file is long, or as the disk takes.
 *
 * In threads it holds up nobody, and ends when it ends: what is awaited of it comes at a time of its own. Where time is not
 * real, and files are small, it is done within the turn that asks for it, so that whatever follows is the same each time.
 *
 * @module
 */
import {
  closeSync,
  existsSync,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  openSync,
  readSync,
  statSync,
  writeSync,
} from 'node:fs'
import {
  copyBytes,
  COPY_PART_BYTES,
  type CopyOptions,
  type CopySource,
  OWNER_ONLY,
  syncInThread,
} from './copy-bytes.ts'
import { foldCopy, type FoldAnswer, type FoldRequest } from './fold-copy.ts'
import { runThread, type ThreadEntry } from './run-thread.ts'
import { translateStorageError } from './translate-error.ts'

export interface FileWork {
  /** See {@link copyBytes}. */
  readonly copy: (source: CopySource, to: string, options: CopyOptions) => Promise<number>
  /** Folds the write-ahead log of a copy into it; see fold-copy.ts. Rejects with what SQLite throws. */
  readonly fold: (path: string) => Promise<void>
  /** Makes a file, or the names within a directory, durable. */
  readonly sync: (path: string) => Promise<void>
  /** Makes an open file durable, and tells whether that failed. */
  readonly syncOpen: (descriptor: number, done: (error: NodeJS.ErrnoException | null) => void) => void
}

const FOLD_ENTRY: ThreadEntry = {
  source: new URL('./fold-copy-worker.ts', import.meta.url),
  built: new URL('./fold-copy-worker.js', import.meta.url),
}

/** A log of this size is folded in within a few milliseconds; a thread takes longer than that to start. */
const INLINE_WAL_BYTES: number = 2 * 1024 * 1024

/** Holds up nobody. */
export const threadedFileWork: FileWork = {
  copy: copyBytes,
  fold: async (path) => {
    const isLong = existsSync(`${path}-wal`) && statSync(`${path}-wal`).size > INLINE_WAL_BYTES
    if (isLong) await foldInThread(path)
    else foldCopy(path)
  },
  sync: syncInThread,
  syncOpen: fdatasync,
}

/** Within this turn of the event loop. */
export const inlineFileWork: FileWork = {
  copy: async (source, to, options) => copyInTurn(source, to, options),
  fold: async (path) => foldCopy(path),
  sync: async (path) => {
    try {
      const descriptor = openSync(path, statSync(path).isDirectory() ? 'r' : 'r+')
      try {
        fdatasyncSync(descriptor)
      } finally {
        closeSync(descriptor)
      }
    } catch (error) {
      throw translateStorageError(error, { path, contents: 'other' })
    }
  },
  syncOpen: (descriptor, done) => {
    let failure: NodeJS.ErrnoException | null = null
    try {
      fdatasyncSync(descriptor)
    } catch (error) {
      if (!(error instanceof Error)) throw error
      failure = error
    }
    done(failure)
  },
}

function copyInTurn({ path, descriptor }: CopySource, to: string, { signal, onProgress }: CopyOptions): number {
  try {
    const { size } = fstatSync(descriptor)
    const target = openSync(to, 'wx', OWNER_ONLY)
    const buffer = new Uint8Array(Math.min(COPY_PART_BYTES, size))
    let done = 0
    try {
      while (done < size) {
        signal?.throwIfAborted()
        const count = readSync(descriptor, buffer, 0, Math.min(buffer.length, size - done), done)
        if (count === 0) break
        for (let written = 0; written < count;) written += writeSync(target, buffer, written, count - written)
        done += count
        onProgress?.(count)
      }
    } finally {
      closeSync(target)
    }
    return done
  } catch (error) {
    if (signal?.aborted === true) throw error
    throw translateStorageError(error, { path, contents: 'other' })
  }
}

async function foldInThread(path: string): Promise<void> {
  const request: FoldRequest = { path }
  const answer = await runThread<FoldAnswer>(FOLD_ENTRY, request)
  if (answer.failure !== undefined) throw Object.assign(new Error(answer.failure.message), answer.failure)
}
