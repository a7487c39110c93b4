/**
 * How much room the file system of a directory has.
 *
 * @module
 */
import { statfs } from 'node:fs/promises'
import type { DiskSpace } from './node-reasons.ts'

/** Undefined where the system does not say. */
export async function diskSpaceOf(directory: string): Promise<DiskSpace | undefined> {
  try {
    const { bavail, blocks, bsize } = await statfs(directory)
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize }
  } catch {
    return undefined
  }
}
