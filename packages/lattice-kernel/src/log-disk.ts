/**
 * The log's way to the disk and back: commits, checkpoints, and reading the tail again.
 *
 * A commit writes its records and nothing that is derived from them; every couple of thousandth record takes the indexes
 * along in the same transaction. So what is on disk is always a log with indexes that reach up to some record of it, and
 * replaying the records behind makes memory what it was.
 *
 * @module
 */
import { assert, type Crypto, equalBytes, type Hlc, isLatticeError } from '@lattice/model'
import { type Database, LogDamaged } from '@lattice/storage'
import { createByteArena } from './byte-arena.ts'
import { chainHashOf, type LogEntry } from './log-entry.ts'
import { CHECKPOINT_RECORDS, type LogIndex } from './log-index.ts'
import { readMeta, writeMeta } from './log-meta.ts'
import type { LogReader } from './log-reader.ts'
import { encodeRecord } from './log-record.ts'
import type { Fork, LogTail } from './log-tail.ts'

export interface LogCommit {
  readonly entries: readonly LogEntry[]
  readonly forks: readonly Fork[]
}

export interface CommitOptions {
  readonly hlc: Hlc
  /** Writes of others that belong to the same commit. */
  readonly also?: () => void
}

export interface LogDisk {
  /** Makes what was appended durable. When it throws, memory is as the disk is. */
  readonly commit: (options: CommitOptions) => LogCommit
  /** Takes memory back to what is on disk. Throws `LogDamaged`. */
  readonly load: () => void
  readonly close: () => void
}

export interface LogDiskDeps {
  readonly database: Database
  readonly crypto: Crypto
  readonly reader: LogReader
  readonly indexes: readonly LogIndex[]
  readonly tail: LogTail
}

/** Records read at once while the tail is replayed. */
const REPLAY_PAGE = 256

export function createLogDisk({ database, crypto, reader, indexes, tail }: LogDiskDeps): LogDisk {
  let checkpointSeq = 0

  function load(): void {
    const meta = readMeta(database)
    assert(meta !== undefined, 'an open log has its meta row')
    tail.clear()
    tail.setMeta(meta)
    checkpointSeq = meta.headSeq
    for (const index of indexes) index.load()
    for (let page = readPage(); page.length > 0; page = readPage()) {
      for (const entry of page) replay(entry)
    }
  }

  function readPage(): readonly LogEntry[] {
    return reader.from(tail.meta().headSeq + 1, REPLAY_PAGE)
  }

  /** Follows a record of the disk, having seen that it goes on from the one before. */
  function replay(entry: LogEntry): void {
    const { headSeq, headHash, storeId } = tail.meta()
    const record = `witness ${headSeq + 1}`
    if (entry.meta.seq !== headSeq + 1) throw new LogDamaged(database.path, { record, problem: 'it is missing' })
    if (!equalBytes(chainHashOf(crypto, { storeId, headHash }, entry), entry.chainHash)) {
      throw new LogDamaged(database.path, { record, problem: 'the witness chain does not link' })
    }
    tail.replay(entry)
  }

  /** Inside a transaction. */
  function checkpoint(): void {
    for (const index of indexes) index.checkpoint()
    writeMeta(database, tail.meta())
  }

  /** Inside a transaction: answers up to which seq indexes are on disk then. */
  function checkpointIfDue(): number {
    const { headSeq } = tail.meta()
    // The genesis names the store's type, which is read without replaying anything.
    const isDue = headSeq - checkpointSeq >= CHECKPOINT_RECORDS || (checkpointSeq === 0 && headSeq > 0)
    if (!isDue) return checkpointSeq
    checkpoint()
    return headSeq
  }

  return {
    load,
    commit: ({ hlc, also }) => {
      tail.closeGroup()
      const committed: LogCommit = { entries: tail.batch(), forks: tail.forks() }
      try {
        tail.setMeta({ ...tail.meta(), hlc })
        checkpointSeq = database.transaction(() => {
          insertEntries(database, committed.entries)
          insertForks(database, committed.forks)
          also?.()
          return checkpointIfDue()
        })
      } catch (error) {
        load()
        throw error
      }
      tail.clear()
      return committed
    },
    close: () => {
      try {
        // The next opening has nothing to replay. Where the disk refuses, it replays.
        if (tail.batch().length === 0 && tail.meta().headSeq > checkpointSeq) database.transaction(checkpoint)
      } catch (error) {
        if (!isLatticeError(error)) throw error
      } finally {
        database.close()
      }
    },
  }
}

function insertForks(database: Database, forks: readonly Fork[]): void {
  if (forks.length === 0) return
  const insert = database.prepare('INSERT INTO forks VALUES (?, ?, ?)')
  for (const { author, first, second } of forks) insert.run(author.number, first.meta.seq, second.meta.seq)
}

function insertEntries(database: Database, entries: readonly LogEntry[]): void {
  const insert = database.prepare('INSERT INTO intentions VALUES (?, ?)')
  const arena = createByteArena()
  for (const entry of entries) insert.run(entry.meta.seq, encodeRecord(entry, arena))
}
