/**
 * Sees state built anew where it was made with cuts that do not hold any more, or is lost and there is a snapshot of it.
 *
 * Where that cannot be done the projection stands still, so that nothing is applied to what is known to be wrong. Whether
 * it is tried again by itself depends on what was in the way: a store above that comes, or a disk that has room again.
 *
 * @module
 */
import { type DiskFull, isDiskFailure, type StorageFailed } from '@lattice/storage'
import type { Core } from './core.ts'
import { ParentNeeded } from './errors.ts'
import { COST_PER_STEP } from './jobs.ts'
import type { Projection } from './projection.ts'
import type { Rebuilding } from './rebuild.ts'
import { createRetryPause } from './retry-pause.ts'
import type { Work } from './work-loop.ts'

export interface Restating extends Work {
  /** State is made, and what there is of it is none. */
  readonly isBare: () => boolean
  /** Nothing is tried again by itself any more. */
  readonly cancel: () => void
}

export function createRestating(core: Core, rebuilding: Rebuilding, wake: () => void): Restating {
  let blocked: Promise<void> | undefined
  const parent = createParentWait(core)
  const disk = createDiskWait(core, wake)
  const isBare = createIsBare(core, rebuilding)

  function fail(error: unknown): void {
    if (error instanceof ParentNeeded) parent.begin(error)
    else if (isDiskFailure(error)) disk.begin(error)
    // It stands still, visibly; a retry tries again.
    else core.stall(error)
  }

  return {
    isBare,
    step: () => {
      parent.endIfOther()
      if (blocked !== undefined || (core.projection().stalled() !== undefined && !disk.isOver())) return undefined
      if (!isBare() && core.projection().lookOn()) return COST_PER_STEP
      if (!isBare() && !core.isStale()) return undefined
      try {
        const answer = rebuilding.step()
        if (answer instanceof Promise) blocked = answer.finally(() => void (blocked = undefined))
      } catch (error) {
        fail(error)
      }
      return COST_PER_STEP
    },
    waiting: () => blocked,
    cancel: disk.cancel,
  }
}

function createIsBare(core: Core, rebuilding: Rebuilding): () => boolean {
  let bare: Projection | undefined
  let isLooked = false
  return () => {
    if (!isLooked && core.projection().appliedSeq() === 0 && rebuilding.hasBeginning()) bare = core.projection()
    isLooked = true
    // Of a pruned log state is made of a snapshot, or not at all.
    return core.projection() === bare || core.isUnmade()
  }
}

interface ParentWait {
  readonly begin: (error: ParentNeeded) => void
  /** Goes on where something else counts by now. */
  readonly endIfOther: () => void
}

/** The store above may come long after this one: then it is not a person that is waited for. */
function createParentWait(core: Core): ParentWait {
  const { book } = core.log
  let since: { readonly view: ReturnType<typeof book.view>; readonly projection: Projection } | undefined
  return {
    begin: (error) => {
      core.stall(error, 'parent')
      since = { view: book.view(), projection: core.projection() }
    },
    endIfOther: () => {
      if (since === undefined || since.view === book.view()) return
      since.projection.resume()
      since = undefined
    },
  }
}

interface DiskWait {
  readonly begin: (error: DiskFull | StorageFailed) => void
  /** True while it is tried again: what is in use stands still meanwhile, and nobody is told of it anew. */
  readonly isOver: () => boolean
  readonly cancel: () => void
}

/** Somebody may make room, and need not say so. */
function createDiskWait({ projection, stall, options }: Core, wake: () => void): DiskWait {
  const pause = createRetryPause(options.scheduler, wake)
  let isCancelled = false
  let since: { readonly projection: Projection; readonly stalled: ReturnType<Projection['stalled']> } | undefined
  const isWaited = (): boolean =>
    since !== undefined && since.projection === projection() && since.stalled === projection().stalled()
  return {
    begin: (error) => {
      if (!isWaited()) {
        stall(error)
        since = { projection: projection(), stalled: projection().stalled() }
      }
      if (!isCancelled) pause.begin()
    },
    isOver: () => !isCancelled && isWaited() && !pause.isOn(),
    cancel: () => {
      isCancelled = true
      pause.end()
    },
  }
}
