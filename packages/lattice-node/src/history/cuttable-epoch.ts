/**
 * Makes an epoch at which history may be cut on all nodes.
 *
 * In a store with inherited peers an epoch may name one of the store above that is not everywhere: it has no effect there, so
 * who had heard of its end first never took it in. Nodes without it cannot tell what counts below whatever follows, and could
 * neither sign state there nor begin there, where those that have it can. So what names nothing, or what is void, is set aside
 * first: then nothing depends on what is known of the store above. And the store follows the one above first, where it does not
 * yet: what it has not followed comes to count below the epoch later, and then that is never final.
 *
 * @module
 */
import type { EpochStatus, Kernel } from '@lattice/kernel'
import { equalBytes, type IntentionId } from '@lattice/model'
import { type EpochWish, MAX_SET_ASIDE } from '@lattice/store-base'
import { type AboveKernel, followWish } from '../follow-epochs.ts'
import { isBefore } from '../is-before.ts'

export type CuttingKernel = Pick<Kernel, 'frontier' | 'isAncestor' | 'submitEpoch' | 'membership'> & {
  readonly epochs: () => readonly Pick<EpochStatus, 'id' | 'fault'>[]
}

/**
 * As `submitEpoch`, for an admin. `above` is the store that has the peers of this one. Where it rejects, an epoch that follows the store above, or sets others aside, may have been
 * made. One that has history cut below an earlier epoch is made as it is: what lies below that is there already.
 */
export async function submitCuttable(
  kernel: CuttingKernel,
  wish: EpochWish,
  above: AboveKernel | undefined,
): Promise<IntentionId> {
  if (wish.kind === 'prune' && wish.below !== undefined) return kernel.submitEpoch(wish)
  const following = above && followWish(above, kernel)
  if (following !== undefined) await kernel.submitEpoch(following)
  const epochs = openBelow(kernel)
  if (epochs.length > 0) await kernel.submitEpoch({ kind: 'set_aside', epochs })
  return kernel.submitEpoch(wish)
}

/** Those that will lie below the next epoch, and by which more of the store above decides. */
function openBelow(kernel: CuttingKernel): readonly IntentionId[] {
  const tips = kernel.frontier()
  return kernel
    .epochs()
    .filter(({ fault }) => fault === 'parent_unknown' || fault === 'parent_void')
    .map(({ id }) => id)
    .filter((id) => tips.some((tip) => equalBytes(id, tip) || isBefore(kernel, id, tip)))
    .slice(0, MAX_SET_ASIDE)
}
