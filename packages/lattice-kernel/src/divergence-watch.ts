/**
 * Tells, once each, where the states of nodes turn out to differ.
 *
 * @module
 */
import { equalBytes, type IntentionId, toHex } from '@lattice/model'
import type { Core } from './core.ts'
import { allDivergences, type OwnRootAt, standingDivergences, type StateDivergence } from './state-divergence.ts'

export interface DivergenceWatch {
  /** Something came that may show one. */
  readonly look: () => void
  readonly standing: () => readonly StateDivergence[]
  /** Also where a later epoch has ended it. */
  readonly isAt: (epoch: IntentionId) => boolean
  /** This node's own state there is likely to be the wrong one. */
  readonly isOutvotedAt: (epoch: IntentionId) => boolean
}

export function createDivergenceWatch(core: Core, rootAt: OwnRootAt): DivergenceWatch {
  const told = new Set<string>()
  const standing = (): readonly StateDivergence[] => standingDivergences(core, rootAt)
  const at = (epoch: IntentionId): StateDivergence | undefined =>
    allDivergences(core, rootAt).find((divergence) => equalBytes(divergence.epoch, epoch))

  return {
    look: () => {
      for (const divergence of standing()) {
        const { epoch, ownRoot, others } = divergence
        const what = [epoch, ...(ownRoot ? [ownRoot] : []), ...others.flatMap(({ author, root }) => [author, root])]
        const key = what.map(toHex).join(' ')
        if (told.has(key)) continue
        told.add(key)
        core.options.logger.error('the state at an epoch is not the same everywhere', { epoch: toHex(epoch) })
        core.events.notify({ kind: 'state_divergence', epoch, ownRoot, others })
      }
    },
    standing,
    isAt: (epoch) => at(epoch) !== undefined,
    isOutvotedAt: (epoch) => at(epoch)?.isOutvoted === true,
  }
}
