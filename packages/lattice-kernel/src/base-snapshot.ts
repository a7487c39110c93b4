/**
 * Keeps the state at the epoch that the log begins with, when the newest settled epoch is a later one.
 *
 * Who fetches the store begins at an epoch whose state is served. Where that were later than the base of all others, what
 * was written beside it could be taken in by none of them: each would have to fetch the store in turn. And state can be
 * made of a pruned log only by going on from a snapshot; the later ones may be of epochs that turn out to be void.
 *
 * @module
 */
import { equalBytes, type IntentionId } from '@lattice/model'
import type { Core } from './core.ts'
import type { KeptSnapshots } from './kept-snapshots.ts'
import { pruneTargets } from './prune-target.ts'

export interface BaseSnapshotDeps {
  readonly core: Core
  readonly kept: KeptSnapshots
}

/** Asked for before another takes the place of the settled one. */
export function keepBase({ core, kept }: BaseSnapshotDeps): void {
  const settled = kept.get('settled')
  if (settled === undefined || kept.get('base') !== undefined || !isWanted(core, settled.epoch)) return
  kept.put('base', 'settled')
}

/** What the log began with before it was pruned further is of no use. */
export function dropOldBase({ core, kept }: BaseSnapshotDeps): void {
  const [snapshot, base] = [kept.get('base'), core.log.base.epoch()]
  if (snapshot !== undefined && base !== undefined && !equalBytes(snapshot.epoch, base)) kept.drop('base')
}

/** The log begins there, or will once the prune that says so is in effect here. */
function isWanted(core: Core, epoch: IntentionId): boolean {
  const base = core.log.base.epoch()
  if (base !== undefined) return equalBytes(base, epoch)
  const { due, pending } = pruneTargets(core)
  return [due, pending?.target].some((target) => target !== undefined && equalBytes(target.base.record.id, epoch))
}
