/**
 * Whether this node was removed from the stores it has, and by whom.
 *
 * It follows from the table that holds the store's peers, so it ends by itself when the node is invited anew, or when the
 * epoch that removed it turns out to be void. Where that epoch could not be taken in, since its past was cut while this node
 * was away, the kernel was shown it otherwise, and says so.
 *
 * @module
 */
import type { EpochStatus, Kernel } from '@lattice/kernel'
import { equalBytes, type IdKey, type StoreId } from '@lattice/model'
import { readPeerStatus } from '@lattice/systemstore'
import type { NodeContext } from './node-context.ts'
import { parentsFirst, type StoreEntry } from './store-entry.ts'
import { peerHolder, type TablesOf } from './store-peers.ts'

export interface RevocationWatchOptions {
  readonly entries: ReadonlyMap<IdKey, StoreEntry>
  readonly entryOf: (id: StoreId) => StoreEntry | undefined
  readonly tablesOf: TablesOf
}

/** Looks at every open store; what became so since the last look is told. */
export function createRevocationWatch(context: NodeContext, options: RevocationWatchOptions): () => void {
  const { entries } = options
  return () => {
    for (const entry of parentsFirst(entries)) {
      const { ready, record } = entry
      const isRevoked = ready && isSelfRevoked(context, entry, options)
      if (isRevoked === entry.revoked) continue
      entry.revoked = isRevoked
      if (!isRevoked) continue
      const epoch = revokingEpoch(context, entry, options)
      context.logger.warn('store.self_revoked', { storeId: record.id, by: epoch?.author })
      context.publish({ kind: 'self_revoked', storeId: record.id, by: epoch?.author, epoch: epoch?.id })
    }
  }
}

/** True where this node is no peer any more. */
function isSelfRevoked({ id }: Pick<NodeContext, 'id'>, entry: StoreEntry, options: RevocationWatchOptions): boolean {
  const kernel = holderOf(entry, options)
  if (kernel === undefined) return false
  return kernel.removal() !== undefined || readPeerStatus(kernel.tables().system, id) === 'revoked'
}

/** The newest epoch that removed this node, of the store that holds the peers. */
function revokingEpoch(
  { id: self }: Pick<NodeContext, 'id'>,
  entry: StoreEntry,
  options: RevocationWatchOptions,
): Pick<EpochStatus, 'id' | 'author'> | undefined {
  const kernel = holderOf(entry, options)
  const shown = kernel?.removal()
  if (shown !== undefined) return { id: shown.epoch, author: shown.author }
  return kernel
    ?.epochs()
    .find(
      ({ fault, cause }) =>
        fault === undefined &&
        cause.kind === 'membership' &&
        cause.removals.some(({ peer, remains }) => remains === 'none' && equalBytes(peer, self)),
    )
}

/** The kernel of the store that holds the peers; undefined while that is not open. */
function holderOf({ open }: StoreEntry, { entryOf, tablesOf }: RevocationWatchOptions): Kernel | undefined {
  if (open === undefined) return undefined
  const { id, system } = peerHolder(open.kernel.tables(), tablesOf)
  if (id === undefined || system === undefined) return system === undefined ? undefined : open.kernel
  return entryOf(id)?.open?.kernel
}
