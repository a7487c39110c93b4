/**
 * Files of a backup: their sizes and hashes, read off the event loop.
 *
 * @module
 */
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { type AbortSignal, assert, type Crypto, type Hash } from '@lattice/model'
import { COPY_PART_BYTES, translateStorageError } from '@lattice/storage'

/** What a manifest says of a file, beside its name. */
export interface FileMark {
  readonly bytes: number
  /** BLAKE3 over the BLAKE3 hashes of its parts of 1 MiB, one after another: a part is all that is held at once. */
  readonly hash: Hash
}

export interface HashOptions {
  readonly crypto: Crypto
  readonly signal?: AbortSignal
  /** Bytes read since the last call. */
  readonly onProgress?: (bytes: number) => void
}

/**
 * Reads a file through. Rejects with `StorageFailed` where it cannot be read, also for what is no plain file, and with
 * `signal.reason`.
 */
export async function markFile(path: string, { crypto, signal, onProgress }: HashOptions): Promise<FileMark> {
  try {
    // A link could lead anywhere, and a pipe has no end.
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    try {
      if (!(await file.stat()).isFile()) throw Object.assign(new Error('it is no file'), { code: 'EISDIR' })
      const buffer = new Uint8Array(COPY_PART_BYTES)
      const parts: Hash[] = []
      let bytes = 0
      for (;;) {
        signal?.throwIfAborted()
        const length = await readPart(file, buffer, bytes)
        if (length === 0) break
        parts.push(crypto.blake3(buffer.subarray(0, length)))
        bytes += length
        onProgress?.(length)
      }
      return { bytes, hash: crypto.blake3(...parts) }
    } finally {
      await file.close()
    }
  } catch (error) {
    throw translateStorageError(error, { path, contents: 'other' })
  }
}

/** Fills the buffer, but at the end of the file: where parts begin must not depend on how much one read gives. */
async function readPart(file: Awaited<ReturnType<typeof open>>, buffer: Uint8Array, position: number): Promise<number> {
  let filled = 0
  while (filled < buffer.length) {
    const { bytesRead } = await file.read(buffer, filled, buffer.length - filled, position + filled)
    assert(bytesRead >= 0, 'a read gives bytes or none')
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return filled
}
