/**
 * The one way in for intentions of others: checked, made to float, witnessed when they can be, committed and projected.
 *
 * A batch goes through in slices. While the signatures of some are verified beside this thread, the next are read and the
 * ones before are witnessed; they are admitted in the order in which they came, so outcomes are the same wherever and
 * however fast signatures are verified. A step does a little of one of these, so that neither the event loop nor this
 * node's own writes wait for a whole batch. The outcome of each is what became of it when the batch is through.
 *
 * @module
 */
import type { IngestOutcome, PublicKey, SignedIntention } from '@lattice/model'
import type { Core } from './core.ts'
import { WriterBusy } from './errors.ts'
import { admitSlices, outcomeOf, settleWitnessed, type Taken } from './ingest-admission.ts'
import { createIngestLane, type IngestLane } from './ingest-lane.ts'
import { witnessNext } from './witness-next.ts'
import type { Work } from './work-loop.ts'

export interface IngestQueue extends Work {
  readonly ingest: (
    batch: readonly SignedIntention[],
    source: PublicKey | undefined,
  ) => Promise<readonly IngestOutcome[]>
  /** True while a batch is not through: what becomes ready belongs to it. */
  readonly isBusy: () => boolean
}

/** Batches that wait at most, one or a few per peer. */
export const MAX_QUEUED_BATCHES = 256
/** What witnessing and projecting take, by intention, in microseconds. */
const COST_PER_RECORD = 40
const COST_OF_FINISHING = 40
/** Small things are done one after the other until they have cost this. */
const STEP_COST = 500

interface Batch {
  readonly items: readonly SignedIntention[]
  readonly source: PublicKey | undefined
  readonly taken: Taken[]
  /** Before this, `taken` says what became of each as far as it could be known. */
  settled: number
  readonly resolve: (outcomes: readonly IngestOutcome[]) => void
  readonly reject: (error: unknown) => void
}

/** `wake` has the work loop look again: signatures were verified. */
export function createIngestQueue(core: Core, wake: () => void): IngestQueue {
  let queue: Batch[] = []
  const lane: IngestLane<Batch> = createIngestLane(core, wake)

  function step(): number | undefined {
    let spent = 0
    while (spent < STEP_COST) {
      const cost = doNext()
      if (cost === undefined) break
      spent += cost
    }
    return spent === 0 ? undefined : spent
  }

  function doNext(): number | undefined {
    const batch = queue[0]
    if (batch === undefined) return undefined
    // Others verify while this thread does something else only what they have.
    if (lane.isHungry(queue)) return lane.read(queue)
    // What was committed is projected first, in turns of its own.
    const cost = core.isBehind() ? undefined : advance(batch)
    return cost ?? (lane.canRead(queue) ? lane.read(queue) : undefined)
  }

  /** Takes a batch a step further; `undefined` when that takes more of it to be read or verified. */
  function advance(batch: Batch): number | undefined {
    if (core.witnesser.hasReady() || batch.settled < batch.taken.length) return witness(batch)
    if (lane.isThrough(batch)) return finish(batch)
    const slices = lane.take(batch)
    if (slices.length === 0) return undefined
    return admitSlices(core, slices, { taken: batch.taken, verifyNow: lane.verifyNow })
  }

  /** Witnesses and commits some of what is ready. */
  function witness(batch: Batch): number {
    const committed = witnessNext(core, batch.source)
    if (!committed.ok) {
      core.pool.unstage()
      leave(batch).reject(committed.error)
      return COST_OF_FINISHING
    }
    const { more, records } = committed.value
    lane.witnessed(records)
    if (!more) {
      settleWitnessed(batch.taken, batch.settled)
      batch.settled = batch.taken.length
      if (!core.isBehind() && lane.isThrough(batch)) finish(batch)
    }
    return COST_OF_FINISHING + records * COST_PER_RECORD
  }

  function finish(batch: Batch): number {
    leave(batch).resolve(batch.taken.map((taken) => outcomeOf(core, taken)))
    return COST_OF_FINISHING
  }

  function leave(batch: Batch): Batch {
    queue = queue.slice(1)
    lane.drop(batch)
    return batch
  }

  return {
    ingest: async (items, source) => {
      if (queue.length >= MAX_QUEUED_BATCHES) throw new WriterBusy('batches', MAX_QUEUED_BATCHES)
      return new Promise((resolve, reject) => {
        queue.push({ items, source, taken: [], settled: 0, resolve, reject })
      })
    },
    isBusy: () => queue.length > 0,
    step,
    waiting: lane.pending,
    fail: (error) => {
      lane.clear()
      for (const { reject } of queue.splice(0)) reject(error)
    },
  }
}
