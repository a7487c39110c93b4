/**
 * One store's kernel: the surface everybody uses.
 *
 * @module
 */
import { LogDamaged, type StateDatabase } from '@lattice/storage'
import { RangeIndexDamaged } from '@lattice/sync'
import { createAcknowledger } from './acknowledger.ts'
import type { Core } from './core.ts'
import { guardDamage } from './damage-guard.ts'
import { KernelClosed } from './errors.ts'
import { finishState } from './finish-state.ts'
import type { Kernel } from './kernel-types.ts'
import type { Projection } from './projection.ts'
import { createReading } from './reading.ts'
import { createRebuild } from './rebuild.ts'
import { createReplication } from './replication.ts'
import { type Scrub, startScrub } from './scrub.ts'
import { verifyKernel } from './verify-kernel.ts'
import { createSubmitMany } from './submit-many.ts'
import { createWaiters } from './waiters.ts'
import { createRecheck, createRetry, createWriter } from './writer.ts'

export interface StartedKernel {
  readonly kernel: Kernel
  /** Resolves when state reflects the log as it was opened, or stands stalled. */
  readonly caughtUp: () => Promise<void>
  /** The kernel is in use from here on. */
  readonly opened: () => void
}

/** The range index is part of the log's file: what helps is what helps the log. */
function indexDamage(path: string, cause: RangeIndexDamaged): LogDamaged {
  const { node, problem } = cause.detail
  return new LogDamaged(path, { record: `range index node ${node}`, problem, cause })
}

/** Starts the writer over an assembled core and makes everything in its pool wait for the right thing. */
export function createKernel(core: Core, projectionOver: (state: StateDatabase) => Projection): StartedKernel {
  const { log, pool, witnesser } = core
  const { storeId } = core.options
  let closing: Promise<void> | undefined
  let scrub: Scrub | undefined
  let failed: Error | undefined
  const onFailed = (cause: Error): void => {
    const error = cause instanceof RangeIndexDamaged ? indexDamage(log.path, cause) : cause
    // Told once: whoever owns the store closes it.
    if (failed !== undefined || closing !== undefined) return
    failed = error
    scrub?.stop()
    core.options.logger.error('store is damaged or its writer failed', { error })
    core.events.notify({ kind: 'failed', error })
  }
  const writer = createWriter(core, onFailed)
  const { submits, bulks, ingests, jobs, accept } = writer
  const waiters = createWaiters()
  const acknowledger = createAcknowledger({
    core,
    submit: async (op, options) => accept(async () => submits.submit(op, options)),
  })

  async function shutDown(): Promise<void> {
    scrub?.stop()
    const acknowledged = acknowledger.close()
    await writer.close()
    await acknowledged
    waiters.rejectAll(new KernelClosed(storeId))
    const { flush, state } = core.projection()
    try {
      await finishState(flush, core.options.scheduler)
      state.close()
    } finally {
      log.close()
    }
  }

  async function close(): Promise<void> {
    closing ??= shutDown()
    return closing
  }

  core.witnessed.add(({ intentions }) => {
    for (const { id } of intentions) waiters.witnessed(id)
  })
  witnesser.restart(pool.load())

  const kernel: Kernel = {
    storeId,
    ...guardDamage(
      createReading(core, () => closing !== undefined),
      onFailed,
    ),
    ...guardDamage(createReplication(core), onFailed),
    verify: async (options = {}) =>
      verifyKernel({ core, createProjectionOver: projectionOver, isOpen: () => closing === undefined }, options),
    submit: async (op, options = {}) => accept(async () => submits.submit(op, options)),
    submitMany: createSubmitMany(async (job, writes) => accept(async () => bulks.write(job, writes))),
    ingest: async (batch, source) => accept(async () => ingests.ingest(batch, source)),
    emitAck: acknowledger.emit,
    recheckFloating: async () => accept(async () => jobs.run(createRecheck(core))),
    waitFor: async (id, signal) => {
      if (closing !== undefined) throw new KernelClosed(storeId)
      if (log.find(id) === undefined) await waiters.wait(id, signal)
    },
    rebuild: async (onProgress) => accept(async () => jobs.run(createRebuild(core, projectionOver, onProgress))),
    retry: async () => accept(async () => jobs.run(createRetry(core))),
    onWitnessed: core.witnessed.add,
    onProjected: core.projected.add,
    onEvent: core.events.add,
    close,
    [Symbol.asyncDispose]: close,
  }
  return {
    kernel,
    caughtUp: writer.idle,
    opened: () => {
      writer.wake()
      const { scrub: options } = core.options
      if (options !== undefined) scrub = startScrub(core, options, { isBusy: writer.isBusy, onDamage: onFailed })
      acknowledger.start()
    },
  }
}
