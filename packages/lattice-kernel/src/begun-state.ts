/**
 * State in use that begins with a snapshot: what lies below its epoch is there, the rest is applied.
 *
 * It can begin so only where what is known now leaves the snapshot as it is. Until the epoch's record is reached, the
 * cursor counts what was applied, as the snapshot's does: by then it has counted all records up to there. Rejections of
 * what lies below the epoch are not listed, as where a snapshot was loaded.
 *
 * @module
 */
import { equalBytes } from '@lattice/model'
import type { StateDatabase } from '@lattice/storage'
import type { Core } from './core.ts'
import { type Difference, differenceOf, downsetOf, witnessedUpto } from './downset.ts'
import { cutsDigest } from './epoch-cuts.ts'
import type { Projection, ProjectionFactory } from './projection.ts'
import type { WholeSnapshot } from './snapshot-files.ts'

/** State to be made, and what of the log comes before what follows its cursor. */
export interface BegunState {
  readonly projection: Projection
  /** What was witnessed before the epoch and does not lie below it, and the epoch. */
  readonly besides: Difference | undefined
}

/** What there is to apply beside a snapshot; undefined where state cannot begin with it. */
export function besidesSnapshot({ log, options }: Core, snapshot: WholeSnapshot): Difference | undefined {
  const epoch = log.book.epochOf(snapshot.epoch)
  if (epoch === undefined || snapshot.cuts === undefined) return undefined
  const below = downsetOf(log, epoch)
  if (!equalBytes(snapshot.cuts, cutsDigest({ crypto: options.crypto, log }, log.excluded.cuts(), below)))
    return undefined
  const besides = differenceOf(log, { all: witnessedUpto(log, epoch.meta.seq), known: below })
  return snapshot.state.cursor().seq + besides.size() === epoch.meta.seq ? besides : undefined
}

/** Goes on over a copy of the snapshot. */
export function beginWith(
  core: Core,
  projectionOver: ProjectionFactory,
  { state, besides }: { readonly state: StateDatabase; readonly besides: Difference },
): BegunState {
  const { cuts } = core
  const untilSeq = state.cursor().seq + besides.size()
  const reached = (seq: number): number => Math.max(seq, untilSeq)
  const projection = projectionOver(state, {
    cursorAfter: ({ chainHash }, { seq }) => ({ seq: seq + 1, chainHash }),
    cuts: {
      ...cuts,
      isSame: (a, b, seq) => cuts.isSame(a, b, reached(seq)),
      markOf: (now, seq) => cuts.markOf(now, reached(seq)),
      // The snapshot's mark is of another kind, and was looked at.
      isMarkOf: () => true,
    },
  })
  return { projection, besides }
}
