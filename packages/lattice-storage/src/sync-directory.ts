/**
 * Makes the names within a directory durable.
 *
 * @module
 */
import { closeSync, fsyncSync, openSync } from 'node:fs'

export function syncDirectory(path: string): void {
  const directory = openSync(path, 'r')
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
}
