/**
 * Makes a node of a backup: in a place where there is none, and only once the backup has been proved good.
 *
 * Everything is made beside the target and put there by one renaming, so a crash leaves no half of a node. What is copied
 * is compared once more with the manifest. Every store is held before the node can open it: what this node wrote after
 * the backup is at its peers alone, and it must not write on from an older end of its chain; see write-hold.ts.
 *
 * @module
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { equalBytes, isLatticeError, type PublicKey, SEED_BYTES, toSeed } from '@lattice/model'
import { copyFileBytes, syncDirectory, syncInThread, translateStorageError, tryExclusiveLock } from '@lattice/storage'
import { writeFileAtomic } from './atomic-file.ts'
import { backupInvalid, identityNeeded, placeFailed, placeUnusable } from './backup-errors.ts'
import { markFile } from './backup-files.ts'
import { type BackupManifest, filesOf, IDENTITY_FILE, META_FILE, type NamedFile } from './backup-manifest.ts'
import { dataDirLocked, identityDamaged, identityForeign, identityUnreadable } from './errors.ts'
import { errorCode } from './identity.ts'
import { openMetaDb } from './meta-db.ts'
import { checkBackup, type VerifiedBackup, type VerifyBackupOptions } from './verify-backup.ts'

export interface RestoreBackupOptions extends Omit<VerifyBackupOptions, 'onProgress'> {
  /** Absent, or an empty directory. */
  readonly dataDir: string
  /** A file with the identity key, where the backup has none. */
  readonly identityFile?: string
  /** Writes at once: what the node wrote after the backup, and peers have, forks from what it writes now. */
  readonly offlineOk?: boolean
  readonly onProgress?: (progress: RestoreProgress) => void
}

export interface RestoreProgress {
  readonly stage: 'verifying' | 'copying'
  /** `files`, or the path of a store; while copying, a file. */
  readonly part: string
  readonly done: number
  readonly total: number
}

export interface RestoredBackup extends VerifiedBackup {
  /** Where the node is now. */
  readonly dataDir: string
  /** Stores that write once they were compared with a peer, where they have any. */
  readonly held: number
}

const OWNER_ONLY = { file: 0o600, directory: 0o700 } as const
/** Beside the target, on the same file system. */
const MAKING = '.restoring'

/**
 * Restores a backup. Rejects as {@link checkBackup} does, and with `DATA_DIR_UNUSABLE`, `DATA_DIR_LOCKED`, `IDENTITY_*`,
 * `DISK_FULL` or `STORAGE_FAILED`: then the target is as it was.
 */
export async function restoreBackup(options: RestoreBackupOptions): Promise<RestoredBackup> {
  const dataDir = resolve(options.dataDir)
  checkTarget(dataDir)
  const { onProgress, ...verifyOptions } = options
  const { manifest, verified } = await checkBackup({
    ...verifyOptions,
    ...(onProgress && { onProgress: (progress) => onProgress({ stage: 'verifying', ...progress }) }),
  })
  const seed = identityOf(options, manifest)
  const making = beginMaking(dataDir)
  try {
    await copyAll(options, { manifest, making })
    writeFileAtomic(join(making, IDENTITY_FILE), [seed], OWNER_ONLY.file)
    const held = options.offlineOk === true ? 0 : holdStores(making)
    options.signal?.throwIfAborted()
    putInPlace(making, dataDir)
    return { ...verified, dataDir, held }
  } catch (error) {
    rmSync(making, { recursive: true, force: true })
    throw translateStorageError(error, { path: making, contents: 'other' })
  }
}

/** Throws unless there is nothing in the target. */
function checkTarget(dataDir: string): void {
  try {
    const found = statSync(dataDir, { throwIfNoEntry: false })
    if (found === undefined) return
    if (!found.isDirectory()) throw placeUnusable(dataDir, 'it is not a directory; choose another one')
    const names = readdirSync(dataDir)
    if (names.length === 0) return
    if (names.includes('lock')) assertUnlocked(dataDir)
    throw placeUnusable(
      dataDir,
      'it is not empty, and nothing is overwritten; move it away, or choose another directory',
    )
  } catch (error) {
    if (isLatticeError(error)) throw error
    throw placeFailed(dataDir, error)
  }
}

function assertUnlocked(dataDir: string): void {
  const path = join(dataDir, 'lock')
  const attempt = tryExclusiveLock(path, '0')
  if (attempt.kind === 'held') return attempt.release()
  const holder = Number(attempt.holder)
  throw dataDirLocked(dataDir, Number.isSafeInteger(holder) && holder > 0 ? holder : undefined)
}

/** The seed of the node: of the backup, or of the file that was given. Throws unless it is that node's. */
function identityOf(
  { directory, identityFile, crypto }: RestoreBackupOptions,
  { node, withIdentity }: BackupManifest,
): Uint8Array {
  if (identityFile === undefined && !withIdentity) throw identityNeeded(resolve(directory), node)
  const path = identityFile === undefined ? join(directory, IDENTITY_FILE) : resolve(identityFile)
  let seed: Uint8Array
  try {
    const { size } = statSync(path)
    if (size !== SEED_BYTES) throw identityDamaged(path, size)
    seed = new Uint8Array(readFileSync(path))
  } catch (error) {
    if (isLatticeError(error)) throw error
    throw identityUnreadable(path, 'check that it is there and that this user may read it', error)
  }
  const found: PublicKey = crypto.keyPairFromSeed(toSeed(seed)).publicKey
  if (!equalBytes(found, node)) throw identityForeign(path, { owner: node, found })
  return seed
}

function beginMaking(dataDir: string): string {
  const making = join(dirname(dataDir), `${basename(dataDir)}${MAKING}`)
  try {
    mkdirSync(dirname(dataDir), { recursive: true, mode: OWNER_ONLY.directory })
    mkdirSync(making, { mode: OWNER_ONLY.directory })
    mkdirSync(join(making, 'stores'), { mode: OWNER_ONLY.directory })
    return making
  } catch (error) {
    if (errorCode(error) === 'EEXIST') {
      throw placeUnusable(making, 'a restore is under way there, or was cut off; if none runs, remove it', error)
    }
    throw placeFailed(making, error)
  }
}

interface Making {
  readonly manifest: BackupManifest
  readonly making: string
}

async function copyAll(options: RestoreBackupOptions, { manifest, making }: Making): Promise<void> {
  const files = filesOf(manifest).filter(({ path }) => path !== IDENTITY_FILE)
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0)
  let done = 0
  for (const file of files) {
    mkdirSync(dirname(join(making, file.path)), { recursive: true, mode: OWNER_ONLY.directory })
    await copyChecked(options, making, {
      file,
      onBytes: (bytes) => {
        done += bytes
        options.onProgress?.({ stage: 'copying', part: file.path, done: Math.min(done, total), total })
      },
    })
    syncDirectory(dirname(join(making, file.path)))
  }
}

/** What was read a moment ago may be read otherwise now: what counts is what arrived. */
async function copyChecked(
  { directory, crypto, signal }: RestoreBackupOptions,
  making: string,
  { file, onBytes }: { readonly file: NamedFile; readonly onBytes: (bytes: number) => void },
): Promise<void> {
  const to = join(making, file.path)
  const stopping = signal === undefined ? {} : { signal }
  await copyFileBytes(join(resolve(directory), file.path), to, { onProgress: onBytes, ...stopping })
  await syncInThread(to)
  const found = await markFile(to, { crypto, ...stopping })
  if (found.bytes === file.bytes && equalBytes(found.hash, file.hash)) return
  throw backupInvalid(resolve(directory), [`${file.path} changed while it was copied`])
}

/** Has every store wait for a peer before this node writes to it; answers how many. */
function holdStores(making: string): number {
  const meta = openMetaDb(join(making, META_FILE))
  try {
    const stores = meta.stores()
    for (const { id } of stores) {
      // What an earlier repair waits for goes on to be waited for; what was compared before the backup is no longer so.
      const { tips = [], reason = 'restore' } = meta.writeHold(id) ?? {}
      meta.putWriteHold(id, { reason, tips, isEndKnown: false, compared: [] })
    }
    return stores.length
  } finally {
    meta.close()
  }
}

function putInPlace(making: string, dataDir: string): void {
  syncDirectory(join(making, 'stores'))
  syncDirectory(making)
  try {
    // Only an empty one gives way.
    if (existsSync(dataDir)) rmdirSync(dataDir)
    renameSync(making, dataDir)
    syncDirectory(dirname(dataDir))
  } catch (error) {
    throw placeUnusable(
      dataDir,
      'something was put there while the backup was restored; move it away, and try again',
      error,
    )
  }
}
