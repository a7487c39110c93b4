/**
 * Whether this node was removed from the stores it has, and by whom.
 *
 * It follows from the table that holds the store's peers, so it ends by itself when the node is invited anew, or when the
 * epoch that removed it turns out to be void.
 *
 * @module
 */
import type { EpochStatus } from '@lattice/kernel'
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
  const { entries, tablesOf } = options
  return () => {
    for (const entry of parentsFirst(entries)) {
      const { open, ready, record } = entry
      const isRevoked = open !== undefined && ready && isSelfRevoked(context, open.kernel.tables(), tablesOf)
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
export function isSelfRevoked(
  { id }: Pick<NodeContext, 'id'>,
  tables: Parameters<typeof peerHolder>[0],
  tablesOf: TablesOf,
): boolean {
  const { system } = peerHolder(tables, tablesOf)
  return system !== undefined && readPeerStatus(system, id) === 'revoked'
}

/** The newest epoch that removed this node, of the store that holds the peers. */
export function revokingEpoch(
  { id: self }: Pick<NodeContext, 'id'>,
  { open }: Pick<StoreEntry, 'open'>,
  { entryOf, tablesOf }: Pick<RevocationWatchOptions, 'entryOf' | 'tablesOf'>,
): EpochStatus | undefined {
  if (open === undefined) return undefined
  const holder = peerHolder(open.kernel.tables(), tablesOf).id
  const store = holder === undefined ? open : entryOf(holder)?.open
  return store?.kernel
    .epochs()
    .find(
      ({ fault, cause }) =>
        fault === undefined &&
        cause.kind === 'membership' &&
        cause.removals.some(({ peer, remains }) => remains === 'none' && equalBytes(peer, self)),
    )
}
