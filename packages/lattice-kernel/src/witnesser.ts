/**
 * From arrival to witnessing: what can be witnessed is, in a stable order, and wakes what waited for it.
 *
 * One loop over a heap, never recursion: a single missing cause may set free all that floats. The caller limits how much
 * is appended before the next commit and goes on after it.
 *
 * @module
 */
import { type IdKey, idKey, type IntentionId, type PublicKey, toIntentionId } from '@lattice/model'
import type { EpochCover } from './epoch-cover.ts'
import { type FloatingEntry, resetFloatingEntry } from './floating-entry.ts'
import type { FloatingPool } from './floating-pool.ts'
import type { KernelTime } from './kernel-time.ts'
import type { LogStore } from './log-store.ts'
import { createReadyHeap } from './ready-heap.ts'
import { checkRun, isStillReady, type RunCheckDeps } from './run-check.ts'
import { createRunNeed, type RunNeed } from './run-need.ts'
import type { RunStanding } from './run-standing.ts'

export interface Witnesser {
  /** Looks at what was staged in the pool, and at what waited for it. */
  readonly arrive: (staged: readonly FloatingEntry[]) => void
  /** Looks again at all signed ones: what is beyond a cutoff is something else. */
  readonly reconsider: () => void
  /** And at every cause of theirs: the log begins elsewhere, and one that was met may be gone. */
  readonly reconsiderCauses: () => void
  /** Looks again at these runs. */
  readonly consider: (closers: Iterable<FloatingEntry>) => void
  /** Appends ready runs while the log's group stays within `maxRecords` and time is left; at least one when it is empty. */
  readonly witness: (maxRecords: number, isTimeOver: () => boolean) => void
  readonly hasReady: () => boolean
  /** Ids in the causes of this entry's run that nobody here has. */
  readonly missingOf: (entry: FloatingEntry) => readonly IntentionId[]
  /** Starts over from what the pool holds. */
  readonly restart: (signed: Iterable<FloatingEntry>) => void
}

export interface WitnesserDeps {
  readonly self: PublicKey
  readonly log: LogStore
  readonly pool: FloatingPool
  readonly time: KernelTime
  readonly admits: (author: PublicKey) => boolean
  readonly admitsByUse: () => boolean
  readonly standing: RunStanding
  readonly cover: EpochCover
}

/** Missing causes named per intention: enough to fetch, bounded whatever an intention cites. */
export const MISSING_MAX = 64

export function createWitnesser(deps: WitnesserDeps): Witnesser {
  const { self, log, pool, time, admits, admitsByUse, standing } = deps
  const ready = createReadyHeap()
  const woken = createWoken((entry) => consider([entry]))
  const { isGone } = log.base
  const { entryAt, find } = log
  const need = createRunNeed({ self, pool, standing, admits, admitsByUse, isGone, find, entryAt, again: woken.add })
  const check = checkDepsOf(deps, need)

  function consider(closers: Iterable<FloatingEntry>): void {
    for (const closer of closers) {
      if (pool.get(closer.key) !== closer) continue
      const verdict = checkRun(check, closer)
      const wait = verdict.kind === 'waits' ? verdict.wait : undefined
      pool.setWait(closer, wait?.kind === 'cause' ? need.waitOf(closer, wait) : wait)
      if (wait?.kind === 'revoked') need.heldBack(closer)
      closer.readyRun = verdict.kind === 'ready' ? verdict.run : undefined
      if (verdict.kind === 'ready') ready.push(closer)
      else if (verdict.kind === 'invalid') {
        verdict.entry.fault = verdict.code
        dropLost(pool, verdict.lost)
      }
    }
  }

  function appendRun(run: readonly FloatingEntry[]): void {
    for (const entry of run) {
      log.append(log.prepare(entry.parsed, time.wallMs()))
      time.observe(entry.parsed.intention.timestamp)
      pool.remove(entry)
      entry.isWitnessed = true
    }
    for (const entry of run) woken.add(pool.wake(entry.key))
    // Others may have begun with what is witnessed now, and close it as well: what they wait for is needed then.
    for (const { key } of run.slice(0, 1)) woken.add([...pool.revokedFrom(key), ...pool.begunWith(key)])
  }

  function witness(maxRecords: number, isTimeOver: () => boolean): void {
    if (!woken.consider(isTimeOver)) return
    for (let closer = ready.pop(); closer !== undefined; closer = ready.pop()) {
      if (pool.get(closer.key) !== closer) continue
      const run = isStillReady(check, closer) ? closer.readyRun : undefined
      if (run === undefined) {
        // What it shared with another run is witnessed by now, or its author is not admitted any more.
        consider([closer])
        continue
      }
      if (log.appended() > 0 && (log.appended() + run.length > maxRecords || isTimeOver())) {
        ready.push(closer)
        return
      }
      appendRun(run)
      if (!woken.consider(isTimeOver)) return
    }
  }

  return {
    arrive: (staged) => consider(affectedBy(pool, staged)),
    reconsider: () => woken.add(unmarked(pool)),
    reconsiderCauses: () => {
      forgetCauses(pool)
      woken.add(unmarked(pool))
    },
    consider,
    witness,
    hasReady: () => ready.size() > 0 || woken.size() > 0,
    missingOf: (entry) => missingOf({ pool, log }, entry),
    restart: (signed) => {
      ready.clear()
      woken.clear()
      consider(signed)
    },
  }
}

function checkDepsOf(
  { log, pool, time, admits, admitsByUse, standing, cover }: WitnesserDeps,
  { isNeeded }: Pick<RunNeed, 'isNeeded'>,
): RunCheckDeps {
  return {
    floating: pool.get,
    witnessed: log.find,
    authorNumber: (author) => log.authors.find(author)?.number,
    admits,
    admitsByUse,
    hasAdmission: log.book.hasAdmission,
    standing,
    isNeeded,
    nowMs: time.nowMs,
    cover,
  }
}

/** The runs that what has just come closes, or may be what they lack. */
function affectedBy(pool: FloatingPool, staged: readonly FloatingEntry[]): readonly FloatingEntry[] {
  const affected: FloatingEntry[] = []
  for (const entry of staged) {
    if (entry.signed) affected.push(entry)
    // An unsigned one may be what a run that is here already lacks.
    else affected.push(...pool.wake(entry.key))
  }
  return affected
}

function forgetCauses(pool: FloatingPool): void {
  for (const entry of pool.entries()) {
    pool.setWait(entry, undefined)
    resetFloatingEntry(entry)
  }
}

/** All signed ones, none of them needed by anybody as far as is known. */
function unmarked(pool: FloatingPool): readonly FloatingEntry[] {
  const signed = [...pool.entries()].filter((entry) => entry.signed)
  for (const entry of signed) entry.isNeeded = false
  return signed
}

interface Woken {
  readonly add: (entries: readonly FloatingEntry[]) => void
  /** Looks again at what was woken, at one at least; answers false when time was over before all of it was looked at. */
  readonly consider: (isTimeOver: () => boolean) => boolean
  readonly size: () => number
  readonly clear: () => void
}

/** What was woken and not looked at yet: one record may wake very many, each with thousands of causes to look up. */
function createWoken(considerOne: (entry: FloatingEntry) => void): Woken {
  const entries: FloatingEntry[] = []
  return {
    add: (woken) => {
      for (const entry of woken) entries.push(entry)
    },
    consider: (isTimeOver) => {
      for (let next = entries.pop(); next !== undefined; next = entries.pop()) {
        considerOne(next)
        if (entries.length > 0 && isTimeOver()) return false
      }
      return true
    },
    size: () => entries.length,
    clear: () => void entries.splice(0),
  }
}

/** Removes what can never be witnessed, with all that waits for it. */
function dropLost(pool: FloatingPool, lost: readonly FloatingEntry[]): void {
  const queue = [...lost]
  for (let entry = queue.pop(); entry !== undefined; entry = queue.pop()) {
    entry.fault ??= 'cause_invalid'
    queue.push(...pool.waitingOn(entry.key))
    pool.remove(entry)
  }
}

function missingOf({ pool, log }: Pick<WitnesserDeps, 'pool' | 'log'>, entry: FloatingEntry): readonly IntentionId[] {
  const missing = new Map<IdKey, IntentionId>()
  for (let at: FloatingEntry | undefined = entry.closer; at !== undefined;) {
    const { storePrev, causalDeps } = at.parsed.intention
    const prev = toIntentionId(storePrev)
    for (const cause of [prev, ...causalDeps.slice(at.metDeps)]) {
      if (missing.size >= MISSING_MAX) return [...missing.values()]
      const key = idKey(cause)
      if (pool.get(key) === undefined && log.find(cause) === undefined) missing.set(key, cause)
    }
    const older = pool.get(idKey(prev))
    at = older !== undefined && !older.signed && older.closer === entry.closer ? older : undefined
  }
  return [...missing.values()]
}
