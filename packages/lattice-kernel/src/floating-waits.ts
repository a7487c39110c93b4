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
  readonly clear: () => void
}

const NOBODY: readonly FloatingEntry[] = []

export function createFloatingWaits(): FloatingWaits {
  const watchers = new Map<IdKey, Set<FloatingEntry>>()
  const future = createFutureWaits()
  const notAdmitted = new Set<FloatingEntry>()

  function release(entry: FloatingEntry): void {
    if (entry.wait === undefined) return
    if (entry.wait.kind === 'future') future.remove(entry)
    if (entry.wait.kind === 'not_admitted') notAdmitted.delete(entry)
    if (entry.wait.kind !== 'cause') return
    const waiting = watchers.get(entry.wait.on)
    waiting?.delete(entry)
    if (waiting?.size === 0) watchers.delete(entry.wait.on)
  }

  function set(entry: FloatingEntry, wait: Wait | undefined): void {
    release(entry)
    entry.wait = wait
    if (wait?.kind === 'future') future.add(entry, wait.untilMs)
    if (wait?.kind === 'not_admitted') notAdmitted.add(entry)
    if (wait?.kind === 'cause') watchers.set(wait.on, (watchers.get(wait.on) ?? new Set()).add(entry))
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
    clear: () => {
      watchers.clear()
      future.clear()
      notAdmitted.clear()
    },
  }
}
