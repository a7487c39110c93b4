/**
 * How much room the file system of a directory has.
 *
 * @module
 */
import { statfsSync } from 'node:fs'
import type { DiskSpace } from './node-reasons.ts'

/** Undefined where the system does not say. */
export function diskSpaceOf(directory: string): DiskSpace | undefined {
  try {
    const { bavail, blocks, bsize } = statfsSync(directory)
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize }
  } catch {
    return undefined
  }
}
