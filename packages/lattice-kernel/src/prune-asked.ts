/**
 * Finds what operations beside the base ask about that will be gone.
 *
 * An operation that does not have the base in its past is applied on top of state at the base when state is made anew, and
 * asks whether it follows, or covers, what stands there. For what has the base in its past the answer is yes; for the
 * others it depends on a place that would be forgotten. So they are applied once over a snapshot, in memory and for nobody
 * to see, and what they ask about is kept as an anchor.
 *
 * @module
 */
import type { IntentionId } from '@lattice/model'
import type { Core } from './core.ts'
import type { Downset } from './downset.ts'
import type { ProjectionFactory } from './projection.ts'
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
  { core, projectionOver, snapshot, below }: AskedDeps,
  seqs: readonly number[],
  note: (id: IntentionId) => void,
): Generator<void, void, undefined> {
  const { log, dag, cover, cuts, options } = core
  const made = projectionOver(snapshot.state, {
    // What it was made with was looked at.
    cuts: { ...cuts, compare: () => () => true, isMarkOf: () => true },
    follows: (entry, ancestor) => {
      note(ancestor)
      return dag.follows(entry, ancestor)
    },
    isBelowEpoch: (entry, id) => {
      note(id)
      return cover.isBelowEpoch(entry, id)
    },
  })
  try {
    for (const seq of seqs) {
      const entry = log.entryAt(seq)
      if (entry.meta.position <= below.lastOf(entry.meta.lane)) continue
      made.apply(entry, 'record')
      yield
    }
  } catch (error) {
    // A machine that fails stalls the state in use as well; what was asked about until then is kept.
    options.logger.warn('operations beside the base could not be tried', { error })
  } finally {
    made.discard()
    made.flush.stop()
  }
}
