/**
 * Copies one store into a backup, whatever state it is in.
 *
 * One in use is copied by its kernel, while it is used. One that is closed is copied as files, and nobody opens it
 * meanwhile. One that failed may be damaged, and still hold what is nowhere else: its files are copied byte by byte, to be
 * repaired after a restore, when a peer is there.
 *
 * @module
 */
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type LogEnd, LOG_FILE, readLogEnd } from '@lattice/kernel'
import { type AbortSignal, isLatticeError, ZERO_HASH } from '@lattice/model'
import { copyFileBytes, settleCopy, syncInThread } from '@lattice/storage'
import { markFile } from './backup-files.ts'
import { type BackedUpStore, type NamedFile, STORE_FILES, storeFilePath } from './backup-manifest.ts'
import { toFailure } from './failure.ts'
import { summaryOf } from './list-stores.ts'
import type { StoreRecord } from './meta-db.ts'
import type { NodeContext } from './node-context.ts'
import type { StoreEntry } from './store-entry.ts'
import type { StoreManager } from './store-manager.ts'

export interface StoreCopyDeps {
  readonly context: NodeContext
  readonly manager: StoreManager
  /** The backup. */
  readonly target: string
  readonly signal: AbortSignal
  readonly onBytes: (bytes: number) => void
}

/** How a copy of a store went. */
export type StoreCopy =
  | { readonly kind: 'copied'; readonly store: BackedUpStore; readonly warning: string | undefined }
  | { readonly kind: 'left_out'; readonly reason: string }

/** Times a store that opens or closes under the copy is tried again: nobody does so more often by hand. */
const ATTEMPTS_MAX = 4

/** Copies the store of a record. Rejects with `signal.reason` or `DISK_FULL`: then the whole backup is in vain. */
export async function copyStore(deps: StoreCopyDeps, record: StoreRecord): Promise<StoreCopy> {
  const { manager, target, signal } = deps
  const directory = join(target, dirname(storeFilePath(record.id, LOG_FILE)))
  let failure: unknown
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    signal.throwIfAborted()
    const entry = manager.entry(record.id)
    if (entry === undefined) return { kind: 'left_out', reason: 'it was removed while it was copied' }
    if (entry.repairing) return { kind: 'left_out', reason: 'it is being repaired; back up again once it is' }
    try {
      const copied = await copyEntry(deps, entry, directory)
      if (copied !== undefined) return copied
    } catch (error) {
      signal.throwIfAborted()
      if (isLatticeError(error) && error.code === 'DISK_FULL') throw error
      failure = error
    }
    rmSync(directory, { recursive: true, force: true })
    // Only one that closed or opened under the copy fares better the next time.
    if (failure !== undefined && isInUse(entry)) break
  }
  return { kind: 'left_out', reason: failure === undefined ? 'it does not stand still' : toFailure(failure).message }
}

function isInUse({ open, failure }: StoreEntry): boolean {
  return open !== undefined && failure === undefined
}

async function copyEntry(deps: StoreCopyDeps, entry: StoreEntry, directory: string): Promise<StoreCopy | undefined> {
  const { context, manager, signal, onBytes } = deps
  const options = { signal, onProgress: onBytes }
  mkdirSync(directory, { mode: 0o700 })
  const { open, failure } = entry
  if (open !== undefined && failure === undefined) {
    await open.kernel.copyTo(directory, options)
    // Damage that was met meanwhile may be in the copy: then it is copied as it is.
    if (entry.failure !== undefined) return undefined
    return { kind: 'copied', store: await describe(deps, entry, directory), warning: undefined }
  }
  return manager.closed.whileClosed(entry, async () => {
    const source = context.directory.storePath(entry.record.id)
    for (const file of STORE_FILES) {
      if (!existsSync(join(source, file))) continue
      await copyFileBytes(join(source, file), join(directory, file), options)
    }
    if (failure === undefined) {
      for (const file of STORE_FILES)
        if (!file.endsWith('-wal') && existsSync(join(directory, file))) await settleCopy(join(directory, file))
    } else {
      for (const file of STORE_FILES) if (existsSync(join(directory, file))) await syncInThread(join(directory, file))
    }
    // As it was copied, though it may be tried again by now.
    const store = await describe(deps, { record: entry.record, failure }, directory)
    const warning = failure === undefined ? undefined : warningOf(store, failure)
    return { kind: 'copied', store, warning }
  })
}

function warningOf({ files }: BackedUpStore, failure: unknown): string {
  const { message } = toFailure(failure)
  return files.length === 0
    ? `there are no files of it (${message})`
    : `its files are in the backup as they are, for it cannot be used (${message}); repair it, then back up again`
}

/** What the manifest says of a store whose files are all here. */
async function describe(
  { context, manager, signal }: StoreCopyDeps,
  { record, failure }: Pick<StoreEntry, 'record' | 'failure'>,
  directory: string,
): Promise<BackedUpStore> {
  const { crypto, scheduler } = context
  const files: NamedFile[] = []
  for (const file of STORE_FILES) {
    if (!existsSync(join(directory, file))) continue
    files.push({ path: storeFilePath(record.id, file), ...(await markFile(join(directory, file), { crypto, signal })) })
  }
  const isAsItWas = failure !== undefined
  const hasLog = !isAsItWas && existsSync(join(directory, LOG_FILE))
  const none: LogEnd = { seq: 0, chainHash: ZERO_HASH, ownTips: [] }
  const end = hasLog ? await readLogEnd({ directory, witnessKey: context.id, crypto, scheduler }) : none
  if (files.length === 0) rmSync(directory, { recursive: true })
  else await syncInThread(directory)
  const { seq: witnessSeq, chainHash, ownTips } = end
  const { path = '', storeType = record.storeType } = summaryOf(manager, record.id) ?? {}
  return { id: record.id, path, storeType, state: record.state, isAsItWas, witnessSeq, chainHash, ownTips, files }
}
