/**
 * Opens what state is made anew in: empty, or a copy of a snapshot where state can begin with one.
 *
 * @module
 */
import { type OpenStateOptions, openStateDatabase, removeDatabase } from '@lattice/storage'
import { type BegunState, beginWith, besidesSnapshot, isUndecided } from './begun-state.ts'
import type { Core } from './core.ts'
import { ParentNeeded, SnapshotUnavailable } from './errors.ts'
import type { ProjectionFactory } from './projection.ts'
import type { WholeSnapshot } from './snapshot-files.ts'

export interface RebuildStart {
  /**
   * A promise where a snapshot is copied first: ask again then. `isFromLog`: none is looked for. Throws `ParentNeeded` where
   * there may be one to begin with once a parent store has come further.
   */
  readonly begin: (isFromLog: boolean) => BegunState | Promise<void>
  /** True where state need not be made of the whole log. */
  readonly hasBeginning: () => boolean
  /** True while a snapshot is copied, or is to be opened. */
  readonly isBusy: () => boolean
}

export interface RebuildStartDeps {
  readonly core: Core
  readonly createProjectionOver: ProjectionFactory
  /** What state may begin with. */
  readonly whole: () => readonly WholeSnapshot[]
}

export function createRebuildStart(deps: RebuildStartDeps, options: OpenStateOptions): RebuildStart {
  const { core, createProjectionOver, whole } = deps
  let copying: { readonly snapshot: WholeSnapshot; isDone: boolean } | undefined
  const usable = (): WholeSnapshot | undefined =>
    whole().find((snapshot) => besidesSnapshot(core, snapshot) !== undefined)

  async function copy(begun: NonNullable<typeof copying>): Promise<void> {
    try {
      await begun.snapshot.state.copyFiles(options.path)
      begun.isDone = true
    } catch (error) {
      core.options.logger.warn('state is made from the log alone: a snapshot could not be copied', { error })
    }
  }

  return {
    hasBeginning: () => usable() !== undefined,
    isBusy: () => copying !== undefined,
    begin: (isFromLog) => {
      const isPruned = core.log.base.epoch() !== undefined
      const snapshot = copying === undefined && (isPruned || !isFromLog) ? usable() : undefined
      if (snapshot !== undefined) {
        removeDatabase(options.path)
        copying = { snapshot, isDone: false }
        return copy(copying)
      }
      // What counts may have changed while it was copied.
      const besides = copying?.isDone === true ? besidesSnapshot(core, copying.snapshot) : undefined
      const epoch = copying && core.log.book.epochOf(copying.snapshot.epoch)
      copying = undefined
      if (besides === undefined) removeDatabase(options.path)
      if (besides === undefined && isPruned) {
        throw whole().some((each) => isUndecided(core, each)) ? new ParentNeeded() : nothingToBeginWith()
      }
      const isBegun = besides !== undefined && epoch !== undefined
      const state = openStateDatabase({
        ...options,
        ...(isBegun && { countsFrom: epoch.meta.seq - besides.size() }),
      })
      if (besides !== undefined) return beginWith(core, createProjectionOver, { state, besides })
      return { projection: createProjectionOver(state), besides: undefined }
    },
  }
}

function nothingToBeginWith(): SnapshotUnavailable {
  return new SnapshotUnavailable(
    'the history is pruned, and no snapshot is here that state could be made of: fetch the store again (store repair)',
  )
}
