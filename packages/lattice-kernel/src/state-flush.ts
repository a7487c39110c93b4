/**
 * Brings published state to disk, behind everybody's back.
 *
 * What is published is frozen, written in slices of a few milliseconds inside one transaction, and committed with the
 * cursor; new operations go on top meanwhile. Then the write-ahead log is folded into the file: the waits for the disk
 * that this takes are a thread's, and what is left to the event loop is bounded by the pages of one flush, to which the
 * size of flushes adapts. A write that fails leaves everything in memory, to be tried again; only when memory is at its
 * bound does anybody notice. Where rows are gone, and a good part of the file is free, it goes back to the disk.
 *
 * After a crash at any point the disk holds the state of one cursor, and the log is applied again from there: at most
 * `RECORDS_MAX` records and `LOG_BYTES_MAX` bytes of it.
 *
 * @module
 */
import type { Clock, Logger } from '@lattice/model'
import type { OverlayTable, StateChange, StateCursor, StateDatabase, StateWrite } from '@lattice/storage'
import { giveBack, isRoomy } from './give-back.ts'
import type { PendingRejections } from './pending-rejections.ts'

/** What is in memory alone at most: applying so many records again takes about a second. */
export const RECORDS_MAX = 32_768
/** The same in bytes of the log, where records are large. */
export const LOG_BYTES_MAX: number = 32 * 1024 * 1024
/** And in bytes of changed rows, where records change many. */
const ROW_BYTES_MAX: number = 32 * 1024 * 1024
/** The part of each that starts a flush: the rest is room for what comes while it is written. */
const FLUSH_PART = 0.5
/** Rows that start a flush: more of them share pages, fewer of them hold the loop shorter where they do not. */
const ROWS_PER_FLUSH = 16_384
const ROWS_PER_FLUSH_LEAST = 2048
/** Pages that a flush aims at: committing them, and copying them to the file, take about 5 ms each. */
const PAGES_PER_FLUSH = 1024
/** Rows after which the write-ahead log is folded into the file. */
const ROWS_PER_CHECKPOINT = 1024
/** How long rows are written before the rest waits for another turn, and how often the time is looked at where it stands. */
const SLICE_MS = 3
const LOOKS_PER_SLICE = 16
const COST_PER_SLICE = 3000

export interface StateFlush {
  /** Does a slice of what is due; answers its cost in about microseconds, or `undefined` when nothing is, for now. */
  readonly step: () => number | undefined
  /** Everything that is published now is due, also where it failed before. */
  readonly request: () => void
  /** True while published state is not on disk. */
  readonly isBehind: () => boolean
  /** Nothing more is to be applied until `step` has made room. */
  readonly isFull: () => boolean
  /** Why the last attempt failed; undefined once one did not. */
  readonly failure: () => { readonly error: unknown } | undefined
  /** Resolves when the disk has done what `step` waits for; undefined while it waits for nothing. Never rejects. */
  readonly waiting: () => Promise<void> | undefined
  /** From here on the write-ahead log is left to whoever closes the database. */
  readonly leaveLog: () => void
  /** Takes back what is under way, before the database is closed. Nothing more is written. */
  readonly stop: () => void
}

export interface StateFlushDeps {
  readonly state: StateDatabase
  readonly system: OverlayTable
  readonly app: OverlayTable
  readonly rejections: PendingRejections
  readonly published: () => StateCursor
  /** A cursor as it goes to disk. */
  readonly marked: (cursor: StateCursor) => StateCursor
  /** Bytes of all records published so far. */
  readonly publishedBytes: () => number
  readonly clock: Clock
  readonly logger: Logger
}

export function createStateFlush(deps: StateFlushDeps): StateFlush {
  const { state, system, app, published, publishedBytes, clock, logger } = deps
  let frozen: Frozen | undefined
  let write: StateWrite | undefined
  let writtenLogBytes = publishedBytes()
  let requestedSeq = 0
  let failure: { readonly error: unknown } | undefined
  let isStopped = false
  const checkpoint = createCheckpoint(deps)

  const isBehind = (): boolean => published().seq > state.cursor().seq

  /** Whether as much as `part` of a bound is in memory. */
  const holds = (part: number): boolean =>
    reaches(part, {
      records: published().seq - state.cursor().seq,
      logBytes: publishedBytes() - writtenLogBytes,
      rowBytes: system.bytes() + app.bytes() + (frozen ? frozen.system.bytes() + frozen.app.bytes() : 0),
    })

  function isDue(): boolean {
    if (!isBehind()) return false
    const rows = system.size() + app.size()
    return requestedSeq > state.cursor().seq || rows >= checkpoint.rowsPerFlush() || holds(FLUSH_PART)
  }

  function begin(): boolean {
    if (checkpoint.failure() !== undefined || failure !== undefined) return false
    if (frozen === undefined && !isDue()) return false
    frozen ??= freeze(deps)
    write = state.write(frozen)
    return true
  }

  function slice(): void {
    try {
      if (write?.step(createSliceTime(clock)) !== true) return
    } catch (error) {
      failure = { error }
      write = undefined
      logger.warn('state could not be written: it is kept in memory and tried again', { error })
      return
    }
    if (frozen !== undefined) writtenLogBytes = thaw(deps, frozen)
    ;[frozen, write, failure] = [undefined, undefined, undefined]
    checkpoint.consider()
  }

  return {
    step: () => {
      if (isStopped || checkpoint.waiting() !== undefined) return undefined
      if (write === undefined && checkpoint.step()) return COST_PER_SLICE
      if (write === undefined && !begin()) return undefined
      slice()
      return COST_PER_SLICE
    },
    request: () => {
      requestedSeq = published().seq
      failure = undefined
    },
    isBehind,
    isFull: () => holds(1),
    failure: () => checkpoint.failure() ?? failure,
    waiting: checkpoint.waiting,
    leaveLog: checkpoint.leave,
    stop: () => {
      isStopped = true
      write?.abandon()
      write = undefined
    },
  }
}

/** What was taken from the overlays and is not on disk. */
interface Frozen extends StateChange {
  /** Bytes of the log up to its cursor. */
  readonly logBytes: number
}

function freeze({ published, marked, publishedBytes, system, app, rejections }: StateFlushDeps): Frozen {
  return {
    cursor: marked(published()),
    system: system.freeze(),
    app: app.freeze(),
    rejections: rejections.waiting(),
    logBytes: publishedBytes(),
  }
}

/** What was frozen is on disk; answers up to which byte of the log that is. */
function thaw({ system, app, rejections }: StateFlushDeps, frozen: Frozen): number {
  system.thaw()
  app.thaw()
  rejections.written(frozen.rejections)
  return frozen.logBytes
}

function reaches(
  part: number,
  { records, logBytes, rowBytes }: { readonly records: number; readonly logBytes: number; readonly rowBytes: number },
): boolean {
  return records >= RECORDS_MAX * part || logBytes >= LOG_BYTES_MAX * part || rowBytes >= ROW_BYTES_MAX * part
}

function createSliceTime(clock: Clock): () => boolean {
  const untilMs = clock.monotonicMs() + SLICE_MS
  let looks = 0
  return () => {
    looks += 1
    return looks < LOOKS_PER_SLICE && clock.monotonicMs() <= untilMs
  }
}

interface Checkpoint {
  /** Starts one when enough was written since the last. */
  readonly consider: () => void
  /** Does what the disk was waited for; answers true when there was something. */
  readonly step: () => boolean
  readonly waiting: () => Promise<void> | undefined
  /** Why nothing can be written any more. */
  readonly failure: () => { readonly error: unknown } | undefined
  readonly leave: () => void
  /** How many rows make about as many pages as are copied at once. */
  readonly rowsPerFlush: () => number
}

/**
 * The log is made durable before its pages overwrite the file's, and the file before anything is written to the log
 * again: the order that SQLite keeps by waiting, kept by a thread that waits.
 */
function createCheckpoint({ state, logger }: StateFlushDeps): Checkpoint {
  let rowsPerFlush = ROWS_PER_FLUSH
  let stage: 'idle' | 'log' | 'copy' | 'file' | 'look' | 'shrink' | 'failed' = 'idle'
  let waiting: Promise<void> | undefined
  let failure: { readonly error: unknown } | undefined
  let isLeft = false

  function wait(sync: Promise<void>, next: 'copy' | 'look'): void {
    waiting = sync
      .then(
        () => void (stage = next),
        (error: unknown) => {
          // Nothing is copied from a log that may not be durable, and nothing written over one whose copy may not be.
          stage = next === 'copy' ? 'idle' : 'failed'
          if (stage === 'failed') failure = { error }
          logger.error('state could not be made durable', { error })
        },
      )
      .finally(() => void (waiting = undefined))
  }

  function copy(): void {
    const rows = state.rowsSinceCheckpoint()
    stage = 'idle'
    let pages: number
    try {
      pages = state.checkpoint(true)
    } catch (error) {
      // The log still has it all.
      logger.warn('state could not be copied to its file: tried again later', { error })
      return
    }
    const fitting = Math.floor((rows * PAGES_PER_FLUSH) / Math.max(1, pages))
    // What only gave room back says nothing of rows.
    if (rows > 0) rowsPerFlush = Math.max(ROWS_PER_FLUSH_LEAST, Math.min(fitting, ROWS_PER_FLUSH))
    stage = 'file'
    wait(state.sync.file(), 'look')
  }

  function fold(): void {
    stage = 'log'
    wait(state.sync.log(), 'copy')
  }

  /** What rows took that are gone goes back to the disk: the pages at the end of the file move, then it is cut off. */
  function shrink(): void {
    try {
      if (!giveBack(state)) fold()
    } catch (error) {
      stage = 'idle'
      logger.warn('room in the file of state could not be given back: tried again later', { error })
    }
  }

  return {
    consider: () => {
      if (isLeft || stage !== 'idle' || state.rowsSinceCheckpoint() < ROWS_PER_CHECKPOINT) return
      fold()
    },
    step: () => {
      if (stage !== 'copy' && stage !== 'look' && stage !== 'shrink') return false
      if (stage === 'look') stage = isRoomy(state) ? 'shrink' : 'idle'
      if (isLeft) stage = 'idle'
      if (stage === 'idle') return false
      if (stage === 'copy') copy()
      else shrink()
      return true
    },
    waiting: () => waiting,
    failure: () => failure,
    leave: () => void (isLeft = true),
    rowsPerFlush: () => rowsPerFlush,
  }
}
