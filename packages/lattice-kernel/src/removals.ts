/**
 * What is kept beside the log because the log cannot hold it: the foundation that shows that this node was removed.
 *
 * The epoch that removed it cannot be witnessed, for its causes are gone everywhere. So the log stays as it is, and the
 * foundation lies in a directory beside it; what this node wrote after what the epoch has in its past counts no more, as if
 * the epoch were here. It is looked at anew with every record that comes: one that voids the removal ends it, and so does the
 * epoch itself, which then speaks for itself.
 *
 * @module
 */
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type Crypto, isLatticeError, type Signer, type StoreId } from '@lattice/model'
import { translateStorageError } from '@lattice/storage'
import type { MembershipPolicy } from '@lattice/store-base'
import type { EpochBook } from './epoch-book.ts'
import { LOG_FILE } from './log-schema.ts'
import { isSameRemoval, type Removals } from './removal-limits.ts'
import type { ShownRemoval } from './removal-types.ts'
import { openShownRecords, type ShownRecords } from './shown-records.ts'
import { findShownRemoval, isSpent } from './shown-removal.ts'

/** Where it is kept. */
const SHOWN = 'removed'

export interface RemovalsOptions {
  /** That of the store. */
  readonly directory: string
  readonly storeId: StoreId
  readonly crypto: Crypto
  readonly signer: Signer
  readonly membership: MembershipPolicy
  readonly book: Pick<EpochBook, 'all' | 'counting' | 'isBefore' | 'version'>
}

export function shownPath(directory: string): string {
  return join(directory, SHOWN)
}

/** Has nothing before `load`. */
export function createRemovals({ directory, book, ...options }: RemovalsOptions): Removals {
  const about = { self: options.signer.publicKey, policy: options.membership, own: book }
  let shown: ShownRecords | undefined
  let loads = 0
  let known: { readonly version: number; readonly removal: ShownRemoval | undefined } | undefined

  function now(): ShownRemoval | undefined {
    if (shown === undefined) return undefined
    const version = book.version()
    if (known?.version !== version) {
      const found = findShownRemoval(about, shown)
      const removal = found.ok ? found.value : undefined
      known = { version, removal: isSameRemoval(known?.removal, removal) ? known?.removal : removal }
    }
    return known.removal
  }
  function close(): void {
    shown?.close()
    shown = undefined
    known = undefined
  }
  return {
    now,
    version: () => loads,
    load: () => {
      close()
      loads += 1
      shown = openKept({ ...options, directory: shownPath(directory) })
    },
    tidy: () => {
      if (shown === undefined || !isSpent(about, shown)) return
      close()
      removeDirectory(shownPath(directory))
    },
    close,
  }
}

/** What cannot be read is dropped: whoever told of the removal tells of it again. */
function openKept(options: Parameters<typeof openShownRecords>[0]): ShownRecords | undefined {
  const { directory } = options
  if (!existsSync(join(directory, LOG_FILE))) return undefined
  try {
    return openShownRecords(options)
  } catch (error) {
    if (!isLatticeError(error) || error.code !== 'LOG_DAMAGED') throw error
    removeDirectory(directory)
    return undefined
  }
}

export function removeDirectory(directory: string): void {
  try {
    rmSync(directory, { recursive: true, force: true })
  } catch (error) {
    throw translateStorageError(error, { path: directory, contents: 'other' })
  }
}
