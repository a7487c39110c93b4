/**
 * What ends a store's use: damage that somebody ran into, or a bug in its writer; and who looks for damage.
 *
 * @module
 */
import { LogDamaged } from '@lattice/storage'
import { RangeIndexDamaged } from '@lattice/sync'
import type { Core } from './core.ts'
import { type Scrub, startScrub } from './scrub.ts'
import type { ScrubStatus } from './scrub-options.ts'

export interface StoreFailure {
  /** Tells of the first failure, once: whoever owns the store closes it. */
  readonly onFailed: (cause: Error) => void
  /** Begins to look for damage in the background, where that is asked for. */
  readonly watch: (isBusy: () => boolean) => void
  /** How far looking has come; undefined where nobody looks. */
  readonly scrubbed: () => ScrubStatus | undefined
  readonly stop: () => void
}

export function createStoreFailure(core: Core): StoreFailure {
  const { log, options, events } = core
  let scrub: Scrub | undefined
  let isOver = false

  function stop(): void {
    isOver = true
    scrub?.stop()
  }

  function onFailed(cause: Error): void {
    if (isOver) return
    stop()
    const error = cause instanceof RangeIndexDamaged ? indexDamage(log.path, cause) : cause
    options.logger.error('store is damaged or its writer failed', { error })
    events.notify({ kind: 'failed', error })
  }

  return {
    onFailed,
    watch: (isBusy) => {
      if (options.scrub !== undefined && !isOver) {
        scrub = startScrub(core, options.scrub, { isBusy, onDamage: onFailed })
      }
    },
    scrubbed: () => scrub?.status(),
    stop,
  }
}

/** The range index is part of the log's file: what helps is what helps the log. */
function indexDamage(path: string, cause: RangeIndexDamaged): LogDamaged {
  const { node, problem } = cause.detail
  return new LogDamaged(path, { record: `range index node ${node}`, problem, cause })
}
