/**
 * Rights that this node took from peers and that were lost as a store began anew: taken again.
 *
 * Whoever removes a peer while it is away itself may come back behind a cut that its epoch cannot be placed beyond. The others
 * never heard of the removal then, and a person who was told that the peer is out does not look again. So it is made once
 * more, on top of what is there now, as soon as the store takes writes and this node may.
 *
 * @module
 */
import { type Kernel, purposeOf, type StrandedWrite } from '@lattice/kernel'
import {
  equalBytes,
  type IdKey,
  type IntentionId,
  isLatticeError,
  type LatticeErrorCode,
  type PublicKey,
  type ReadTable,
} from '@lattice/model'
import type { Removal } from '@lattice/store-base'
import { isAtLeast, readPeer } from '@lattice/systemstore'
import { toFailure } from '../failure.ts'
import type { NodeContext } from '../node-context.ts'
import type { OpenStore } from '../open-store.ts'
import type { StoreEntry } from '../store-entry.ts'

export interface LostRemovals {
  /** Looks at every store in use. Resolves with false where something is left to be done later. */
  readonly settle: () => Promise<boolean>
}

export function createLostRemovals(context: NodeContext, entries: ReadonlyMap<IdKey, StoreEntry>): LostRemovals {
  /** By store as it is open: nothing is put aside later while it is. */
  const looked = new WeakSet<Kernel>()

  async function remake(store: OpenStore): Promise<boolean> {
    const { kernel, exclusive, stranded } = store
    try {
      await exclusive.run(async () => {
        for (const write of stranded.all()) {
          const taken = await takeAgain(kernel, write, context.id)
          if (taken === undefined) continue
          stranded.settled(write.id)
          context.logger.info('store.removal_made_again', { storeId: store.id, lost: write.id, epoch: taken.epoch })
        }
      })
    } catch (error) {
      context.logger.warn('store.removal_lost', { storeId: store.id, ...toFailure(error) })
      // Of what is refused for good it is for a person to know, who sees it among what is stranded.
      return !(isLatticeError(error) && LATER.has(error.code))
    }
    return true
  }

  return {
    settle: async () => {
      let isDone = true
      for (const { open, ready, revoked } of entries.values()) {
        if (open === undefined || !ready || revoked || looked.has(open.kernel)) continue
        // Who was held to be away for long has its rights again once it is said to be back.
        if (!mayRemove(open.kernel, context.id)) continue
        if (await remake(open)) looked.add(open.kernel)
        else isDone = false
      }
      return isDone
    },
  }
}

/** The store takes no writes for a while, or the disk none. */
const LATER: ReadonlySet<LatticeErrorCode> = new Set([
  'STORE_NOT_READY',
  'LIMIT_EXCEEDED',
  'DISK_FULL',
  'STORAGE_FAILED',
])

/**
 * Undefined for what takes no rights from others. Without an epoch where nobody has more than is to be left any more. Rejects as
 * `Kernel.submitEpoch`.
 */
export async function takeAgain(
  kernel: Pick<Kernel, 'tables' | 'submitEpoch'>,
  { op }: Pick<StrandedWrite, 'op'>,
  self: PublicKey,
): Promise<{ readonly epoch: IntentionId | undefined } | undefined> {
  const purpose = op.kind === 'epoch' ? purposeOf(op.value.cause?.cause) : undefined
  const ofOthers = purpose?.kind === 'membership' ? purpose.removals.filter(({ peer }) => !equalBytes(peer, self)) : []
  if (ofOthers.length === 0) return undefined
  const { system } = kernel.tables()
  const removals = ofOthers.filter((removal) => hasMore(system, removal))
  return { epoch: removals.length === 0 ? undefined : await kernel.submitEpoch({ kind: 'membership', removals }) }
}

function mayRemove(kernel: Kernel, self: PublicKey): boolean {
  const { active, isAdmin } = kernel.membership()
  return isAdmin(self) && active().some((peer) => equalBytes(peer, self))
}

function hasMore(system: ReadTable, { peer, remains }: Removal): boolean {
  const entry = readPeer(system, peer)
  const isIn = entry?.status === 'active' || entry?.status === 'dormant'
  return isIn && !isAtLeast(remains, entry.role)
}
