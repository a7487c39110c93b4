/**
 * Which runs beyond a cutoff are needed: something that counts waits for them, at any distance. So are those of this node
 * itself once it may write again: its next write goes on from them, and without them it would fork its chain.
 *
 * Each run waits for one thing at a time, so what a run needs is a line of runs, and is marked along it when the run is
 * looked at; what comes into the line later sees who waits for it. A mark that outlives its reason has something
 * witnessed that is excluded then, and nothing else. Nothing here recurses, and a run is marked once.
 *
 * @module
 */
import { type IdKey, idKey, type IntentionId, isSigned, type PublicKey, toIntentionId } from '@lattice/model'
import type { FloatingEntry, Wait } from './floating-entry.ts'
import type { FloatingPool } from './floating-pool.ts'
import type { IntentionMeta, LogEntry } from './log-entry.ts'
import type { RunStanding } from './run-standing.ts'

export interface RunNeed {
  /** Whether a run that only its cutoff holds back is needed, or, where use admits, that nothing here admits its author. */
  readonly isNeeded: (run: readonly FloatingEntry[], parent: IntentionMeta | undefined) => boolean
  /** What the run that `closer` closes waits for rather than for a cause, and marks what it needs. */
  readonly waitOf: (closer: FloatingEntry, wait: Extract<Wait, { kind: 'cause' }>) => Wait
  /** A run is held back: who needs it and is not admitted itself waits for that. */
  readonly heldBack: (closer: FloatingEntry) => void
}

export interface RunNeedDeps {
  readonly self: PublicKey
  readonly pool: Pick<FloatingPool, 'get' | 'waitingOn' | 'revokedFrom'>
  readonly standing: RunStanding
  readonly admits: (author: PublicKey) => boolean
  readonly admitsByUse: () => boolean
  /** True for what a prune took. */
  readonly isGone: (place: IntentionMeta) => boolean
  readonly find: (id: IntentionId) => IntentionMeta | undefined
  readonly entryAt: (seq: number) => Pick<LogEntry, 'parsed'>
  /** Has runs looked at again. */
  readonly again: (closers: readonly FloatingEntry[]) => void
}

export function createRunNeed(deps: RunNeedDeps): RunNeed {
  const { self, pool, standing, admits, admitsByUse, isGone, find, entryAt, again } = deps
  const selfKey = idKey(self)
  const isHeldBack = (closer: FloatingEntry): boolean => standing.of(closer) === 'beyond'

  /** Whether what this run waits for is needed. */
  function isBacked(closer: FloatingEntry): boolean {
    if (closer.isNeeded) return true
    const is = standing.of(closer)
    return is === 'held' || (is === 'counts' && admits(closer.parsed.intention.author))
  }

  function hasBackedWaiter(run: readonly FloatingEntry[]): boolean {
    return run.some(({ key }) => pool.waitingOn(key).some(isBacked))
  }

  /** What signs a run that goes on from an unsigned record vouches for that as well, and is held with it. */
  function vouchesFor(parent: IntentionMeta | undefined): boolean {
    return parent !== undefined && parent.seq > 1 && !isGone(parent) && !isSigned(entryAt(parent.seq).parsed)
  }

  function isToGoOn(run: readonly FloatingEntry[]): boolean {
    const closer = run.at(-1)
    return closer?.authorKey === selfKey && isHeldBack(closer) && !standing.isAuthorCut(self, undefined)
  }

  /** What a run goes on from, where that is witnessed. Newest first. */
  function parentOf(run: readonly FloatingEntry[]): IntentionMeta | undefined {
    const first = run.at(-1)
    return first && find(toIntentionId(first.parsed.intention.storePrev))
  }

  /** Marks what something that counts waits for, down to what is missing, or held back only. */
  function mark(cause: IdKey): void {
    for (let key = cause; ;) {
      const closer = closerOf(pool, key)
      // One that counts marks what it needs itself, once its author is admitted: what admits it may be beyond a cutoff.
      if (closer === undefined || isBacked(closer)) return
      closer.isNeeded = true
      const { wait } = closer
      if (wait?.kind === 'revoked') again(pool.revokedFrom(wait.start))
      if (wait?.kind === 'not_admitted') again([closer])
      if (wait?.kind !== 'cause') return
      key = wait.on
    }
  }

  return {
    isNeeded: (run, parent) =>
      run.at(-1)?.isNeeded === true || vouchesFor(parent) || hasBackedWaiter(run) || isToGoOn(run),
    waitOf: (closer, wait) => {
      if (!standing.isAnyLimited() && !admitsByUse()) return wait
      if (!isBacked(closer)) {
        const run = runOf(pool, closer)
        closer.isNeeded = hasBackedWaiter(run) || vouchesFor(parentOf(run))
      }
      const waitsFor = closerOf(pool, wait.on)
      if (waitsFor === undefined) return wait
      if (isBacked(closer)) mark(wait.on)
      // Whoever may not write needs nothing; it is looked at again when it is admitted.
      else if (standing.of(closer) === 'counts' && isHeldBack(waitsFor)) return { kind: 'not_admitted' }
      return wait
    },
    heldBack: (closer) => {
      for (const { key } of runOf(pool, closer)) {
        again(pool.waitingOn(key).filter((waiting) => standing.of(waiting) === 'counts'))
      }
    },
  }
}

function closerOf(pool: RunNeedDeps['pool'], key: IdKey): FloatingEntry | undefined {
  const closer = pool.get(key)?.closer
  return closer !== undefined && pool.get(closer.key) === closer ? closer : undefined
}

/** The run that `closer` closes, as far as it is here. */
function runOf(pool: RunNeedDeps['pool'], closer: FloatingEntry): readonly FloatingEntry[] {
  const run = [closer]
  for (let entry = closer; ;) {
    const older = pool.get(entry.prevKey)
    if (older === undefined || older.signed || older.closer !== closer) return run
    run.push(older)
    entry = older
  }
}
