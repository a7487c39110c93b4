/**
 * With which foundation a peer that was removed is shown so, where the past of the epoch that did it was cut.
 *
 * @module
 */
import { equalBytes, type IntentionId, type PublicKey } from '@lattice/model'
import type { Core } from './core.ts'
import { epochStatuses } from './epoch-status.ts'
import type { Kernel } from './kernel-types.ts'

/** The earliest that can be shown, so that it tells no more of what came after the removal than it has to. */
export function createRemovalFoundation(
  core: Core,
  { revokedBy, foundation }: Pick<Kernel, 'revokedBy' | 'foundation'>,
): Pick<Kernel, 'removalFoundation'> {
  const { log } = core

  function isAtOrBelow(removal: IntentionId, epoch: IntentionId): boolean {
    const [place, end] = [log.find(removal), log.find(epoch)]
    return equalBytes(removal, epoch) || (place !== undefined && end !== undefined && log.book.isBefore(place, end))
  }
  return {
    removalFoundation: (peer: PublicKey) => {
      // Where nothing was cut the epoch is shown with all its past.
      if (log.base.epoch() === undefined) return undefined
      const removals = revokedBy(peer)
      if (removals.length === 0) return undefined
      const shows = ({ id }: { readonly id: IntentionId }): boolean =>
        removals.some((removal) => isAtOrBelow(removal, id)) && foundation(id) !== undefined
      return epochStatuses(core).findLast((epoch) => epoch.isFinal && shows(epoch))?.id
    },
  }
}
