/**
 * Many own writes handed over at once: runs of full length, several of them per commit, and nothing held per write.
 *
 * Writes are drawn from their source one by one, where they are signed, so memory holds one commit's worth whatever the
 * input has. What is written is always the first so many of the input: the write that is refused ends it, leaves no
 * trace, and those before it are committed. Writes submitted singly come in between two commits.
 *
 * @module
 */
import { assert, type IntentionId, isSigned, MAX_RUN_LENGTH } from '@lattice/model'
import type { Core } from './core.ts'
import { SubmitStopped, WriterBusy } from './errors.ts'
import type { BulkWrite, SubmitManyOptions } from './kernel-types.ts'
import { appendWrite } from './prepare-write.ts'
import { RUN_BYTES, whyNotReady } from './submit-queue.ts'
import type { Work } from './work-loop.ts'

export interface BulkQueue extends Work {
  /** Writes all that `writes` has left; resolves once it is durable and visible. */
  readonly write: (job: BulkJob, writes: Iterator<BulkWrite>) => Promise<void>
}

/** How far one `submitMany` has come. */
export interface BulkJob extends SubmitManyOptions {
  /** Drawn from the source: the index of the next. */
  taken: number
  /** Durable and visible. */
  written: number
  lastId: IntentionId | undefined
}

/** Of one store at once: each holds a commit's worth of writes. */
export const MAX_BULK_JOBS = 64
/** Writes per commit at most: four runs, which share one fsync. */
export const WRITES_PER_COMMIT: number = 4 * MAX_RUN_LENGTH
/** Bytes per commit, at most one write more: a commit of long writes is no longer than one of many. */
const BYTES_PER_COMMIT: number = 2 * 1024 * 1024
/** How long writes are appended before they are committed, by the clock: the loop belongs to others too. */
const APPENDING_MAX_MS = 6
/** Between two readings of the clock. */
const WRITES_PER_READING = 16
const COST_PER_COMMIT = 500
const COST_PER_WRITE = 15

interface Pending {
  readonly job: BulkJob
  readonly writes: Iterator<BulkWrite>
  /** Drawn, and not in the commit that it did not fit. */
  held: BulkWrite | undefined
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** What one commit's worth of appending came to. */
interface Appended {
  readonly count: number
  readonly lastId: IntentionId | undefined
  /** The source has no more. */
  readonly isDone: boolean
  /** What ended it: thrown by the source, or why the write was refused; and at which write. */
  readonly failure: { readonly error: unknown; readonly index: number } | undefined
}

/** `ending` is what ends the writer, once it takes no more: a bulk write does not hold it open. */
export function createBulkQueue(core: Core, ending: () => Error | undefined): BulkQueue {
  let queue: Pending[] = []

  function step(): number | undefined {
    const pending = queue[0]
    if (pending === undefined || core.isBehind()) return undefined
    const { job, resolve, reject } = pending
    queue = queue.slice(1)
    const before = job.written
    const end = ending()
    if (end !== undefined) reject(new SubmitStopped(job.taken, job.written, end))
    else if (job.signal?.aborted === true) reject(job.signal.reason)
    else {
      const outcome = commitNext(core, pending)
      if (outcome === 'more') queue = [...queue, pending]
      else if (outcome === 'done') resolve()
      else reject(outcome)
    }
    return COST_PER_COMMIT + COST_PER_WRITE * (job.written - before)
  }

  return {
    write: async (job, writes) => {
      if (queue.length >= MAX_BULK_JOBS) throw new WriterBusy('bulk writes', MAX_BULK_JOBS)
      return new Promise((resolve, reject) => {
        queue.push({ job, writes, held: undefined, resolve, reject })
      })
    },
    step,
    fail: (error) => {
      for (const { job, reject } of queue.splice(0)) reject(new SubmitStopped(job.taken, job.written, error))
    },
  }
}

/** Writes one commit's worth; an error says what ended all of it. */
function commitNext(core: Core, pending: Pending): 'more' | 'done' | SubmitStopped {
  const { job } = pending
  const { log, projection } = core
  const refusal = whyNotReady(core)
  if (refusal !== undefined) return new SubmitStopped(job.taken, job.written, refusal)
  assert(log.appended() === 0, 'a commit starts on a committed log')
  assert(projection().appliedSeq() === log.meta().headSeq, 'a write is resolved against all that is witnessed')
  const { count, lastId, isDone, failure } = appendNext(core, pending)
  const stopped = failure && new SubmitStopped(failure.index, job.written + count, failure.error)
  if (count === 0) {
    projection().discard()
    return stopped ?? (isDone ? 'done' : 'more')
  }
  log.closeRun()
  const commit = core.commitLog(undefined)
  // None of them is there, whichever of them it was about.
  if (!commit.ok) return new SubmitStopped(job.written, job.written, commit.error)
  core.publishProjection()
  job.written += count
  job.lastId = lastId
  try {
    job.onProgress?.({ written: job.written, lastId })
  } catch (error) {
    core.options.logger.error('listener to a bulk write failed', { error })
  }
  return stopped ?? (isDone ? 'done' : 'more')
}

/** Appends until the commit is full, the time is over, the source ends or a write is refused. */
function appendNext(core: Core, pending: Pending): Appended {
  const { log, options } = core
  const { job } = pending
  const untilMs = options.clock.monotonicMs() + APPENDING_MAX_MS
  let [count, bytes, run, runBytes] = [0, 0, 0, 0]
  let lastId: IntentionId | undefined
  let held = pending.held
  pending.held = undefined
  const ended = (isDone: boolean, failure?: Appended['failure']): Appended => {
    return { count, lastId, isDone, failure }
  }
  for (;;) {
    if (log.appended() >= WRITES_PER_COMMIT || bytes >= BYTES_PER_COMMIT) return ended(false)
    if (count % WRITES_PER_READING === WRITES_PER_READING - 1 && options.clock.monotonicMs() > untilMs) {
      pending.held = held
      return ended(false)
    }
    if (run >= MAX_RUN_LENGTH || runBytes >= RUN_BYTES) {
      log.closeRun()
      ;[run, runBytes] = [0, 0]
    }
    let write: BulkWrite
    try {
      if (held === undefined) {
        const next = pending.writes.next()
        if (next.done === true) return ended(true)
        held = next.value
        job.taken += 1
      }
      write = held
      const appended = appendWrite(core, { op: write.op, options: write }, MAX_RUN_LENGTH - run)
      if (appended === undefined) {
        // An ack and its write do not part: both go into the next run.
        run = MAX_RUN_LENGTH
        continue
      }
      held = undefined
      lastId = appended.id
      count += 1
      bytes += appended.bytes
      const closed = appended.entries.some(({ parsed }) => isSigned(parsed))
      run = closed ? 0 : run + appended.entries.length
      runBytes = closed ? 0 : runBytes + appended.bytes
    } catch (error) {
      return ended(false, { error, index: held === undefined ? job.taken : job.taken - 1 })
    }
  }
}
