/**
 * What is kept beside the log because the log cannot hold it: the foundation that shows that this node was removed.
 *
 * The epoch that removed it cannot be witnessed, for its causes are gone everywhere; or it is here, and what voids the
 * admission that came after it is not for a removed peer to have. So the log stays as it is, and the
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
  readonly book: Pick<EpochBook, 'all' | 'counting' | 'isBefore' | 'version' | 'view'>
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
      const removal = find(shown)
      known = { version, removal: isSameRemoval(known?.removal, removal) ? known?.removal : removal }
    }
    return known.removal
  }
  /** What cannot be read is dropped: whoever told of the removal tells of it again. */
  function find(records: ShownRecords): ShownRemoval | undefined {
    try {
      const found = findShownRemoval(about, records)
      return found.ok ? found.value : undefined
    } catch (error) {
      if (!isDamage(error)) throw error
      drop()
      return undefined
    }
  }
  function close(): void {
    shown?.close()
    shown = undefined
    known = undefined
  }
  function drop(): void {
    close()
    loads += 1
    removeDirectory(shownPath(directory))
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
      // Nothing follows from it any more.
      const idle = now() === undefined ? shown : undefined
      if (idle !== undefined && isSpent(about, idle)) drop()
    },
    close,
  }
}

/** Undefined where there is none, or none that can be read. */
function openKept(options: Parameters<typeof openShownRecords>[0]): ShownRecords | undefined {
  const { directory } = options
  if (!existsSync(join(directory, LOG_FILE))) return undefined
  try {
    return openShownRecords(options)
  } catch (error) {
    if (!isDamage(error)) throw error
    removeDirectory(directory)
    return undefined
  }
}

/** What was checked as it was written: whatever cannot make sense of it has met damage. */
function isDamage(error: unknown): boolean {
  return !isLatticeError(error) || error.code === 'LOG_DAMAGED'
}

export function removeDirectory(directory: string): void {
  try {
    rmSync(directory, { recursive: true, force: true })
  } catch (error) {
    throw translateStorageError(error, { path: directory, contents: 'other' })
  }
}
