/**
 * The order of two intentions of a store, of which either may be gone.
 *
 * @module
 */
import type { Kernel } from '@lattice/kernel'
import { type IntentionId, isLatticeError } from '@lattice/model'

/** True where the first is known to be in the past of the second. */
export function isBefore({ isAncestor }: Pick<Kernel, 'isAncestor'>, ancestor: IntentionId, id: IntentionId): boolean {
  try {
    return isAncestor(ancestor, id)
  } catch (error) {
    // It went with what was pruned, or is not here: then nothing is known of it.
    if (isLatticeError(error) && error.code === 'INTENTION_NOT_FOUND') return false
    throw error
  }
}
