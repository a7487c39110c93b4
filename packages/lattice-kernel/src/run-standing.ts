/**
 * Whether a run that is not witnessed yet would count, or is beyond a cutoff of its author.
 *
 * What is in the past of a witnessed epoch is witnessed, so a run that is not can only be beyond its cutoff, unless it has a
 * later admission of its author in its past. The last of a run has all its past, so it speaks for the run. That past is
 * looked for through what floats, too: the admission may be cited by one that waits for this very run's causes.
 *
 * @module
 */
import { causesOf, type IdKey, idKey, type IntentionId, type OpKind, type PublicKey } from '@lattice/model'
import type { Cutoff } from '@lattice/store-base'
import type { FloatingEntry } from './floating-entry.ts'
import type { ExcludedSet } from './excluded-set.ts'
import { type LimitsView, mayEndItsCutoffs, wholeCutoffs } from './limits.ts'
import type { Place } from './reach-vector.ts'

/** `held`: beyond, and an epoch that may end the cutoff: it is witnessed as a link whoever needs it. */
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

  return {
    isAnyLimited: () => limited().size > 0,
    view: limits.view,
    of: (closer) => {
      const { author } = closer.parsed.intention
      const view = limits.view()
      if (view === undefined || !limited().has(closer.authorKey)) return 'counts'
      if (!isBeyond(view, author, (cutoffs) => hasReadmissions(deps, closer, cutoffs))) return 'counts'
      const isHeld = closer.parsed.op.kind === 'epoch' && mayEndItsCutoffs({ view, epochs: limits.epochs() }, author)
      return isHeld ? 'held' : 'beyond'
    },
    isAuthorCut: (author, kind) => {
      const view = limits.view()
      if (view === undefined || !limited().has(idKey(author)) || !isBeyond(view, author, () => true)) return false
      return kind !== 'epoch' || !mayEndItsCutoffs({ view, epochs: limits.epochs() }, author)
    },
  }
}

const NOBODY: ReadonlySet<IdKey> = new Set()

/** True when the past of `closer` has a readmission for each of the cutoffs. */
function hasReadmissions(deps: RunStandingDeps, closer: FloatingEntry, cutoffs: readonly Cutoff[]): boolean {
  const wanted = new Set(cutoffs.map(({ readmissions }) => readmissions.flatMap((id) => deps.find(id) ?? [])))
  const visited = new Set<FloatingEntry>([closer])
  const seen = new Set<IdKey>()
  // What floats is bounded, and so is this walk.
  const open = [closer]
  for (let entry = open.pop(); entry !== undefined; entry = open.pop()) {
    for (const id of causesOf(entry.parsed.intention)) {
      const key = idKey(id)
      if (seen.has(key)) continue
      seen.add(key)
      const floating = deps.floating(key)
      if (floating !== undefined) {
        if (!visited.has(floating)) open.push(floating)
        visited.add(floating)
        continue
      }
      const cause = deps.find(id)
      if (cause === undefined) continue
      for (const grants of wanted) {
        const isMet = grants.some((grant) => grant.seq === cause.seq || deps.isAncestor(grant, cause))
        if (isMet) wanted.delete(grants)
      }
      if (wanted.size === 0) return true
    }
  }
  return wanted.size === 0
}
