/**
 * The log's way to the disk and back: commits, checkpoints, and reading the tail again.
 *
 * A commit writes its records and nothing that is derived from them; every couple of thousand records the indexes follow
 * in a transaction of their own, in a turn of its own. So what is on disk is always a log with indexes that reach up to some record of it, and
 * replaying the records behind makes memory what it was.
 *
 * @module
 */
import { assert, type Crypto, equalBytes, type Hlc, isLatticeError } from '@lattice/model'
import { type Database, LogDamaged } from '@lattice/storage'
import { createByteArena } from './byte-arena.ts'
import type { ExcludedSet } from './excluded-set.ts'
import { chainHashOf, type LogEntry } from './log-entry.ts'
import { CHECKPOINT_RECORDS, type LogIndex } from './log-index.ts'
import { type LogMeta, readMeta, writeMeta } from './log-meta.ts'
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
  /** Brings the indexes to disk where enough, or so much, was committed since the last time; true when it did something. */
  readonly checkpointIfDue: (records?: number) => boolean
  /** Takes memory back to what is on disk. Throws `LogDamaged`. */
  readonly load: () => void
  /**
   * Changes what of the log is kept, in one transaction that `decide` writes; memory is read again, from what is on disk
   * then. Nothing may be appended.
   */
  readonly prune: (decide: (database: Database) => Pick<LogMeta, 'fingerprint'>) => void
  readonly close: () => void
}

export interface LogDiskDeps {
  readonly database: Database
  readonly crypto: Crypto
  readonly reader: LogReader
  readonly indexes: readonly LogIndex[]
  readonly tail: LogTail
  /** Brought up to what is appended for a whole group, and moved to its end for a checkpoint. */
  readonly excluded: Pick<ExcludedSet, 'settle' | 'isMoving' | 'move'>
}

/** Records read at once while the tail is replayed. */
const REPLAY_PAGE = 256
/** Records after which a commit takes the indexes along, where nobody did so between two. */
const RECORDS_BEHIND_MAX: number = 2 * CHECKPOINT_RECORDS

export function createLogDisk({ database, crypto, reader, indexes, tail, excluded }: LogDiskDeps): LogDisk {
  // The second: where the last one failed. The next is tried so many records later.
  let [checkpointSeq, failedSeq] = [0, 0]

  function load(): void {
    tail.clear()
    tail.setMeta(metaOf(database))
    checkpointSeq = tail.meta().headSeq
    for (const index of indexes) index.load()
    replayTail({ path: database.path, crypto, reader, tail })
    excluded.settle()
  }

  /** Inside a transaction. */
  function checkpoint(): void {
    excluded.move(Infinity)
    for (const index of indexes) index.checkpoint()
    writeMeta(database, tail.meta())
  }

  /** Inside a commit: answers up to which seq indexes are on disk then. */
  function checkpointIfOverdue(): number {
    const { headSeq } = tail.meta()
    // The genesis names the store's type, which is read without replaying anything.
    if (headSeq - checkpointSeq < RECORDS_BEHIND_MAX && (checkpointSeq > 0 || headSeq === 0)) return checkpointSeq
    checkpoint()
    return headSeq
  }

  function checkpointIfDue(records: number = CHECKPOINT_RECORDS): boolean {
    const { headSeq } = tail.meta()
    if (headSeq - Math.max(checkpointSeq, failedSeq) < records || excluded.isMoving()) return false
    assert(tail.batch().length === 0, 'indexes reach the disk between two commits')
    try {
      database.transaction(checkpoint)
      checkpointSeq = headSeq
    } catch (error) {
      // The records are on disk and make the indexes again. A commit that the disk refuses too says so.
      load()
      if (!isLatticeError(error)) throw error
      failedSeq = headSeq
    }
    return true
  }

  return {
    load,
    commit: ({ hlc, also }) => {
      tail.closeGroup()
      const committed: LogCommit = { entries: tail.batch(), forks: tail.forks() }
      try {
        excluded.settle()
        tail.setMeta({ ...tail.meta(), hlc })
        checkpointSeq = database.transaction(() => {
          insertEntries(database, committed.entries)
          insertForks(database, committed.forks)
          also?.()
          return checkpointIfOverdue()
        })
      } catch (error) {
        load()
        throw error
      }
      tail.clear()
      return committed
    },
    checkpointIfDue,
    prune: (decide) => pruneLog({ database, tail, checkpoint, load }, decide),
    close: () => {
      try {
        // The next opening has nothing to replay. Where the disk refuses, it replays.
        const isLater = tail.meta().headSeq > checkpointSeq || isAnyBehind(indexes)
        if (tail.batch().length === 0 && isLater && !excluded.isMoving()) database.transaction(checkpoint)
      } catch (error) {
        if (!isLatticeError(error)) throw error
      } finally {
        database.close()
      }
    },
  }
}

interface PruneParts extends Pick<LogDiskDeps, 'database' | 'tail'> {
  readonly checkpoint: () => void
  readonly load: () => void
}

function pruneLog({ database, tail, checkpoint, load }: PruneParts, decide: Parameters<LogDisk['prune']>[0]): void {
  assert(tail.batch().length === 0, 'a prune is decided between two commits')
  try {
    database.transaction(() => {
      checkpoint()
      writeMeta(database, { ...tail.meta(), ...decide(database) })
    })
  } finally {
    load()
  }
}

function metaOf(database: Database): LogMeta {
  const meta = readMeta(database)
  assert(meta !== undefined, 'an open log has its meta row')
  return meta
}

function isAnyBehind(indexes: readonly LogIndex[]): boolean {
  return indexes.some((index) => index.isBehind?.() === true)
}

/** Follows every record of the disk behind where memory stands, having seen that each goes on from the one before. */
function replayTail({
  path,
  crypto,
  reader,
  tail,
}: Pick<LogDiskDeps, 'crypto' | 'reader' | 'tail'> & { path: string }): void {
  for (let page = nextPage(reader, tail); page.length > 0; page = nextPage(reader, tail)) {
    for (const entry of page) {
      const { headSeq, headHash, storeId } = tail.meta()
      const record = `witness ${headSeq + 1}`
      if (entry.meta.seq !== headSeq + 1) throw new LogDamaged(path, { record, problem: 'it is missing' })
      if (!equalBytes(chainHashOf(crypto, { storeId, headHash }, entry), entry.chainHash)) {
        throw new LogDamaged(path, { record, problem: 'the witness chain does not link' })
      }
      tail.replay(entry)
    }
  }
}

function nextPage(reader: LogReader, tail: LogTail): readonly LogEntry[] {
  return reader.from(tail.meta().headSeq + 1, REPLAY_PAGE)
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
