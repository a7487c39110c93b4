/**
 * What follows for open stores from what peers may do now, or were to: in the store itself, and in those above it.
 *
 * @module
 */
import type { IdKey } from '@lattice/model'
import { createEpochFollower } from './follow-epochs.ts'
import { createLostRemovals } from './history/lost-removals.ts'
import { createParentFollower } from './follow-parents.ts'
import type { NodeContext } from './node-context.ts'
import { createRevocationWatch, type RevocationWatchOptions } from './self-revoked.ts'

export interface AboveFollowerOptions extends RevocationWatchOptions {
  /** Something is to be done now that was not before. */
  readonly wake: () => void
}

export interface AboveFollower {
  /** Looks at every open store. Resolves with false where something is left to be done later. */
  readonly settle: (changed: ReadonlySet<IdKey>) => Promise<boolean>
  readonly close: () => void
}

export function createAboveFollower(context: NodeContext, options: AboveFollowerOptions): AboveFollower {
  const followParents = createParentFollower(context, options)
  const watchRevocations = createRevocationWatch(context, options)
  const lost = createLostRemovals(context, options.entries)
  const epochs = createEpochFollower(context, options)
  return {
    settle: async (changed) => {
      const areParentsFollowed = await followParents(changed)
      watchRevocations()
      const areRemovalsMade = await lost.settle()
      const areEpochsFollowed = await epochs.settle()
      return areParentsFollowed && areRemovalsMade && areEpochsFollowed
    },
    close: epochs.close,
  }
}
