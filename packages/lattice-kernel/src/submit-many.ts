/**
 * Feeds a bulk write to the writer part by part: the next part is asked for when the one before is durable, so a source
 * goes no faster than the disk.
 *
 * @module
 */
import type { BulkJob, BulkQueue } from './bulk-queue.ts'
import { SubmitStopped } from './errors.ts'
import type { BulkWrite, BulkWrites, Kernel } from './kernel-types.ts'

/** `write` hands one part to the writer. */
export function createSubmitMany(write: BulkQueue['write']): Kernel['submitMany'] {
  return async (writes, options = {}) => {
    const job: BulkJob = { ...options, taken: 0, written: 0, lastId: undefined }
    job.signal?.throwIfAborted()
    const writePart = async (part: Iterable<BulkWrite>): Promise<void> => {
      const source = part[Symbol.iterator]()
      try {
        await write(job, source)
      } catch (error) {
        source.return?.()
        if (error instanceof SubmitStopped || job.signal?.aborted === true) throw error
        throw new SubmitStopped(job.taken, job.written, error)
      }
    }
    if (Symbol.iterator in writes) await writePart(writes)
    else await writeParts(writes, { job, writePart })
    return { written: job.written, lastId: job.lastId }
  }
}

async function writeParts(
  parts: Exclude<BulkWrites, Iterable<BulkWrite>>,
  { job, writePart }: { readonly job: BulkJob; readonly writePart: (part: Iterable<BulkWrite>) => Promise<void> },
): Promise<void> {
  const source = parts[Symbol.asyncIterator]()
  let isOpen = true
  try {
    for (;;) {
      const next = await source.next().catch((error: unknown) => {
        isOpen = false
        throw new SubmitStopped(job.taken, job.written, error)
      })
      job.signal?.throwIfAborted()
      if (next.done === true) {
        isOpen = false
        return
      }
      await writePart(next.value)
    }
  } finally {
    if (isOpen) await source.return?.()
  }
}
