/**
 * Where this node's writes end to count by an epoch that its log cannot hold: see `removals.ts`.
 *
 * @module
 */
import { equalBytes, type PublicKey } from '@lattice/model'
import type { Limits, LimitsView } from './limits.ts'
import type { ShownRemoval } from './removal-types.ts'

export interface Removals {
  /** What holds now; the same object until it is another. */
  readonly now: () => ShownRemoval | undefined
  /** Grows when something else may hold. */
  readonly version: () => number
  /** Reads what is kept from the disk again. */
  readonly load: () => void
  /** Removes what is kept where the log says as much by now. */
  readonly tidy: () => void
  readonly close: () => void
}

/** A log beside which nothing is kept. */
export const NOTHING_SHOWN: Removals = {
  now: () => undefined,
  version: () => 0,
  load: () => {},
  tidy: () => {},
  close: () => {},
}

/** The limits by the records of the log, and by what is shown beside it. */
export function limitsWith(limits: Limits, { now, version }: Removals): Limits {
  let made: { readonly from: LimitsView; readonly removal: ShownRemoval; readonly view: LimitsView } | undefined
  return {
    ...limits,
    view: () => {
      const [from, removal] = [limits.view(), now()]
      if (removal === undefined) return from
      if (made?.from !== from || made.removal !== removal) made = { from, removal, view: viewWith(from, removal) }
      return made.view
    },
    version: () => limits.version() + version(),
    mayLimit: () => limits.mayLimit() || now() !== undefined,
    shown: now,
  }
}

function viewWith(view: LimitsView, { peer: self, epoch }: ShownRemoval): LimitsView {
  const isSelf = (peer: PublicKey): boolean => equalBytes(peer, self)
  return {
    ...view,
    cutoffsOf: (author) => {
      const cutoffs = view.cutoffsOf(author)
      return isSelf(author) ? [...cutoffs, { epoch, remains: 'none', readmissions: [] }] : cutoffs
    },
    limited: () => [...view.limited().filter((peer) => !isSelf(peer)), self],
  }
}

/** True for the same removal. */
export function isSameRemoval(a: ShownRemoval | undefined, b: ShownRemoval | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return equalBytes(a.epoch, b.epoch) && a.last === b.last
}
