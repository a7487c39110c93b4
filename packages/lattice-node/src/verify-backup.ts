/**
 * Proves a backup good, or says what is wrong with it, without touching it or any node.
 *
 * Every file is compared with what the manifest says of it, and every log is then looked through as `store verify --full`
 * looks: each id, each link of the chain, each signature. The databases of a backup are single files that reading does not
 * change; a file that SQLite would take for a part of one is refused before any is opened.
 *
 * @module
 */
import { closeSync, lstatSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { readLogEnd, verifyLog } from '@lattice/kernel'
import {
  type AbortSignal,
  type Clock,
  type Crypto,
  equalBytes,
  type IntentionId,
  isLatticeError,
  type PublicKey,
  type Scheduler,
  SEED_BYTES,
  type StoreId,
  toHex,
  toSeed,
} from '@lattice/model'
import type { FileCheck } from '@lattice/storage'
import { backupInvalid, backupTooNew, placeFailed, placeUnusable } from './backup-errors.ts'
import { markFile } from './backup-files.ts'
import {
  BACKUP_FORMAT,
  type BackedUpStore,
  type BackupManifest,
  decodeManifest,
  filesOf,
  IDENTITY_FILE,
  MANIFEST_FILE,
  MAX_MANIFEST_BYTES,
  META_FILE,
  type NamedFile,
  STORES_FOLDER,
} from './backup-manifest.ts'
import { toFailure } from './failure.ts'
import { errorCode } from './identity.ts'
import { type MetaStoreState, openMetaReader } from './meta-db.ts'

export interface VerifyBackupOptions {
  /** The backup. */
  readonly directory: string
  readonly crypto: Crypto
  readonly clock: Clock
  readonly scheduler: Scheduler
  /** See `NodeOptions`. */
  readonly fileCheck?: FileCheck
  readonly onProgress?: (progress: VerifyBackupProgress) => void
  readonly signal?: AbortSignal
}

export interface VerifyBackupProgress {
  /** `files`, or the path of a store whose log is looked through. */
  readonly part: string
  /** Bytes of files, or records of a log. */
  readonly done: number
  readonly total: number
}

/** A backup that is good. */
export interface VerifiedBackup {
  /** Absolute. */
  readonly directory: string
  /** Milliseconds since the Unix epoch. */
  readonly createdAt: number
  readonly node: PublicKey
  readonly withIdentity: boolean
  readonly bytes: number
  readonly stores: readonly VerifiedStore[]
  /** What the backup itself says it does not hold, each as a sentence. */
  readonly leftOut: readonly string[]
  /** Files beside those of the backup: no part of it, and not restored. */
  readonly extra: readonly string[]
}

export interface VerifiedStore {
  readonly id: StoreId
  readonly path: string
  readonly storeType: string
  readonly state: MetaStoreState
  /** Its files are as they were when it could not be used: their bytes are good, what they say is not looked at. */
  readonly isAsItWas: boolean
  /** This node had no data of it. */
  readonly isEmpty: boolean
  readonly records: number
  /** Where this node's own chain ended. */
  readonly ownTips: readonly IntentionId[]
}

/** Sentences kept: the first show what happened. */
const PROBLEMS_MAX = 32
/** Names of other files told of. */
const EXTRA_MAX = 100
const COMPANIONS = ['-wal', '-shm', '-journal'] as const

interface Check {
  readonly directory: string
  readonly manifest: BackupManifest
  readonly options: VerifyBackupOptions
  readonly problems: string[]
}

/**
 * Looks through the backup in `directory`. Rejects with `BACKUP_INVALID`, whose `detail.problems` say what is wrong, with
 * `SCHEMA_TOO_NEW` for one of a later version, `DATA_DIR_UNUSABLE` where there is no directory, or `signal.reason`.
 */
export async function verifyBackup(options: VerifyBackupOptions): Promise<VerifiedBackup> {
  return (await checkBackup(options)).verified
}

/** The same, with what the manifest says. */
export async function checkBackup(
  options: VerifyBackupOptions,
): Promise<{ readonly manifest: BackupManifest; readonly verified: VerifiedBackup }> {
  const directory = resolve(options.directory)
  const manifest = readManifest(directory, options.crypto)
  const check: Check = { directory, manifest, options, problems: [] }
  const extra = findExtra(check)
  throwIfBad(check)
  await checkFiles(check)
  throwIfBad(check)
  checkSettled(check)
  throwIfBad(check)
  checkIdentity(check)
  checkInventory(check)
  for (const store of manifest.stores) if (!store.isAsItWas && store.files.length > 0) await checkStore(check, store)
  throwIfBad(check)
  return { manifest, verified: describe(directory, manifest, extra) }
}

function describe(directory: string, manifest: BackupManifest, extra: readonly string[]): VerifiedBackup {
  const { createdAt, node, withIdentity, stores, leftOut } = manifest
  return {
    directory,
    createdAt,
    node,
    withIdentity,
    bytes: bytesOf(manifest),
    stores: stores.map(({ id, path, storeType, state, isAsItWas, witnessSeq, ownTips, files }) => {
      return { id, path, storeType, state, isAsItWas, isEmpty: files.length === 0, records: witnessSeq, ownTips }
    }),
    leftOut: leftOut.map(({ path, reason }) => `${path}: ${reason}`),
    extra,
  }
}

function bytesOf(manifest: BackupManifest): number {
  return filesOf(manifest).reduce((sum, { bytes }) => sum + bytes, 0)
}

function note({ problems }: Check, problem: string): void {
  if (problems.length < PROBLEMS_MAX) problems.push(problem)
}

function throwIfBad({ directory, problems }: Check): void {
  if (problems.length > 0) throw backupInvalid(directory, problems)
}

function readManifest(directory: string, crypto: Crypto): BackupManifest {
  const path = join(directory, MANIFEST_FILE)
  let bytes: Uint8Array
  try {
    if (!statSync(directory).isDirectory())
      throw placeUnusable(directory, 'it is not a directory; give that of a backup')
    const found = lstatSync(path)
    if (!found.isFile() || found.size > MAX_MANIFEST_BYTES) {
      throw backupInvalid(directory, [`${MANIFEST_FILE} is no file of a size that one has`])
    }
    bytes = readFileSync(path)
  } catch (error) {
    if (isLatticeError(error)) throw error
    if (errorCode(error) !== 'ENOENT') throw placeFailed(directory, error)
    if (statSync(directory, { throwIfNoEntry: false }) === undefined) {
      throw placeUnusable(directory, 'there is no such directory; give that of a backup', error)
    }
    throw backupInvalid(directory, [
      `it has no ${MANIFEST_FILE}, so it was cut off before it was whole, or is no backup`,
    ])
  }
  const read = decodeManifest(crypto, bytes)
  if (read.kind === 'too_new') throw backupTooNew(directory, read.format, BACKUP_FORMAT)
  if (read.kind === 'bad') throw backupInvalid(directory, [read.problem])
  return read.manifest
}

/** What is there and not in the manifest. What SQLite would read with a database is a problem. */
function findExtra(check: Check): readonly string[] {
  const { directory, manifest } = check
  const known = new Set([MANIFEST_FILE, ...filesOf(manifest).map(({ path }) => path)])
  const folders = new Set([STORES_FOLDER, ...[...known].map((path) => dirname(path))])
  const extra: string[] = []
  const look = (folder: string): void => {
    for (const name of readdirSync(join(directory, folder)).toSorted()) {
      const path = folder === '' ? name : `${folder}/${name}`
      if (known.has(path)) continue
      const isFolder = lstatSync(join(directory, path)).isDirectory()
      if (folders.has(path) && isFolder) look(path)
      else if (extra.length < EXTRA_MAX) extra.push(path)
      const of = COMPANIONS.find((companion) => path.endsWith(companion) && known.has(path.slice(0, -companion.length)))
      if (of !== undefined) note(check, `${path} is no part of it, and would be read as one`)
    }
  }
  look('')
  return extra
}

async function checkFiles(check: Check): Promise<void> {
  const { manifest, options } = check
  const total = bytesOf(manifest)
  let done = 0
  const onProgress = (bytes: number): void => {
    done += bytes
    options.onProgress?.({ part: 'files', done: Math.min(done, total), total })
  }
  for (const file of filesOf(manifest)) await checkFile(check, file, onProgress)
}

async function checkFile(check: Check, file: NamedFile, onProgress: (bytes: number) => void): Promise<void> {
  const { directory, options } = check
  const { crypto, signal } = options
  try {
    const found = await markFile(join(directory, file.path), { crypto, onProgress, ...(signal && { signal }) })
    if (found.bytes !== file.bytes) note(check, `${file.path} has ${found.bytes} bytes instead of ${file.bytes}`)
    else if (!equalBytes(found.hash, file.hash)) note(check, `${file.path} is not what was written`)
  } catch (error) {
    signal?.throwIfAborted()
    note(check, `${file.path} cannot be read (${toFailure(error).message})`)
  }
}

/** A database that says it has a write-ahead log would get one by being read. */
function checkSettled(check: Check): void {
  const { directory, manifest } = check
  const stores = manifest.stores.filter(({ isAsItWas }) => !isAsItWas)
  for (const { path } of [...manifest.files, ...stores.flatMap(({ files }) => files)]) {
    if (path.endsWith('.db') && !isSingleFile(join(directory, path))) note(check, `${path} is no database of a backup`)
  }
}

/** Read and write version of the file, see https://www.sqlite.org/fileformat2.html#file_format_version_numbers */
function isSingleFile(path: string): boolean {
  const file = openSync(path, 'r')
  try {
    const versions = new Uint8Array(2)
    return readSync(file, versions, 0, 2, 18) === 2 && versions.every((version) => version === 1)
  } finally {
    closeSync(file)
  }
}

function checkIdentity(check: Check): void {
  const { directory, manifest, options } = check
  if (!manifest.withIdentity) return
  const seed = readFileSync(join(directory, IDENTITY_FILE))
  const isKey =
    seed.length === SEED_BYTES &&
    equalBytes(options.crypto.keyPairFromSeed(toSeed(new Uint8Array(seed))).publicKey, manifest.node)
  if (!isKey) note(check, `${IDENTITY_FILE} is not the key of node ${toHex(manifest.node)}`)
}

/** The inventory lists what the manifest does, and is of the same node. */
function checkInventory(check: Check): void {
  const { directory, manifest } = check
  try {
    const meta = openMetaReader(join(directory, META_FILE))
    try {
      const owner = meta.identity()
      if (owner === undefined || !equalBytes(owner, manifest.node)) note(check, `${META_FILE} is of another node`)
      const listed = new Map(meta.stores().map((record) => [toHex(record.id), record]))
      const told = [...manifest.stores, ...manifest.leftOut]
      const isSame = told.length === listed.size && told.every(({ id }) => listed.has(toHex(id)))
      if (!isSame) note(check, `${META_FILE} lists other stores than ${MANIFEST_FILE}`)
    } finally {
      meta.close()
    }
  } catch (error) {
    if (isLatticeError(error) && error.code === 'SCHEMA_TOO_NEW') throw error
    note(check, `${META_FILE} cannot be read (${toFailure(error).message})`)
  }
}

async function checkStore(check: Check, store: BackedUpStore): Promise<void> {
  const { manifest, options } = check
  const { crypto, clock, scheduler, signal, onProgress } = options
  const directory = join(check.directory, STORES_FOLDER, toHex(store.id))
  const name = `${STORES_FOLDER}/${toHex(store.id)}`
  const witness = { directory, witnessKey: manifest.node, crypto, scheduler }
  const report = await verifyLog({
    ...witness,
    storeId: store.id,
    clock,
    full: true,
    ...(options.fileCheck && { fileCheck: options.fileCheck }),
    ...(signal && { signal }),
    onProgress: ({ part, done, total }) => {
      if (part === 'records') onProgress?.({ part: store.path, done, total })
    },
  })
  const [problem] = report.problems
  if (problem !== undefined) {
    note(check, `${name}: ${problem.seq === undefined ? '' : `record ${problem.seq}: `}${problem.what}`)
    return
  }
  const end = await readLogEnd(witness)
  const isEnd =
    end.seq === store.witnessSeq &&
    equalBytes(end.chainHash, store.chainHash) &&
    end.ownTips.map(toHex).toSorted().join() === store.ownTips.map(toHex).toSorted().join()
  if (!isEnd) note(check, `${name}: its log ends elsewhere than ${MANIFEST_FILE} says`)
}
