/**
 * With which foundation a peer that was removed is shown so, where it cannot be shown what did it with all its past. It begins
 * nothing there, so whatever is beside the epoch does not matter.
 *
 * @module
 */
import { equalBytes, type IntentionId, type PublicKey } from '@lattice/model'
import type { Core } from './core.ts'
import { epochStatuses } from './epoch-status.ts'
import type { Kernel } from './kernel-types.ts'

export function createRemovalFoundation(
  core: Core,
  { revokedBy, foundation }: Pick<Kernel, 'revokedBy' | 'foundation'>,
): Pick<Kernel, 'removalFoundation'> {
  const { log, options } = core

  function isAtOrBelow(removal: IntentionId, epoch: IntentionId): boolean {
    const [place, end] = [log.find(removal), log.find(epoch)]
    return equalBytes(removal, epoch) || (place !== undefined && end !== undefined && log.book.isBefore(place, end))
  }
  /**
   * Epochs that took rights from those who may not have admitted anybody, also from who got them back later; undefined where
   * none of them is such.
   */
  function tookFrom(admitters: readonly PublicKey[]): readonly IntentionId[] | undefined {
    const view = log.book.view()
    const taken = admitters
      .filter((peer) => !view.isHeard(peer) || view.cutoffsOf(peer).length > 0)
      .map((peer) => view.cutoffsOf(peer).map(({ epoch }) => epoch))
    return taken.length === 0 ? undefined : taken.flat()
  }
  return {
    removalFoundation: (peer, admittedBy) => {
      const removals = revokedBy(peer)
      if (removals.length === 0) return undefined
      const taken = tookFrom(admittedBy.filter((admitter) => !equalBytes(admitter, peer)))
      // Where nothing was cut the epoch is shown with all its past.
      if (log.base.epoch() === undefined && taken === undefined) return undefined
      const shows = ({ id }: { readonly id: IntentionId }): boolean =>
        removals.some((removal) => isAtOrBelow(removal, id)) &&
        (taken ?? []).every((epoch) => isAtOrBelow(epoch, id)) &&
        foundation(id) !== undefined
      const counting = epochStatuses(core).filter(({ fault }) => fault === undefined)
      const final = counting.filter(({ isFinal }) => isFinal)
      // Of one that is not final, as where somebody it names stays away, this node's word is enough where it made it.
      const own = counting.filter(({ author }) => equalBytes(author, options.signer.publicKey))
      for (const candidates of [final, own]) {
        // The earliest that can be shown tells no more of what came after the removal than it has to.
        const found = taken?.length === 0 ? candidates.find(shows) : candidates.findLast(shows)
        if (found !== undefined) return found.id
      }
      return undefined
    },
  }
}
