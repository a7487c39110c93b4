/**
 * This node's own writes: those that wait together are signed, witnessed and committed as one group.
 *
 * Each is resolved against state that holds the ones before it, so a node's concurrent writes never conflict with each
 * other. One signature closes the group's run and one its witness records, and one fsync makes it durable. A write that
 * is refused leaves no trace; when the commit fails, none of the group is there.
 *
 * @module
 */
import { assert, type IntentionId, MAX_RUN_LENGTH } from '@lattice/model'
import type { EpochWish } from '@lattice/store-base'
import { appendEpoch } from './append-epoch.ts'
import type { Core } from './core.ts'
import { ProjectionStalled, WriteRefused, WriterBusy } from './errors.ts'
import type { SubmitOp, SubmitOptions } from './kernel-types.ts'
import { appendWrite, type PreparedWrite } from './prepare-write.ts'
import type { Work } from './work-loop.ts'

export interface SubmitQueue extends Work {
  readonly submit: (op: SubmitOp, options: SubmitOptions) => Promise<IntentionId>
  readonly submitEpoch: (wish: EpochWish) => Promise<IntentionId>
}

/** Writes that wait at most: 64 groups, so that a writer that never awaits is told, not buffered without end. */
export const MAX_QUEUED_SUBMITS: number = 64 * MAX_RUN_LENGTH
/** Bytes after which a run is closed: the whole of it travels together, in about a frame. */
export const RUN_BYTES: number = 512 * 1024
const COST_PER_GROUP = 300
const COST_PER_WRITE = 40

interface QueuedSubmit {
  /** Appends it; `undefined` when it takes more than so many records. Throws why it is refused. */
  readonly append: (maxRecords: number) => PreparedWrite | undefined
  readonly resolve: (id: IntentionId) => void
  readonly reject: (error: unknown) => void
}

export function createSubmitQueue(core: Core): SubmitQueue {
  let queue: QueuedSubmit[] = []

  function step(): number | undefined {
    if (queue.length === 0 || core.isBehind()) return undefined
    const group = queue.slice(0, MAX_RUN_LENGTH)
    queue = queue.slice(group.length)
    const refusal = whyNotReady(core)
    // What did not fit goes first next time.
    if (refusal === undefined) queue = [...commitGroup(core, group), ...queue]
    else for (const { reject } of group) reject(refusal)
    return COST_PER_GROUP + COST_PER_WRITE * group.length
  }

  async function enqueue(append: QueuedSubmit['append']): Promise<IntentionId> {
    if (queue.length >= MAX_QUEUED_SUBMITS) throw new WriterBusy('writes', MAX_QUEUED_SUBMITS)
    return new Promise((resolve, reject) => {
      queue.push({ append, resolve, reject })
    })
  }

  return {
    submit: async (op, options) => enqueue((maxRecords) => appendWrite(core, { op, options }, maxRecords)),
    submitEpoch: async (wish) => enqueue((maxRecords) => appendEpoch(core, wish, maxRecords)),
    step,
    fail: (error) => {
      for (const { reject } of queue.splice(0)) reject(error)
    },
  }
}

/** Why nothing can be written just now. */
export function whyNotReady({ log, projection }: Core): Error | undefined {
  if (log.meta().headSeq === 0) {
    return new WriteRefused('STORE_NOT_READY', 'the store has no genesis yet: wait until it is received')
  }
  const stalled = projection().stalled()
  return stalled && new ProjectionStalled(stalled.seq, stalled.id, stalled.error)
}

/** Commits as many as fit one run; answers those that did not. */
function commitGroup(core: Core, group: readonly QueuedSubmit[]): readonly QueuedSubmit[] {
  const { log, projection } = core
  assert(log.appended() === 0, 'a group starts on a committed log')
  assert(projection().appliedSeq() === log.meta().headSeq, 'a write is resolved against all that is witnessed')
  const written: { readonly item: QueuedSubmit; readonly id: IntentionId }[] = []
  let [taken, bytes] = [0, 0]
  for (const item of group) {
    if (bytes >= RUN_BYTES || log.appended() >= MAX_RUN_LENGTH) break
    try {
      const write = item.append(MAX_RUN_LENGTH - log.appended())
      if (write === undefined) break
      bytes += write.bytes
      written.push({ item, id: write.id })
    } catch (error) {
      item.reject(error)
    }
    taken += 1
  }
  // A refused epoch may have left acks, which stand for themselves.
  if (log.appended() === 0) {
    // Whoever was refused may have been asked about against an overlay that is empty again.
    projection().discard()
    return group.slice(taken)
  }
  log.closeRun()
  const commit = core.commitLog(undefined)
  if (!commit.ok) {
    for (const { item } of written) item.reject(commit.error)
    return group.slice(taken)
  }
  core.publishProjection()
  for (const { item, id } of written) item.resolve(id)
  return group.slice(taken)
}
