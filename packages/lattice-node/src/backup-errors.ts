/**
 * How a backup or a restore is refused, each as one sentence that says who must do what.
 *
 * @module
 */
import { type PublicKey, toHex } from '@lattice/model'
import { DiskFull, translateStorageError } from '@lattice/storage'
import { whyUnusable } from './data-directory.ts'
import { NodeError, shortId } from './errors.ts'
import { errorCode } from './identity.ts'

/** The place of a backup, or of what is restored, will not do. */
export function placeUnusable(path: string, why: string, cause?: unknown): NodeError {
  return new NodeError('DATA_DIR_UNUSABLE', `${path} cannot be used: ${why}`, { detail: { path }, cause })
}

/** The same for what the system said of a call on it: `DISK_FULL` where that is why. */
export function placeFailed(path: string, error: unknown): Error {
  const failure = translateStorageError(error, { path, contents: 'other' })
  return failure instanceof DiskFull ? failure : placeUnusable(path, whyUnusable(errorCode(error)), error)
}

/** What is wrong with a backup; the first of `problems` is in the sentence. */
export function backupInvalid(directory: string, problems: readonly string[]): NodeError {
  const [first = 'it is no backup'] = problems
  const others = problems.length > 1 ? ` (and ${problems.length - 1} more)` : ''
  return new NodeError(
    'BACKUP_INVALID',
    `the backup ${directory} is not good: ${first}${others}; use another one, nothing was changed`,
    { detail: { directory, problems } },
  )
}

export function backupTooNew(directory: string, found: number, supported: number): NodeError {
  return new NodeError(
    'SCHEMA_TOO_NEW',
    `the backup ${directory} has format ${found} and this version reads up to ${supported}: use the newer version that made it`,
    { detail: { directory, found, supported } },
  )
}

export function identityNeeded(directory: string, node: PublicKey): NodeError {
  return new NodeError(
    'IDENTITY_DAMAGED',
    `the backup ${directory} was made without the identity key of node ${shortId(node)}: give that key's file (\`--identity FILE\`), or restore a backup that holds it`,
    { detail: { directory, node: toHex(node) } },
  )
}
