/**
 * Whether a run that is not witnessed yet would count, or is beyond a cutoff of its author.
 *
 * What is in the past of a witnessed epoch is witnessed, so a run that is not can only be beyond its cutoff, unless it has a
 * later admission of its author in its past. The last of a run has all its past, so it speaks for the run. That past is
 * looked for through what floats, too: the admission may be cited by one that waits for this very run's causes.
 *
 * @module
 */
import {
  causesOf,
  type IdKey,
  idKey,
  type IntentionId,
  MAX_RUN_LENGTH,
  type OpKind,
  type PublicKey,
} from '@lattice/model'
import type { Cutoff } from '@lattice/store-base'
import type { FloatingEntry } from './floating-entry.ts'
import type { ExcludedSet } from './excluded-set.ts'
import { type LimitsView, mayEndItsCutoffs, wholeCutoffs } from './limits.ts'
import type { Place } from './reach-vector.ts'

/** `held`: beyond, with a record that may change the cutoffs: it is witnessed as a link whoever needs it. */
export type Standing = 'counts' | 'held' | 'beyond'

export interface RunStanding {
  /** False while nobody is limited: then everything counts. */
  readonly isAnyLimited: () => boolean
  /** What it is judged by: another object once it may be another. */
  readonly view: () => LimitsView | undefined
  /** Of the run that this one closes. */
  readonly of: (closer: FloatingEntry) => Standing
  /** Whether what an author writes next would be beyond, whatever it cites; an epoch is not where it may end its cutoffs. */
  readonly isAuthorCut: (author: PublicKey, kind: OpKind | undefined) => boolean
}

export interface RunStandingDeps {
  /** As of the last commit: what comes right after is put right by the next. */
  readonly limits: Pick<ExcludedSet, 'view' | 'epochs'>
  readonly floating: (key: IdKey) => FloatingEntry | undefined
  readonly find: (id: IntentionId) => Place | undefined
  readonly isAncestor: (a: Place, b: Place) => boolean
}

export function createRunStanding(deps: RunStandingDeps): RunStanding {
  const { limits } = deps
  let known: { readonly view: LimitsView; readonly limited: ReadonlySet<IdKey> } | undefined

  function limited(): ReadonlySet<IdKey> {
    const view = limits.view()
    if (view === undefined) return NOBODY
    if (known?.view !== view) known = { view, limited: new Set(view.limited().map(idKey)) }
    return known.limited
  }

  function isBeyond(
    view: LimitsView,
    author: PublicKey,
    isReadmitted: (cutoffs: readonly Cutoff[]) => boolean,
  ): boolean {
    if (!view.isHeard(author)) return true
    const cutoffs = wholeCutoffs(view, author)
    if (cutoffs.length === 0) return false
    return cutoffs.some(({ readmissions }) => readmissions.length === 0) || !isReadmitted(cutoffs)
  }

  /** Whether the view may be another with a record, although it is beyond a cutoff. */
  const hasSay =
    (view: LimitsView) =>
    (entry: FloatingEntry): boolean => {
      const { intention, op } = entry.parsed
      return view.hasSay(intention.author, op) || (op.kind === 'epoch' && mayHaveSeenVoid(view, entry))
    }

  /** True for an epoch that was judged by what does not hold: an epoch without effect is in its past, or one that may be. */
  function mayHaveSeenVoid(view: LimitsView, entry: FloatingEntry): boolean {
    // One of its own author voids nothing for it: whoever has a say has it anyway.
    const voided = limits
      .epochs()
      .filter(({ id, author }) => idKey(author) !== entry.authorKey && view.faultOf(id) === 'outranked')
      .flatMap(({ id }) => deps.find(id) ?? [])
    const isVoided = (place: Place): boolean =>
      voided.some((epoch) => epoch.seq === place.seq || deps.isAncestor(epoch, place))
    const isEpochOfOther = ({ parsed: { op }, authorKey }: FloatingEntry): boolean =>
      op.kind === 'epoch' && authorKey !== entry.authorKey && limited().has(authorKey)
    return isInPast(deps, entry, { isPlace: isVoided, isFloating: isEpochOfOther })
  }

  return {
    isAnyLimited: () => limited().size > 0,
    view: limits.view,
    of: (closer) => {
      const { author } = closer.parsed.intention
      const view = limits.view()
      if (view === undefined || !limited().has(closer.authorKey)) return 'counts'
      if (!isBeyond(view, author, (cutoffs) => hasReadmissions(deps, closer, cutoffs))) return 'counts'
      return runOf(deps, closer).some(hasSay(view)) ? 'held' : 'beyond'
    },
    isAuthorCut: (author, kind) => {
      const view = limits.view()
      if (view === undefined || !limited().has(idKey(author)) || !isBeyond(view, author, () => true)) return false
      return kind !== 'epoch' || !mayEndItsCutoffs(view, author)
    },
  }
}

const NOBODY: ReadonlySet<IdKey> = new Set()

/** The run that `closer` closes, as far as it is here. */
function runOf({ floating }: RunStandingDeps, closer: FloatingEntry): readonly FloatingEntry[] {
  const run = [closer]
  for (let older = floating(closer.prevKey); older !== undefined && !older.signed && run.length < MAX_RUN_LENGTH;) {
    run.push(older)
    older = floating(older.prevKey)
  }
  return run
}

/** True when the past of `closer` has a readmission for each of the cutoffs. */
function hasReadmissions(deps: RunStandingDeps, closer: FloatingEntry, cutoffs: readonly Cutoff[]): boolean {
  const wanted = new Set(cutoffs.map(({ readmissions }) => readmissions.flatMap((id) => deps.find(id) ?? [])))
  const isPlace = (cause: Place): boolean => {
    for (const grants of wanted) {
      const isMet = grants.some((grant) => grant.seq === cause.seq || deps.isAncestor(grant, cause))
      if (isMet) wanted.delete(grants)
    }
    return wanted.size === 0
  }
  return isInPast(deps, closer, { isPlace, isFloating: () => false })
}

interface Sought {
  /** Asked of what is witnessed and a direct cause of what floats. */
  readonly isPlace: (place: Place) => boolean
  readonly isFloating: (entry: FloatingEntry) => boolean
}

/** Looks through what floats of the past of `start`, and where that meets what is witnessed. */
function isInPast(deps: RunStandingDeps, start: FloatingEntry, { isPlace, isFloating }: Sought): boolean {
  const seen = new Set<IdKey>()
  // What floats is bounded, and so is this walk.
  const open = [start]
  for (let entry = open.pop(); entry !== undefined; entry = open.pop()) {
    for (const id of causesOf(entry.parsed.intention)) {
      const key = idKey(id)
      if (seen.has(key)) continue
      seen.add(key)
      const floating = deps.floating(key)
      if (floating !== undefined) {
        if (isFloating(floating)) return true
        open.push(floating)
        continue
      }
      const cause = deps.find(id)
      if (cause !== undefined && isPlace(cause)) return true
    }
  }
  return false
}
