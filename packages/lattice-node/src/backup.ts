/**
 * Copying a node while it runs.
 *
 * The inventory first, then the stores it lists: so none is listed of which there was nothing yet. Within a store, state
 * before the log that it was made of. The manifest comes last and at once, so that what a crash, a cancel or a full disk
 * cuts off is never taken for a backup; what was made until then is removed.
 *
 * @module
 */
import { readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type AbortSignal as Signal, idKey } from '@lattice/model'
import { settleCopy, syncInThread, translateStorageError } from '@lattice/storage'
import packageJson from '../package.json' with { type: 'json' }
import { createFileAtomic } from './atomic-file.ts'
import { markFile } from './backup-files.ts'
import {
  type BackedUpStore,
  encodeManifest,
  filesOf,
  IDENTITY_FILE,
  type LeftOutStore,
  MANIFEST_FILE,
  META_FILE,
  type NamedFile,
  STORE_FILES,
} from './backup-manifest.ts'
import { copyStore } from './backup-store.ts'
import { type BackupTarget, prepareTarget } from './backup-target.ts'
import { shortId } from './errors.ts'
import { listStores, summaryOf } from './list-stores.ts'
import { openMetaDb, openMetaReader, type StoreRecord } from './meta-db.ts'
import { META_MIGRATIONS } from './meta-schema.ts'
import type { NodeContext } from './node-context.ts'
import type { BackupOptions, BackupResult } from './node-types.ts'
import type { StoreManager } from './store-manager.ts'

const OWNER_ONLY = 0o600

interface BackupDeps {
  readonly context: NodeContext
  readonly manager: StoreManager
  readonly options: BackupOptions
  readonly target: BackupTarget
  readonly signal: Signal
  readonly progress: Progress
}

/** Copies the node. Rejects as `Node.backup` says; then nothing is left of what was made. */
export async function backupNode(
  context: NodeContext,
  manager: StoreManager,
  options: BackupOptions,
): Promise<BackupResult> {
  options.signal?.throwIfAborted()
  const target = prepareTarget(options.directory, context.directory.path)
  try {
    return await manager.run(async (ending) => {
      const signal = options.signal === undefined ? ending : AbortSignal.any([options.signal, ending])
      await manager.settled()
      const progress = createProgress(options, sizesOf(context, manager))
      return makeBackup({ context, manager, options, target, signal, progress })
    })
  } catch (error) {
    target.discard()
    throw translateStorageError(error, { path: target.path, contents: 'other' })
  }
}

async function makeBackup(deps: BackupDeps): Promise<BackupResult> {
  const { context, options, target, signal } = deps
  const withIdentity = options.withoutIdentity !== true
  const { finished, unfinished } = await copyMeta(deps)
  const { stores, leftOut, warnings } = await copyStores(deps, finished)
  if (withIdentity) {
    const seed = readFileSync(context.directory.identityPath)
    await createFileAtomic(join(target.path, IDENTITY_FILE), seed, OWNER_ONLY)
  }
  const files: NamedFile[] = []
  for (const path of withIdentity ? [META_FILE, IDENTITY_FILE] : [META_FILE]) {
    files.push({ path, ...(await markFile(join(target.path, path), { crypto: context.crypto, signal })) })
  }
  const manifest = {
    program: packageJson.version,
    createdAt: context.clock.wallMs(),
    node: context.id,
    withIdentity,
    metaSchema: META_MIGRATIONS.length,
    files,
    stores,
    leftOut,
  }
  await syncInThread(target.storesPath)
  await syncInThread(target.path)
  await syncInThread(dirname(target.path))
  signal.throwIfAborted()
  await createFileAtomic(join(target.path, MANIFEST_FILE), encodeManifest(context.crypto, manifest), OWNER_ONLY)
  deps.progress.end()
  return {
    directory: target.path,
    stores: stores.filter((store) => store.files.length > 0).length,
    bytes: filesOf(manifest).reduce((sum, { bytes }) => sum + bytes, 0),
    withIdentity,
    leftOut: [
      ...warnings,
      ...unfinished.map((record) => `${pathOf(deps, record)}: it is being created; back up again once it is there`),
    ],
  }
}

interface CopiedStores {
  readonly stores: readonly BackedUpStore[]
  readonly leftOut: readonly LeftOutStore[]
  readonly warnings: readonly string[]
}

/** Children before the store above them, which says who may write in them: so it says so of all that was copied. */
async function copyStores(deps: BackupDeps, records: readonly StoreRecord[]): Promise<CopiedStores> {
  const places = new Map(listStores(deps.manager).map(({ id }, place) => [idKey(id), place]))
  const placeOf = ({ id }: StoreRecord): number => places.get(idKey(id)) ?? places.size
  const stores: BackedUpStore[] = []
  const leftOut: LeftOutStore[] = []
  const warnings: string[] = []
  for (const record of records.toSorted((a, b) => placeOf(b) - placeOf(a))) {
    const path = pathOf(deps, record)
    deps.progress.begin(path)
    const copy = await copyStore({ ...deps, target: deps.target.path, onBytes: deps.progress.add }, record)
    if (copy.kind === 'copied') stores.unshift({ ...copy.store, path })
    else leftOut.unshift({ id: record.id, path, reason: copy.reason })
    const warning = copy.kind === 'copied' ? copy.warning : copy.reason
    if (warning !== undefined) warnings.unshift(`${path}: ${warning}`)
  }
  return { stores, leftOut, warnings }
}

function pathOf({ manager }: BackupDeps, { id }: StoreRecord): string {
  return summaryOf(manager, id)?.path ?? shortId(id)
}

interface CopiedMeta {
  /** The stores it lists. */
  readonly finished: readonly StoreRecord[]
  /** Those that it listed while they were being created. */
  readonly unfinished: readonly StoreRecord[]
}

/** Copies the inventory. */
async function copyMeta({ context, target, signal, progress }: BackupDeps): Promise<CopiedMeta> {
  const path = join(target.path, META_FILE)
  progress.begin(META_FILE)
  await context.meta.copyFiles(path, { signal, onProgress: progress.add })
  const reader = openMetaReader(path)
  let records: readonly StoreRecord[]
  try {
    records = reader.stores()
  } finally {
    reader.close()
  }
  // One that is only half made would be made again by whoever restores, and differ from the one it became.
  const unfinished = records.filter(({ state }) => state === 'creating')
  const finished = records.filter(({ state }) => state !== 'creating')
  if (unfinished.length === 0) return { finished, unfinished }
  const meta = openMetaDb(path)
  try {
    for (const { id } of unfinished) meta.removeStore(id)
  } finally {
    meta.close()
  }
  await settleCopy(path)
  return { finished, unfinished }
}

interface Progress {
  readonly begin: (part: string) => void
  readonly add: (bytes: number) => void
  readonly end: () => void
}

/** What is written meanwhile is copied too, so the total is a good guess, and is never passed. */
function createProgress({ onProgress }: BackupOptions, total: number): Progress {
  let part = ''
  let done = 0
  const tell = (): void => onProgress?.({ part, done, total })
  return {
    begin: (next) => {
      part = next
      tell()
    },
    add: (bytes) => {
      done = Math.min(total, done + bytes)
      tell()
    },
    end: () => {
      done = total
      tell()
    },
  }
}

function sizesOf({ directory }: NodeContext, manager: StoreManager): number {
  const stores = [...manager.entries.values()].flatMap(({ record }) =>
    STORE_FILES.map((file) => join(directory.storePath(record.id), file)),
  )
  const paths = [directory.metaPath, `${directory.metaPath}-wal`, ...stores]
  return paths.reduce((sum, path) => sum + (statSync(path, { throwIfNoEntry: false })?.size ?? 0), 0)
}
