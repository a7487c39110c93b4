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
  type Hlc,
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
import type { IntentionMeta } from './log-entry.ts'

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
  readonly nowMs: () => number
}

interface Chain {
  /** Oldest first. */
  readonly run: readonly FloatingEntry[]
  /** The witnessed `store_prev` of the first; undefined for a genesis. */
  readonly parent: IntentionMeta | undefined
}

/** Judges the run that `closer`, whose signature is good, closes. */
export function checkRun(deps: RunCheckDeps, closer: FloatingEntry): RunVerdict {
  const chain = collectRun(deps, closer)
  if ('on' in chain) return waitsFor(chain)
  for (const [index, entry] of chain.run.entries()) {
    const unmet = findUnmetDep(deps, entry, chain.run)
    if (unmet !== undefined) return waitsFor({ kind: 'cause', on: unmet })
    const code = findFault(deps, chain, index)
    if (code !== undefined) return { kind: 'invalid', entry, code, lost: chain.run.slice(index) }
  }
  const wall = Math.max(...chain.run.map((entry) => entry.parsed.intention.timestamp.wall))
  const { intention } = closer.parsed
  // A genesis is its own admission: it names the creator.
  if (isGenesis(intention)) return { kind: 'ready', run: chain.run }
  if (wall > deps.nowMs() + MAX_DRIFT_MS) return waitsFor({ kind: 'future', untilMs: wall - MAX_DRIFT_MS })
  if (!deps.admits(intention.author)) return waitsFor({ kind: 'not_admitted' })
  return { kind: 'ready', run: chain.run }
}

function waitsFor(wait: Wait): RunVerdict {
  return { kind: 'waits', wait }
}

/** Walks `store_prev` back from the closer through what its signature covers, to what is witnessed. */
function collectRun(deps: RunCheckDeps, closer: FloatingEntry): Chain | Extract<Wait, { kind: 'cause' }> {
  const newestFirst = [closer]
  for (let entry = closer; !isGenesis(entry.parsed.intention);) {
    const prev = toIntentionId(entry.parsed.intention.storePrev)
    const older = deps.floating(idKey(prev))
    if (older === undefined) {
      const parent = deps.witnessed(prev)
      if (parent === undefined) return { kind: 'cause', on: idKey(prev) }
      return { run: newestFirst.reverse(), parent }
    }
    const isCovered = !older.signed && older.authorKey === closer.authorKey && newestFirst.length < MAX_RUN_LENGTH
    if (!isCovered) return { kind: 'cause', on: older.key }
    older.closer = closer
    newestFirst.push(older)
    entry = older
  }
  return { run: newestFirst.reverse(), parent: undefined }
}

/**
 * The first dep found that is neither witnessed nor earlier in the run. The search goes on from where it stopped last
 * time: what waits for thousands of causes is woken by each of them.
 */
function findUnmetDep(deps: RunCheckDeps, entry: FloatingEntry, run: readonly FloatingEntry[]): IdKey | undefined {
  const unmet = searchUnmetDep(deps, entry, run, entry.nextDep)
  if (unmet !== undefined || entry.nextDep === entry.metDeps) return unmet
  // What was inside the run when it was passed may be in another by now.
  return searchUnmetDep(deps, entry, run, entry.metDeps)
}

// oxlint-disable-next-line max-params -- The arguments of findUnmetDep, and where to start.
function searchUnmetDep(
  deps: RunCheckDeps,
  entry: FloatingEntry,
  run: readonly FloatingEntry[],
  start: number,
): IdKey | undefined {
  const { causalDeps } = entry.parsed.intention
  for (let index = start; index < causalDeps.length; index += 1) {
    const dep = causalDeps[index]
    if (dep === undefined) break
    const cause = deps.witnessed(dep)
    if (cause === undefined && !isEarlier(deps, dep, { entry, run })) {
      entry.nextDep = index
      return idKey(dep)
    }
    // A run is witnessed as a whole, so a dep inside it is as good as met; it may be another run later.
    if (cause === undefined) continue
    entry.latestDep = latest(entry.latestDep, cause.timestamp)
    if (index === entry.metDeps) entry.metDeps += 1
  }
  return undefined
}

function isEarlier(
  deps: RunCheckDeps,
  dep: IntentionId,
  { entry, run }: { readonly entry: FloatingEntry; readonly run: readonly FloatingEntry[] },
): boolean {
  const inside = deps.floating(idKey(dep))
  return inside !== undefined && run.indexOf(inside) >= 0 && run.indexOf(inside) < run.indexOf(entry)
}

function findFault(deps: RunCheckDeps, { run, parent }: Chain, index: number): RunFault | undefined {
  const entry = run[index]
  if (entry === undefined) return undefined
  const { author, timestamp, causalDeps } = entry.parsed.intention
  let newest = entry.latestDep
  for (const dep of causalDeps.slice(entry.metDeps)) {
    const inside = deps.floating(idKey(dep))
    const cause = inside === undefined ? deps.witnessed(dep)?.timestamp : inside.parsed.intention.timestamp
    if (cause !== undefined) newest = latest(newest, cause)
  }
  const older = run[index - 1]
  if (older !== undefined) newest = latest(newest, older.parsed.intention.timestamp)
  else if (parent !== undefined) {
    if (parent.seq !== 1 && parent.author !== deps.authorNumber(author)) return 'store_prev_foreign'
    newest = latest(newest, parent.timestamp)
  } else return undefined
  return compareHlc(timestamp, newest) > 0 ? undefined : 'timestamp_not_after_causes'
}

function latest(a: Hlc, b: Hlc): Hlc {
  return compareHlc(a, b) >= 0 ? a : b
}
