/**
 * Keeps the state at the epoch that the log begins with, or is to begin with, when the newest settled epoch is a later one.
 *
 * Who fetches the store begins at an epoch whose state is served. Where that were later than the base of all others, what
 * was written beside it could be taken in by none of them: each would have to fetch the store in turn. And state can be
 * made of a pruned log only by going on from a snapshot; the later ones may be of epochs that turn out to be void. So it is
 * made before the log is cut, where it is not there already.
 *
 * @module
 */
import { equalBytes, type IntentionId } from '@lattice/model'
import type { Core } from './core.ts'
import type { DivergenceWatch } from './divergence-watch.ts'
import type { BookEpoch } from './epoch-book.ts'
import type { KeptSnapshots } from './kept-snapshots.ts'
import { pruneTargets } from './prune-target.ts'

export interface BaseSnapshotDeps {
  readonly core: Core
  readonly kept: KeptSnapshots
  readonly divergence: Pick<DivergenceWatch, 'isAt'>
}

/** Asked for before another takes the place of the settled one. */
export function keepBase({ core, kept, divergence }: BaseSnapshotDeps): void {
  const settled = kept.get('settled')
  // One that others do not have is put aside to be looked at, and nobody begins with it.
  if (settled === undefined || divergence.isAt(settled.epoch)) return
  const base = core.log.base.epoch()
  if (base !== undefined && equalBytes(settled.epoch, base)) {
    if (kept.get('base') === undefined) kept.put('base', 'settled')
  } else if (isToBeCutAt(core, settled.epoch) && kept.get('cut') === undefined) kept.put('cut', 'settled')
}

/** Where the log is cut by now, and is to be cut no more. */
export function followBase({ core, kept }: Omit<BaseSnapshotDeps, 'divergence'>): void {
  const base = core.log.base.epoch()
  const isAtBase = (name: 'base' | 'cut'): boolean => {
    const epoch = kept.get(name)?.epoch
    return epoch !== undefined && base !== undefined && equalBytes(epoch, base)
  }
  // What the log began with before it was pruned further is of no use.
  if (base !== undefined && !isAtBase('base')) kept.drop('base')
  const cut = kept.get('cut')
  if (cut === undefined) return
  if (isAtBase('cut')) kept.put('base', 'cut')
  else if (!isToBeCutAt(core, cut.epoch)) kept.drop('cut')
}

/** Where the log is cut as soon as the state there is kept. */
export function dueBase(core: Core): BookEpoch | undefined {
  return pruneTargets(core).due?.base
}

/** The log begins there once the prune that says so is in effect here. */
function isToBeCutAt(core: Core, epoch: IntentionId): boolean {
  const { due, pending } = pruneTargets(core)
  return [due, pending?.target].some((target) => target !== undefined && equalBytes(target.base.record.id, epoch))
}
