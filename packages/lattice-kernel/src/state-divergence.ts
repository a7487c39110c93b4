/**
 * Whether the nodes of a store have the same state: they signed the same roots, and this node's own is one of them.
 *
 * It follows from the records and the snapshots that are here, so it stands until a later epoch is final, over a restart
 * as well. While it stands nothing is pruned: what would show who is wrong is the history.
 *
 * @module
 */
import { equalBytes, type Hash, type IntentionId } from '@lattice/model'
import { type EpochStatus, epochStatuses, type SignedRoot, type StatusSource } from './epoch-status.ts'
import type { LogStore } from './log-store.ts'

export interface StateDivergence {
  readonly epoch: IntentionId
  /** This node's own; undefined where it has no state at the epoch. */
  readonly ownRoot: Hash | undefined
  /** What others signed that is not this node's own; all that is signed where it has none. */
  readonly others: readonly SignedRoot[]
  /** More peers signed another root than signed this node's own. */
  readonly isOutvoted: boolean
}

export interface DivergenceSource extends StatusSource {
  readonly log: Pick<LogStore, 'book' | 'excluded' | 'find'>
}

export type OwnRootAt = (epoch: IntentionId) => Hash | undefined

/** The epochs at which states differ, and after which none is final. Newest first. */
export function standingDivergences(source: DivergenceSource, rootAt: OwnRootAt): readonly StateDivergence[] {
  const { log } = source
  const found = allDivergences(source, rootAt)
  if (found.length === 0) return []
  const differs = (id: IntentionId): boolean => found.some(({ epoch }) => equalBytes(epoch, id))
  const final = epochStatuses(source).filter(({ id, isFinal }) => isFinal && !differs(id))
  const places = final.flatMap(({ id }) => log.find(id) ?? [])
  return found.filter(({ epoch }) => {
    const place = log.find(epoch)
    return place !== undefined && !places.some((later) => log.book.isBefore(place, later))
  })
}

/** Also those that a later epoch has ended. */
export function allDivergences(source: DivergenceSource, rootAt: OwnRootAt): readonly StateDivergence[] {
  if (source.log.book.valid().length === 0) return []
  return epochStatuses(source).flatMap((status) => {
    return status.fault === undefined ? (divergenceAt(status, rootAt(status.id)) ?? []) : []
  })
}

function divergenceAt({ id, roots }: EpochStatus, ownRoot: Hash | undefined): StateDivergence | undefined {
  const reference = ownRoot ?? roots[0]?.root
  if (reference === undefined) return undefined
  const different = roots.filter(({ root }) => !equalBytes(root, reference))
  if (different.length === 0) return undefined
  const votes = (root: Hash): number => roots.filter((other) => equalBytes(other.root, root)).length
  const own = ownRoot === undefined ? 0 : votes(ownRoot)
  return {
    epoch: id,
    ownRoot,
    others: ownRoot === undefined ? roots : different,
    isOutvoted: different.some(({ root }) => votes(root) >= own),
  }
}
