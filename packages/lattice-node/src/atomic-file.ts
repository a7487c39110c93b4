/**
 * Creates a small file so that it is there whole or not at all, and stays there through a power cut.
 *
 * The bytes go to a name beside it, are synced, and are renamed; then the directory is synced. A crash leaves at most the
 * other name behind, which the next attempt overwrites.
 *
 * @module
 */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { syncDirectory, syncInThread } from '@lattice/storage'

/** Writes the parts, one after another, to `path`, replacing what is there, with the permissions of `mode`. */
export function writeFileAtomic(path: string, parts: Iterable<Uint8Array>, mode: number): void {
  const pending = `${path}.new`
  rmSync(pending, { force: true })
  const file = openSync(pending, 'wx', mode)
  try {
    for (const bytes of parts) {
      for (let written = 0; written < bytes.length;) written += writeSync(file, bytes, written)
    }
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(pending, path)
  syncDirectory(dirname(path))
}

/** The same where nothing is yet, off the event loop: beside much else that is written, the disk may take its time. */
export async function createFileAtomic(path: string, bytes: Uint8Array, mode: number): Promise<void> {
  const pending = `${path}.new`
  const file = await open(pending, 'wx', mode)
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(pending, path)
  await syncInThread(dirname(path))
}
