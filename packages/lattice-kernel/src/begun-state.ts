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
import { cutsBelow, cutsDigest } from './epoch-cuts.ts'
import type { BookEpoch } from './epoch-book.ts'
import type { Cuts } from './excluded-set.ts'
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
  const { crypto, membership } = options
  const epoch = log.book.epochOf(snapshot.epoch)
  if (epoch === undefined || membership === undefined || !isMadeOfKept(log, epoch)) return undefined
  const below = downsetOf(log, epoch)
  const digest = (cuts: Cuts): Uint8Array => cutsDigest({ crypto, log }, cuts, below)
  const known = snapshot.cuts === undefined ? cutsBelow(log, membership, below) : undefined
  // Of one that was loaded: those who signed its root made it by the rules.
  const madeWith = snapshot.cuts ?? (known && digest(known))
  if (madeWith === undefined || !equalBytes(madeWith, digest(log.excluded.cuts()))) return undefined
  const besides = differenceOf(log, { all: witnessedUpto(log, epoch.meta.seq), known: below })
  const isWhole = snapshot.state.cursor().seq + besides.size() === epoch.meta.seq
  // Where a log was pruned elsewhere, its count is another.
  return isWhole || snapshot.cuts === undefined || log.base.epoch() !== undefined ? besides : undefined
}

/** True where it cannot be said yet what counts below a snapshot's epoch: so nor whether state can begin with it. */
export function isUndecided({ log, options: { membership } }: Core, { epoch: id }: WholeSnapshot): boolean {
  const epoch = log.book.epochOf(id)
  if (epoch === undefined || membership === undefined || !isMadeOfKept(log, epoch)) return false
  return cutsBelow(log, membership, downsetOf(log, epoch)) === undefined
}

/** True for an epoch at which state can be gone on from: nothing that follows is gone. */
export function isMadeOfKept({ base, book }: Pick<Core['log'], 'base' | 'book'>, { record, meta }: BookEpoch): boolean {
  const epoch = base.epoch()
  if (epoch === undefined || equalBytes(epoch, record.id)) return true
  const first = book.epochOf(epoch)
  return first !== undefined && book.isBefore(first.meta, meta)
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
      compare: (a, b, seq) => cuts.compare(a, b, reached(seq)),
      markOf: (now, seq) => cuts.markOf(now, reached(seq)),
      // The snapshot's mark is of another kind, and was looked at.
      isMarkOf: () => true,
    },
  })
  return { projection, besides }
}
