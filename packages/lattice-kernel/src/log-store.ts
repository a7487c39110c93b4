/**
 * The log of one store: appends in memory, commits in one durable transaction.
 *
 * Appending and committing happen within one turn of the event loop, so nobody reads what is not durable. The disk is the
 * truth: when a commit fails, everything in memory is read from it again, whatever it kept. So a group is there as a
 * whole or not at all, and the own chain goes on from what is really there.
 *
 * @module
 */
import { assert, type Crypto, type Hlc, type IntentionId, type ParsedIntention, type Signer } from '@lattice/model'
import type { Database } from '@lattice/storage'
import { type AuthorBook, createAuthorBook } from './author-book.ts'
import { createFrontier, type Frontier } from './frontier.ts'
import { createIdIndex, type IdIndex } from './id-index.ts'
import type { IntentionMeta, LogEntry } from './log-entry.ts'
import { type LogMeta, readMeta, writeMeta } from './log-meta.ts'
import { createLogReader, type LogReader } from './log-reader.ts'
import { createLogTail, type Fork } from './log-tail.ts'

export interface LogCommit {
  readonly entries: readonly LogEntry[]
  readonly forks: readonly Fork[]
}

export interface CommitOptions {
  readonly hlc: Hlc
  /** Writes of others that belong to the same commit. */
  readonly also?: () => void
}

export interface LogStore {
  readonly path: string
  readonly reader: LogReader
  readonly ids: IdIndex
  readonly authors: AuthorBook
  readonly frontier: Frontier
  readonly meta: () => LogMeta
  readonly find: (id: IntentionId) => IntentionMeta | undefined
  /** The record at a seq, also one that is appended and not committed. */
  readonly entryAt: (seq: number) => LogEntry
  /** The record that would witness this intention next; all its causes are here. Changes nothing but the author book. */
  readonly prepare: (parsed: ParsedIntention, witnessedMs: number) => LogEntry
  /** Appends what was prepared last. */
  readonly append: (entry: LogEntry) => void
  /** Takes back the record appended last, which is an own one. */
  readonly retract: () => void
  /** Gives the last appended record the signature that closes its run. */
  readonly closeRun: () => void
  /** How many records are appended and not committed. */
  readonly appended: () => number
  /** Makes what was appended durable. When it throws, memory is as the disk is. */
  readonly commit: (options: CommitOptions) => LogCommit
  /** Takes memory back to what is on disk. */
  readonly revert: () => void
  readonly close: () => void
}

interface LogStoreDeps {
  readonly database: Database
  readonly crypto: Crypto
  readonly signer: Signer
  readonly opened: LogMeta
}

/** The log in `database`, whose meta row exists. */
export function createLogStore({ database, crypto, signer, opened }: LogStoreDeps): LogStore {
  const reader = createLogReader(database)
  const ids = createIdIndex(database)
  const authors = createAuthorBook(database)
  const frontier = createFrontier(database)
  const tail = createLogTail({ opened, reader, ids, authors, frontier, crypto, signer })

  function load(): void {
    const onDisk = readMeta(database)
    assert(onDisk !== undefined, 'an open log has its meta row')
    tail.clear()
    tail.setMeta(onDisk.meta)
    authors.load()
    frontier.load()
    ids.load(onDisk.indexedSeq)
  }

  function entryAt(seq: number): LogEntry {
    const batch = tail.batch()
    const entry = batch[seq - (tail.meta().headSeq - batch.length + 1)] ?? reader.at(seq)
    assert(entry !== undefined, 'every seq up to the head has a record')
    return entry
  }

  function commit({ hlc, also }: CommitOptions): LogCommit {
    tail.closeGroup()
    const committed: LogCommit = { entries: tail.batch(), forks: tail.forks() }
    try {
      tail.setMeta({ ...tail.meta(), hlc })
      database.transaction(() => {
        insertEntries(database, committed.entries)
        authors.flush()
        frontier.flush()
        insertForks(database, committed.forks)
        also?.()
        writeMeta(database, tail.meta(), ids.flush())
      })
    } catch (error) {
      load()
      throw error
    }
    tail.clear()
    return committed
  }

  load()
  return {
    path: database.path,
    reader,
    ids,
    authors,
    frontier,
    meta: tail.meta,
    find: ids.find,
    entryAt,
    prepare: tail.prepare,
    append: tail.append,
    retract: tail.retract,
    closeRun: tail.closeRun,
    appended: () => tail.batch().length,
    commit,
    revert: load,
    close: () => database.close(),
  }
}

function insertForks(database: Database, forks: readonly Fork[]): void {
  if (forks.length === 0) return
  const insert = database.prepare('INSERT INTO forks VALUES (?, ?, ?)')
  for (const { author, first, second } of forks) insert.run(author.number, first.meta.seq, second.meta.seq)
}

function insertEntries(database: Database, entries: readonly LogEntry[]): void {
  const insert = database.prepare('INSERT INTO intentions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
  for (const { parsed, meta, witnessedMs, chainHash, witnessSignature } of entries) {
    insert.run(
      meta.seq,
      parsed.id,
      parsed.bytes,
      parsed.signature.length > 0 ? parsed.signature : null,
      meta.author,
      meta.position,
      meta.generation,
      meta.timestamp.wall,
      meta.timestamp.counter,
      witnessedMs,
      chainHash,
      witnessSignature.length > 0 ? witnessSignature : null,
    )
  }
}
