/**
 * The log of one store: appends in memory, commits in one durable transaction.
 *
 * Appending and committing happen within one turn of the event loop, so nobody reads what is not durable. The disk is the
 * truth: when a commit fails, everything in memory is read from it again, whatever it kept. So a group is there as a
 * whole or not at all, and the own chain goes on from what is really there.
 *
 * @module
 */
import { assert, type Crypto, type IntentionId, type ParsedIntention, type Signer } from '@lattice/model'
import type { Database } from '@lattice/storage'
import type { MembershipPolicy } from '@lattice/store-base'
import type { PersistentRangeIndex } from '@lattice/sync'
import { type CountedLanes, createCountedLanes } from './counted-lanes.ts'
import { createExcludedSet, type ExcludedSet } from './excluded-set.ts'
import { createEpochBook, type EpochBook } from './epoch-book.ts'
import { createFrontier, type Frontier } from './frontier.ts'
import { createIdIndex, type IdIndex } from './id-index.ts'
import { createLaneBook, type LaneBook } from './lane-book.ts'
import { type CommitOptions, createLogDisk, type LogCommit, type LogDisk } from './log-disk.ts'
import { createPrunedBase, type PrunedBase } from './log-base.ts'
import type { IntentionMeta, LogEntry, LogTip } from './log-entry.ts'
import type { LogIndex } from './log-index.ts'
import type { LogMeta } from './log-meta.ts'
import { type Limits, limitsOf } from './limits.ts'
import { createLogReader, type LogReader } from './log-reader.ts'
import { createLogTail, type LogTail } from './log-tail.ts'
import { limitsWith, NOTHING_SHOWN, type Removals } from './removal-limits.ts'
import { createQuietSpans, type QuietSpans } from './quiet-spans.ts'
import { rangeTableOf } from './prune-schema.ts'
import { createRangeNodes } from './range-nodes.ts'
import { createLogReach, type LogReach } from './reach-log.ts'

export interface LogStore {
  readonly path: string
  /** For those who read it row by row. */
  readonly database: Database
  readonly reader: LogReader
  readonly ids: IdIndex
  readonly authors: LaneBook
  readonly frontier: Frontier
  readonly quiet: QuietSpans
  /** Who is in whose past. */
  readonly reach: LogReach
  /** What decides about membership. */
  readonly book: EpochBook
  /** Who may no longer write. */
  readonly limits: Limits
  /** What is shown beside the log: that this node may not. */
  readonly removals: Removals
  /** What is beyond a cutoff and no link. */
  readonly excluded: ExcludedSet
  /** The lanes without what is excluded. */
  readonly counted: CountedLanes
  /** What is witnessed and not excluded, appended records included. */
  readonly range: PersistentRangeIndex
  readonly meta: () => LogMeta
  readonly find: (id: IntentionId) => IntentionMeta | undefined
  /** Where a pruned log begins. */
  readonly base: PrunedBase
  /** The record at a seq, also one that is appended and not committed. Throws `HistoryPruned`. */
  readonly entryAt: (seq: number) => LogEntry
  /** What is at a seq where a lane ends, also below the base. */
  readonly tipAt: (seq: number) => LogTip
  /** The record that would witness this intention next; all its causes are here. Changes nothing. */
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
  /** Brings what is derived to disk where it is due; true when it did something. Nothing may be appended. */
  readonly checkpointIfDue: LogDisk['checkpointIfDue']
  /** See {@link LogDisk.prune}. */
  readonly prune: LogDisk['prune']
  /** Takes memory back to what is on disk. */
  readonly revert: () => void
  readonly close: () => void
}

interface LogStoreDeps {
  readonly database: Database
  readonly crypto: Crypto
  readonly signer: Signer
  readonly opened: LogMeta
  /** Absent: no epoch counts. */
  readonly membership?: MembershipPolicy
  /** What is kept beside the log, by its book. */
  readonly removalsOf?: (book: EpochBook) => Removals
}

/** The log in `database`, whose meta row exists. */
export function createLogStore({ database, crypto, signer, opened, ...options }: LogStoreDeps): LogStore {
  const { membership, removalsOf = () => NOTHING_SHOWN } = options
  const base = createPrunedBase(database)
  const reader = createLogReader(database, crypto, base.isGone)
  const ids = createIdIndex(database, { path: database.path, crypto })
  const { find, findAt, entryAt, tipAt } = createLogPlaces({ base, reader, ids, tail: () => tail })
  const authors = createLaneBook(database, find)
  const frontier = createFrontier(database)
  const quiet = createQuietSpans(database)
  const range = createRangeNodes(database, () => rangeTableOf(base.number()))
  const reach = createLogReach(database, find, base)
  const book = createEpochBook({ database, reader, find, reach, base, policy: membership })
  const removals = removalsOf(book)
  const limits = limitsWith(limitsOf(book), removals)
  const headSeq = (): number => tail.meta().headSeq
  const derived = { authors, reach, frontier, range: range.index, find }
  const excluded = createExcludedSet({ ...derived, database, base, limits, entryAt, tipAt, headSeq })
  const counted = createCountedLanes({ authors, excluded, reach, tipAt, headSeq })
  // Each asks those before it where things stand.
  const indexes: readonly LogIndex[] = [baseIndexOf(base), authors, frontier, quiet, ids, range, reach, book, excluded]
  const tail: LogTail = createLogTail({
    path: database.path,
    opened,
    find,
    tipAt,
    entryAt: findAt,
    authors,
    seqAt: reach.seqAt,
    indexes,
    crypto,
    signer,
  })
  const disk = createLogDisk({ database, crypto, reader, indexes, tail, excluded })

  removals.load()
  disk.load()
  removals.tidy()
  return {
    path: database.path,
    database,
    reader,
    ids,
    authors,
    frontier,
    quiet,
    reach,
    book,
    limits,
    removals,
    excluded,
    counted,
    range: range.index,
    base,
    meta: tail.meta,
    find,
    entryAt,
    tipAt,
    prepare: tail.prepare,
    append: tail.append,
    retract: tail.retract,
    closeRun: tail.closeRun,
    appended: () => tail.batch().length,
    commit: disk.commit,
    checkpointIfDue: disk.checkpointIfDue,
    prune: disk.prune,
    revert: disk.load,
    close: () => {
      removals.close()
      disk.close()
    },
  }
}

interface LogPlacesDeps extends Pick<LogStore, 'base' | 'reader' | 'ids'> {
  readonly tail: () => Pick<LogTail, 'batch' | 'meta'>
}

/** What stands where, whether it is committed, appended, or gone. */
function createLogPlaces({ base, reader, ids, tail }: LogPlacesDeps) {
  const findAt = (seq: number): LogEntry | undefined => {
    const batch = tail().batch()
    return batch[seq - (tail().meta().headSeq - batch.length + 1)] ?? reader.at(seq)
  }
  const entryAt = (seq: number): LogEntry => {
    const entry = findAt(seq)
    if (entry === undefined && seq < base.fromSeq()) throw base.gone()
    assert(entry !== undefined, 'every seq up to the head has a record')
    return entry
  }
  return {
    findAt,
    entryAt,
    find: (id: IntentionId): IntentionMeta | undefined => {
      const found = ids.find(id)
      return found === undefined || base.isGone(found) ? base.find(id)?.meta : found
    },
    tipAt: (seq: number): LogTip => {
      const anchor = seq < base.fromSeq() ? base.at(seq) : undefined
      return anchor === undefined ? entryAt(seq) : { parsed: { id: anchor.id }, meta: anchor.meta }
    },
  }
}

/** Read before everything that asks it. */
function baseIndexOf({ load }: PrunedBase): LogIndex {
  return { advance: () => {}, retreat: () => {}, checkpoint: () => {}, load }
}
