/**
 * Opens `log.db` and checks, before anything is built on it, that its end is what was committed last.
 *
 * The check reads the meta row and the last commit group, so it costs the same for any length of log. Damage is refused:
 * the log is the only truth, and writing on from a wrong end would fork the node's own chain.
 *
 * @module
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import {
  type Crypto,
  equalBytes,
  type Hash,
  HLC_ZERO,
  type PublicKey,
  type Signer,
  type StoreId,
  type StoreType,
  toHash,
  verifyTagged,
  ZERO_HASH,
} from '@lattice/model'
import { type Database, LogDamaged, openDatabase, type StorageHooks, toPlainBytes, walProblem } from '@lattice/storage'
import { createPrunedBase } from './log-base.ts'
import { contentOf, type LogEntry } from './log-entry.ts'
import { assertOwner, type LogMeta, readMeta, versionOf, writeMeta } from './log-meta.ts'
import { createLogReader } from './log-reader.ts'
import { LOG_APPLICATION_ID, LOG_FILE, LOG_MIGRATIONS } from './log-schema.ts'

export interface OpenLogOptions {
  readonly directory: string
  readonly storeId: StoreId
  readonly crypto: Crypto
  readonly signer: Signer
  readonly hooks?: StorageHooks
  readonly durability?: LogDurability
}

/** `full`: a commit is on the disk when it resolves. `normal`: it is soon, and a power cut may take the last ones. */
export type LogDurability = 'full' | 'normal'

export interface OpenedLog {
  readonly database: Database
  readonly meta: LogMeta
}

/** Opens or creates the log. Throws `LogDamaged`, `SchemaTooNew`, `DiskFull` or `StorageFailed`. */
export function openLog(options: OpenLogOptions): OpenedLog {
  const { directory, storeId, crypto, signer, hooks, durability = 'full' } = options
  const path = join(directory, LOG_FILE)
  // Where commits do not wait for the disk, a power cut may leave what otherwise only damage does.
  const lost = durability === 'full' ? walProblem(path) : undefined
  if (lost !== undefined) throw damaged(path, 'the database file', lost)
  const database = openLogFile(directory, { readonly: false, durability, ...(hooks && { hooks }) })
  try {
    const found = readMeta(database)
    if (found !== undefined) {
      assertOwner(database.path, found, { storeId, witnessKey: signer.publicKey })
      checkEnd(database, found, crypto)
      return { database, meta: found }
    }
    const meta: LogMeta = {
      storeId,
      witnessKey: signer.publicKey,
      storeType: undefined,
      headSeq: 0,
      headHash: ZERO_HASH,
      fingerprint: ZERO_HASH,
      hlc: HLC_ZERO,
      highestWall: 0,
    }
    if (createLogReader(database, crypto).at(1) !== undefined) throw damaged(database.path, 'log_meta', 'it is missing')
    database.transaction(() => writeMeta(database, meta))
    return { database, meta }
  } catch (error) {
    database.close()
    throw error
  }
}

/** What a directory's log says of itself. */
export interface LogPeek {
  readonly storeId: StoreId
  /** Who wrote it. */
  readonly witnessKey: PublicKey
  /** From the genesis; undefined until it is there. */
  readonly storeType: StoreType | undefined
  /** Of the file as it is: one that is older is brought up when the store is opened. */
  readonly schemaVersion: number
  readonly witnessCount: number
}

/** Reads whose log lies in `directory`, without an opener; `undefined` when there is none. Throws as {@link openLog}. */
export function peekLog(directory: string): LogPeek | undefined {
  if (!existsSync(join(directory, LOG_FILE))) return undefined
  const database = openLogFile(directory, { readonly: true })
  try {
    const found = readMeta(database)
    if (found === undefined) return undefined
    const { storeId, witnessKey, storeType, headSeq } = found
    const head = database.prepare<{ readonly seq: number | null }>('SELECT max(seq) AS seq FROM intentions').get()
    const base = createPrunedBase(database)
    base.load()
    const witnessCount = (head?.seq ?? headSeq) - (base.row()?.gone_count ?? 0)
    return { storeId, witnessKey, storeType, schemaVersion: versionOf(database), witnessCount }
  } finally {
    database.close()
  }
}

/** Opens the file alone, unchecked. Throws as {@link openLog}. */
export function openLogFile(
  directory: string,
  options: { readonly readonly: boolean; readonly durability?: LogDurability; readonly hooks?: StorageHooks },
): Database {
  return openDatabase({
    path: join(directory, LOG_FILE),
    contents: 'log',
    durability: 'full',
    applicationId: LOG_APPLICATION_ID,
    migrations: LOG_MIGRATIONS,
    shrinks: true,
    ...options,
  })
}

/**
 * Records looked at before a log is written on: the signature of the last one vouches for its commit group by the chain,
 * and this much of it is followed. All the others are the scrub's and `verify`'s.
 */
const CHECKED_RECORDS = 64

/**
 * Checks that the records reach the last checkpoint, the signature of the last one, and the end of its commit group:
 * intentions and chain. Records behind the checkpoint are checked as they are replayed.
 */
function checkEnd(database: Database, meta: LogMeta, crypto: Crypto): void {
  const { path } = database
  const base = createPrunedBase(database)
  base.load()
  const reader = createLogReader(database, crypto)
  const newestFirst = reader.before(Number.MAX_SAFE_INTEGER, CHECKED_RECORDS + 1)
  const [last] = newestFirst
  const lastSeq = last?.meta.seq ?? 0
  if (lastSeq < meta.headSeq) {
    throw damaged(path, 'log_meta', `it reached ${meta.headSeq} once, the records end at ${lastSeq}`)
  }
  if (last === undefined) return
  const { chainHash: hash, witnessSignature: signature } = last
  if (!verifyTagged(crypto, meta.witnessKey, { tag: 'lattice/witness/v1', hash, signature })) {
    throw damaged(path, `witness ${lastSeq}`, 'its witness signature fails')
  }
  const known = meta.headSeq === lastSeq ? last : reader.at(meta.headSeq)
  if (known === undefined ? meta.headSeq > 0 : !equalBytes(known.chainHash, meta.headHash)) {
    throw damaged(path, `witness ${meta.headSeq}`, 'log_meta has another hash for it')
  }
  for (const [index, entry] of newestFirst.entries()) {
    if (index === CHECKED_RECORDS || (index > 0 && entry.witnessSignature.length > 0)) return
    const row = base.row()
    if (row !== undefined && entry.meta.seq <= row.from_seq) {
      // Nothing before it is whole; what vouches for the rest of it is `verify`'s to look at.
      checkHash(path, { meta, crypto, entry, prevHash: toHash(toPlainBytes(row.prev_hash)) })
      return
    }
    checkLink(path, { meta, crypto, entry, before: newestFirst[index + 1] })
  }
}

interface LinkCheck {
  readonly meta: LogMeta
  readonly crypto: Crypto
  readonly entry: LogEntry
  readonly before: LogEntry | undefined
}

function checkLink(path: string, { meta, crypto, entry, before }: LinkCheck): void {
  const { seq } = entry.meta
  if (seq !== (before?.meta.seq ?? 0) + 1) throw damaged(path, `witness ${seq - 1}`, 'it is missing')
  checkHash(path, { meta, crypto, entry, prevHash: before?.chainHash ?? ZERO_HASH })
}

function checkHash(
  path: string,
  { meta, crypto, entry, prevHash }: Omit<LinkCheck, 'before'> & { readonly prevHash: Hash },
): void {
  const { seq } = entry.meta
  if (!equalBytes(crypto.blake3(contentOf(meta.storeId, prevHash, entry)), entry.chainHash)) {
    throw damaged(path, `witness ${seq}`, 'the witness chain does not link')
  }
}

function damaged(path: string, record: string, problem: string): LogDamaged {
  return new LogDamaged(path, { record, problem })
}
