/**
 * Finds what operations beside the base ask about that will be gone.
 *
 * An operation that does not have the base in its past is applied on top of state at the base when state is made anew, and
 * asks whether it follows, or covers, what stands there. For what has the base in its past the answer is yes; for the
 * others it depends on a place that would be forgotten. So they are applied over a snapshot, in memory and for nobody
 * to see, and what they ask about is kept as an anchor. Once as they count now, and, where something is excluded, once as if nothing were: what
 * is excluded now counts at an epoch where nobody knew yet of what excludes it, and may count again.
 *
 * @module
 */
import type { IntentionId } from '@lattice/model'
import type { AppliedCuts } from './applied-cuts.ts'
import type { Core } from './core.ts'
import type { Downset } from './downset.ts'
import type { Projection, ProjectionFactory } from './projection.ts'
import type { WholeSnapshot } from './snapshot-files.ts'

export interface AskedDeps {
  readonly core: Core
  readonly projectionOver: ProjectionFactory
  /** State at the base, or at an epoch that has it in its past. */
  readonly snapshot: WholeSnapshot
  /** What that snapshot has in it. */
  readonly below: Downset
}

/** Applies these records; tells what they asked about. Yields after each. */
export function* findAsked(
  deps: AskedDeps,
  seqs: readonly number[],
  note: (id: IntentionId) => void,
): Generator<void, void, undefined> {
  const { core, below } = deps
  const { log, options } = core
  const { spans, faulty } = log.excluded.cuts()
  const isAnyCut = spans.size > 0 || faulty.length > 0
  const trials = [trialOf(deps, note), ...(isAnyCut ? [trialOf(deps, note, () => 'full')] : [])]
  try {
    for (const seq of seqs) {
      const entry = log.entryAt(seq)
      if (entry.meta.position <= below.lastOf(entry.meta.lane)) continue
      for (const trial of trials) trial.apply(entry, 'record')
      yield
    }
  } catch (error) {
    // A machine that fails stalls the state in use as well; what was asked about until then is kept.
    options.logger.warn('operations beside the base could not be tried', { error })
  } finally {
    for (const trial of trials) {
      trial.discard()
      trial.flush.stop()
    }
  }
}

/** State of which nothing is published, over the snapshot. */
function trialOf(
  { core, projectionOver, snapshot }: AskedDeps,
  note: (id: IntentionId) => void,
  modeOf: AppliedCuts['modeOf'] = core.cuts.modeOf,
): Projection {
  const { dag, cover, cuts } = core
  return projectionOver(snapshot.state, {
    // What it was made with was looked at.
    cuts: { ...cuts, modeOf, compare: () => () => true, isMarkOf: () => true },
    follows: (entry, ancestor) => {
      note(ancestor)
      return dag.follows(entry, ancestor)
    },
    isBelowEpoch: (entry, id, at) => {
      note(id)
      return cover.isBelowEpoch(entry, id, at)
    },
  })
}
