/**
 * Who waits for what: each run for one thing at a time, so that waking is exact.
 *
 * @module
 */
import type { IdKey } from '@lattice/model'
import type { FloatingEntry, Wait } from './floating-entry.ts'
import { createFutureWaits, type FutureWaits } from './future-waits.ts'

export interface FloatingWaits {
  readonly set: (entry: FloatingEntry, wait: Wait | undefined) => void
  /** Takes those that wait for this cause; they wait for nothing then. */
  readonly wake: (cause: IdKey) => readonly FloatingEntry[]
  readonly waitingOn: (cause: IdKey) => readonly FloatingEntry[]
  readonly inFuture: Pick<FutureWaits, 'earliestMs' | 'due' | 'size'>
  readonly notAdmitted: () => Iterable<FloatingEntry>
  /** Those beyond a cutoff whose run begins with this one: several where an author forked inside a run. */
  readonly revokedFrom: (start: IdKey) => readonly FloatingEntry[]
  /** And those that wait for a cause. */
  readonly begunWith: (start: IdKey) => readonly FloatingEntry[]
  readonly clear: () => void
}

const NOBODY: readonly FloatingEntry[] = []

export function createFloatingWaits(): FloatingWaits {
  const watchers: Waiting = new Map()
  const future = createFutureWaits()
  const notAdmitted = new Set<FloatingEntry>()
  /** By what their run begins with. */
  const begun: Waiting = new Map()

  function release(entry: FloatingEntry): void {
    if (entry.wait === undefined) return
    if (entry.wait.kind === 'future') future.remove(entry)
    if (entry.wait.kind === 'not_admitted') notAdmitted.delete(entry)
    if (entry.wait.kind === 'cause') leave(watchers, entry.wait.on, entry)
    const start = startOf(entry.wait)
    if (start !== undefined) leave(begun, start, entry)
  }

  function set(entry: FloatingEntry, wait: Wait | undefined): void {
    release(entry)
    entry.wait = wait
    if (wait?.kind === 'future') future.add(entry, wait.untilMs)
    if (wait?.kind === 'not_admitted') notAdmitted.add(entry)
    if (wait?.kind === 'cause') enter(watchers, wait.on, entry)
    const start = wait && startOf(wait)
    if (start !== undefined) enter(begun, start, entry)
  }

  function begunBy(start: IdKey, kind: Wait['kind']): readonly FloatingEntry[] {
    return [...(begun.get(start) ?? NOBODY)].filter(({ wait }) => wait?.kind === kind)
  }

  return {
    set,
    wake: (cause) => {
      const waiting = watchers.get(cause)
      if (waiting === undefined) return NOBODY
      const woken = [...waiting]
      for (const entry of woken) set(entry, undefined)
      return woken
    },
    waitingOn: (cause) => [...(watchers.get(cause) ?? [])],
    inFuture: future,
    notAdmitted: () => notAdmitted,
    revokedFrom: (start) => begunBy(start, 'revoked'),
    begunWith: (start) => begunBy(start, 'cause'),
    clear: () => {
      watchers.clear()
      future.clear()
      notAdmitted.clear()
      begun.clear()
    },
  }
}

function startOf(wait: Wait): IdKey | undefined {
  return wait.kind === 'cause' || wait.kind === 'revoked' ? wait.start : undefined
}

type Waiting = Map<IdKey, Set<FloatingEntry>>

function enter(waiting: Waiting, key: IdKey, entry: FloatingEntry): void {
  const known = waiting.get(key)
  if (known === undefined) waiting.set(key, new Set([entry]))
  else known.add(entry)
}

function leave(waiting: Waiting, key: IdKey, entry: FloatingEntry): void {
  const known = waiting.get(key)
  known?.delete(entry)
  if (known?.size === 0) waiting.delete(key)
}
