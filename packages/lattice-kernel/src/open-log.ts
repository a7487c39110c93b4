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
  MAX_RUN_LENGTH,
  type Signer,
  type StoreId,
  type StoreType,
  verifyTagged,
  ZERO_HASH,
} from '@lattice/model'
import { type Database, LogDamaged, openDatabase, type StorageHooks } from '@lattice/storage'
import { contentOf, type LogEntry } from './log-entry.ts'
import { assertOwner, type LogMeta, readMeta, writeMeta } from './log-meta.ts'
import { createLogReader, type LogReader } from './log-reader.ts'
import { LOG_APPLICATION_ID, LOG_FILE, LOG_MIGRATIONS } from './log-schema.ts'

export interface OpenLogOptions {
  readonly directory: string
  readonly storeId: StoreId
  readonly crypto: Crypto
  readonly signer: Signer
  readonly hooks?: StorageHooks
}

export interface OpenedLog {
  readonly database: Database
  readonly meta: LogMeta
}

/** Opens or creates the log. Throws `LogDamaged`, `SchemaTooNew`, `DiskFull` or `StorageFailed`. */
export function openLog({ directory, storeId, crypto, signer, hooks }: OpenLogOptions): OpenedLog {
  const database = openLogFile(directory, { readonly: false, ...(hooks && { hooks }) })
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
      settledSeq: 0,
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
  /** From the genesis; undefined until it is there. */
  readonly storeType: StoreType | undefined
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
    const { storeId, storeType, headSeq } = found
    const head = database.prepare<{ readonly seq: number | null }>('SELECT max(seq) AS seq FROM intentions').get()
    return { storeId, storeType, schemaVersion: LOG_MIGRATIONS.length, witnessCount: head?.seq ?? headSeq }
  } finally {
    database.close()
  }
}

/** Opens the file alone, unchecked. Throws as {@link openLog}. */
export function openLogFile(
  directory: string,
  options: { readonly readonly: boolean; readonly hooks?: StorageHooks },
): Database {
  return openDatabase({
    path: join(directory, LOG_FILE),
    contents: 'log',
    durability: 'full',
    applicationId: LOG_APPLICATION_ID,
    migrations: LOG_MIGRATIONS,
    ...options,
  })
}

/**
 * Checks that the records reach the last checkpoint, and the last commit group: its intentions, its chain and its
 * signature. What lies between is checked as it is replayed.
 */
function checkEnd(database: Database, meta: LogMeta, crypto: Crypto): void {
  const { path } = database
  const reader = createLogReader(database, crypto)
  const [last] = reader.before(Number.MAX_SAFE_INTEGER, 1)
  const lastSeq = last?.meta.seq ?? 0
  if (lastSeq < meta.headSeq) {
    throw damaged(path, 'log_meta', `it reached ${meta.headSeq} once, the records end at ${lastSeq}`)
  }
  if (last === undefined) return
  const known = meta.headSeq === 0 ? ZERO_HASH : reader.at(meta.headSeq)?.chainHash
  if (known === undefined) throw damaged(path, `witness ${meta.headSeq}`, 'it is missing')
  if (!equalBytes(known, meta.headHash)) {
    throw damaged(path, `witness ${meta.headSeq}`, 'log_meta has another hash for it')
  }
  const record = `witness ${lastSeq}`
  const signature = last.witnessSignature
  if (!verifyTagged(crypto, meta.witnessKey, { tag: 'lattice/witness/v1', hash: last.chainHash, signature })) {
    throw damaged(path, record, 'its witness signature fails')
  }
  for (const entry of lastGroup(reader, last))
    checkEntry(path, { meta, crypto, entry, prevHash: prevHashOf(reader, entry) })
}

/** The records of the last group, newest first. */
function* lastGroup(reader: LogReader, last: LogEntry): IterableIterator<LogEntry> {
  yield last
  for (const entry of reader.before(last.meta.seq, MAX_RUN_LENGTH - 1)) {
    if (entry.witnessSignature.length > 0) return
    yield entry
  }
}

function prevHashOf(reader: LogReader, entry: LogEntry): Hash | undefined {
  return entry.meta.seq === 1 ? ZERO_HASH : reader.at(entry.meta.seq - 1)?.chainHash
}

interface EntryCheck {
  readonly meta: LogMeta
  readonly crypto: Crypto
  readonly entry: LogEntry
  readonly prevHash: Hash | undefined
}

function checkEntry(path: string, { meta, crypto, entry, prevHash }: EntryCheck): void {
  if (prevHash === undefined) throw damaged(path, `witness ${entry.meta.seq - 1}`, 'it is missing')
  if (!equalBytes(crypto.blake3(contentOf(meta.storeId, prevHash, entry)), entry.chainHash)) {
    throw damaged(path, `witness ${entry.meta.seq}`, 'the witness chain does not link')
  }
}

function damaged(path: string, record: string, problem: string): LogDamaged {
  return new LogDamaged(path, { record, problem })
}
