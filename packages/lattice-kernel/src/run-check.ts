/**
 * The rules of witnessing, applied to a run: the unsigned intentions of one author that a signed one closes.
 *
 * A run is witnessed as a whole or not yet, so the witnessed set is closed under the signatures that vouch for it: what a
 * node holds it can always hand on. Whether a run is witnessable, waits or is invalid follows from the DAG; time and
 * admission only delay.
 *
 * @module
 */
import {
  compareHlc,
  equalBytes,
  type Hlc,
  HLC_ZERO,
  type IdKey,
  idKey,
  type IntentionId,
  isGenesis,
  MAX_DRIFT_MS,
  MAX_RUN_LENGTH,
  type PublicKey,
  toIntentionId,
} from '@lattice/model'
import type { FloatingEntry, RunFault, Wait } from './floating-entry.ts'
import type { BookEpoch } from './epoch-book.ts'
import type { EpochCover } from './epoch-cover.ts'
import type { IntentionMeta } from './log-entry.ts'
import type { RunStanding } from './run-standing.ts'

export type RunVerdict =
  /** Oldest first; the closer last. */
  | { readonly kind: 'ready'; readonly run: readonly FloatingEntry[] }
  | { readonly kind: 'waits'; readonly wait: Wait }
  | {
      readonly kind: 'invalid'
      /** The first that breaks a rule. */
      readonly entry: FloatingEntry
      readonly code: RunFault
      /** Those that can no longer be witnessed by this closer. */
      readonly lost: readonly FloatingEntry[]
    }

export interface RunCheckDeps {
  readonly floating: (key: IdKey) => FloatingEntry | undefined
  readonly witnessed: (id: IntentionId) => IntentionMeta | undefined
  /** The interned number of an author that has witnessed intentions. */
  readonly authorNumber: (author: PublicKey) => number | undefined
  readonly admits: (author: PublicKey) => boolean
  /** What something that counts needs is taken in, whoever made it. */
  readonly admitsByUse: () => boolean
  /** Whether what has these causes has what admitted its author in its past. */
  readonly hasAdmission: (author: PublicKey, causes: readonly IntentionMeta[]) => boolean
  /** Whether a run counts, and by what that was judged. */
  readonly standing: Pick<RunStanding, 'of' | 'view'>
  /** Of a run that is held back: whether something that counts needs it. `parent` is what its first goes on from. */
  readonly isNeeded: (run: readonly FloatingEntry[], parent: IntentionMeta | undefined) => boolean
  readonly nowMs: () => number
  readonly cover: Pick<EpochCover, 'lastSeq' | 'epochsAt' | 'isUncitable'>
}

/** Numbers the looks at runs, so that an entry says whether it is in the run that is looked at. */
let looks = 0

interface Chain {
  /** Oldest first. */
  readonly run: readonly FloatingEntry[]
  /** The witnessed `store_prev` of the first; undefined for a genesis. */
  readonly parent: IntentionMeta | undefined
  /** Once asked for: the epochs that the first so many of the run, and the parent, are or have in their past. */
  seen: { readonly until: number; readonly epochs: readonly BookEpoch[] } | undefined
}

/** Judges the run that `closer`, whose signature is good, closes. */
export function checkRun(deps: RunCheckDeps, closer: FloatingEntry): RunVerdict {
  const chain = collectRun(deps, closer)
  if ('on' in chain) return waitsFor(chain)
  let wall = 0
  for (const entry of chain.run) {
    const unmet = findUnmetDep(deps, entry)
    if (unmet !== undefined) return waitsFor({ kind: 'cause', on: unmet, ...startOf(chain) })
    const code = findFault(deps, chain, entry)
    if (code !== undefined) return { kind: 'invalid', entry, code, lost: chain.run.slice(entry.place) }
    wall = Math.max(wall, entry.parsed.intention.timestamp.wall)
  }
  const { intention } = closer.parsed
  // A genesis is its own admission: it names the creator.
  if (isGenesis(intention)) return { kind: 'ready', run: chain.run }
  if (!citesAdmission(deps, chain)) return waitsFor({ kind: 'not_admitted' })
  closer.judgedBy = deps.standing.view()
  const standing = deps.standing.of(closer)
  const [start = closer] = chain.run
  if (standing === 'beyond' && !deps.isNeeded(chain.run, chain.parent)) {
    return waitsFor({ kind: 'revoked', start: start.key })
  }
  if (wall > deps.nowMs() + MAX_DRIFT_MS) return waitsFor({ kind: 'future', untilMs: wall - MAX_DRIFT_MS })
  // A link is held for those that need it. What admitted its author may not count either.
  if (standing === 'counts' && !isLetIn(deps, chain.run, intention.author)) return waitsFor({ kind: 'not_admitted' })
  return { kind: 'ready', run: chain.run }
}

/** What its first goes on from is looked up only where nothing admits the author. */
function isLetIn(deps: RunCheckDeps, run: readonly FloatingEntry[], author: PublicKey): boolean {
  if (deps.admits(author)) return true
  const [first] = run
  return (
    first !== undefined &&
    deps.admitsByUse() &&
    deps.isNeeded(run, deps.witnessed(toIntentionId(first.parsed.intention.storePrev)))
  )
}

/** What follows in its chain has it in its past with the first. */
function citesAdmission(deps: RunCheckDeps, { run: [first], parent }: Chain): boolean {
  if (first === undefined || parent?.seq !== 1 || deps.admitsByUse()) return true
  return deps.hasAdmission(first.parsed.intention.author, [parent, ...witnessedDeps(deps, first)])
}

function startOf({ run }: Chain): { readonly start?: IdKey } {
  const [first] = run
  return first === undefined || run.length === 1 ? {} : { start: first.key }
}

function waitsFor(wait: Wait): RunVerdict {
  return { kind: 'waits', wait }
}

/** True while a run that was ready can be witnessed as it is: the rest of what made it ready does not change. */
export function isStillReady(deps: RunCheckDeps, closer: FloatingEntry): boolean {
  const { readyRun } = closer
  if (readyRun === undefined || readyRun.some(({ isGone }) => isGone)) return false
  const { intention } = closer.parsed
  if (isGenesis(intention)) return true
  if (closer.judgedBy !== deps.standing.view()) return false
  return deps.standing.of(closer) !== 'counts' || isLetIn(deps, readyRun, intention.author)
}

/** Walks `store_prev` back from the closer through what its signature covers, to what is witnessed. */
function collectRun(deps: RunCheckDeps, closer: FloatingEntry): Chain | Extract<Wait, { kind: 'cause' }> {
  const run = [closer]
  for (let entry = closer; !isGenesis(entry.parsed.intention);) {
    const older = deps.floating(entry.prevKey)
    if (older === undefined) {
      const parent = deps.witnessed(toIntentionId(entry.parsed.intention.storePrev))
      if (parent === undefined) return { kind: 'cause', on: entry.prevKey }
      return inOrder(run, parent)
    }
    const isCovered = !older.signed && older.authorKey === closer.authorKey && run.length < MAX_RUN_LENGTH
    if (!isCovered) return { kind: 'cause', on: older.key }
    older.closer = closer
    run.push(older)
    entry = older
  }
  return inOrder(run, undefined)
}

/** A run that was collected newest first. */
function inOrder(run: FloatingEntry[], parent: IntentionMeta | undefined): Chain {
  run.reverse()
  looks += 1
  for (const [place, entry] of run.entries()) {
    entry.place = place
    entry.look = looks
  }
  return { run, parent, seen: undefined }
}

/**
 * The first dep found that is neither witnessed nor earlier in the run. The search goes on from where it stopped last
 * time: what waits for thousands of causes is woken by each of them.
 */
function findUnmetDep(deps: RunCheckDeps, entry: FloatingEntry): IdKey | undefined {
  const unmet = searchUnmetDep(deps, entry, entry.nextDep)
  if (unmet !== undefined || entry.nextDep === entry.metDeps) return unmet
  // What was inside the run when it was passed may be in another by now.
  return searchUnmetDep(deps, entry, entry.metDeps)
}

function searchUnmetDep(deps: RunCheckDeps, entry: FloatingEntry, start: number): IdKey | undefined {
  const { causalDeps, storePrev } = entry.parsed.intention
  for (let index = start; index < causalDeps.length; index += 1) {
    const dep = causalDeps[index]
    if (dep === undefined) break
    if (equalBytes(dep, storePrev)) {
      // The run goes on from it, and its time is looked at anyway.
      if (index === entry.metDeps) entry.metDeps += 1
      continue
    }
    const key = idKey(dep)
    const floating = deps.floating(key)
    // A run is witnessed as a whole, so a dep inside it is as good as met; it may be another run later.
    if (floating !== undefined && isEarlier(floating, entry)) continue
    const cause = floating === undefined ? deps.witnessed(dep) : undefined
    if (cause === undefined) {
      entry.nextDep = index
      return key
    }
    entry.latestDep = latest(entry.latestDep, cause.timestamp)
    if (cause.seq > 1) entry.lowestDep = Math.min(entry.lowestDep, cause.seq)
    if (index === entry.metDeps) entry.metDeps += 1
  }
  return undefined
}

/** True for two of the run that is looked at. */
function isEarlier(inside: FloatingEntry, entry: FloatingEntry): boolean {
  return inside.look === entry.look && inside.place < entry.place
}

function findFault(deps: RunCheckDeps, chain: Chain, entry: FloatingEntry): RunFault | undefined {
  const { run, parent } = chain
  const { author, timestamp } = entry.parsed.intention
  let newest = latest(entry.latestDep, newestUnnoted(deps, entry))
  const older = run[entry.place - 1]
  if (older !== undefined) newest = latest(newest, older.parsed.intention.timestamp)
  else if (parent !== undefined) {
    if (parent.seq !== 1 && parent.author !== deps.authorNumber(author)) return 'store_prev_foreign'
    newest = latest(newest, parent.timestamp)
  } else return undefined
  if (compareHlc(timestamp, newest) <= 0) return 'timestamp_not_after_causes'
  // Nothing that came after the last epoch lies below one.
  return entry.lowestDep < deps.cover.lastSeq() && citesCovered(deps, chain, entry) ? 'dep_below_epoch' : undefined
}

/** True when it cites what lies below an epoch that its `store_prev` is, or has in its past. */
function citesCovered(deps: RunCheckDeps, chain: Chain, entry: FloatingEntry): boolean {
  const { cover } = deps
  let { until, epochs } = chain.seen ?? { until: 0, epochs: chain.parent ? cover.epochsAt([chain.parent]) : [] }
  for (; until < entry.place; until += 1) {
    const earlier = chain.run[until]
    if (earlier !== undefined) epochs = [...epochs, ...cover.epochsAt(witnessedDeps(deps, earlier), epochs)]
  }
  chain.seen = { until, epochs }
  return epochs.length > 0 && witnessedDeps(deps, entry).some((dep) => cover.isUncitable(dep, epochs))
}

function witnessedDeps(deps: RunCheckDeps, { parsed }: FloatingEntry): readonly IntentionMeta[] {
  return parsed.intention.causalDeps.flatMap((dep) => deps.witnessed(dep) ?? [])
}

/** The latest timestamp among the deps that `latestDep` does not hold. */
function newestUnnoted(deps: RunCheckDeps, { metDeps, parsed: { intention } }: FloatingEntry): Hlc {
  const { causalDeps, storePrev } = intention
  let newest = HLC_ZERO
  for (let index = metDeps; index < causalDeps.length; index += 1) {
    const dep = causalDeps[index]
    if (dep === undefined || equalBytes(dep, storePrev)) continue
    const inside = deps.floating(idKey(dep))
    const cause = inside === undefined ? deps.witnessed(dep)?.timestamp : inside.parsed.intention.timestamp
    if (cause !== undefined) newest = latest(newest, cause)
  }
  return newest
}

function latest(a: Hlc, b: Hlc): Hlc {
  return compareHlc(a, b) >= 0 ? a : b
}
