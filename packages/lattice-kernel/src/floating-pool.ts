/**
 * Intentions that are valid and not yet witnessable.
 *
 * The pool is small by its limits, so it lives in memory; what still floats at the end of a commit has a row in the log's
 * `floating` table too, and what leaves loses it in the very commit that witnesses it. Only signed intentions wait: each
 * waits with its run for one thing at a time (a cause, a time, an admission), so waking is exact and waiting costs
 * nothing.
 *
 * @module
 */
import { type IdKey, idKey, type ParsedIntention } from '@lattice/model'
import type { Database } from '@lattice/storage'
import { createFloatingEntry, resetFloatingEntry, type FloatingEntry, type Wait } from './floating-entry.ts'
import { createFloatingQuota, type FloatingLimits, type FloatingQuota } from './floating-quota.ts'
import { createFloatingTable } from './floating-table.ts'
import { createFloatingWaits } from './floating-waits.ts'

export interface FloatingPool {
  readonly get: (key: IdKey) => FloatingEntry | undefined
  /**
   * Adds what is not there yet, or the signed form of what is there unsigned. It is not counted and has no row until
   * `settle`: most of what comes is witnessed at once.
   */
  readonly stage: (parsed: ParsedIntention, key: IdKey) => FloatingEntry
  /** Counts and keeps what is staged and still here; answers what the limits pushed out. */
  readonly settle: () => readonly FloatingEntry[]
  /** Forgets what is staged. */
  readonly unstage: () => void
  readonly remove: (entry: FloatingEntry) => void
  readonly setWait: (entry: FloatingEntry, wait: Wait | undefined) => void
  /** Takes those that wait for this cause; they wait for nothing then. */
  readonly wake: (cause: IdKey) => readonly FloatingEntry[]
  readonly waitingOn: (cause: IdKey) => readonly FloatingEntry[]
  readonly inFuture: () => Iterable<FloatingEntry>
  readonly notAdmitted: () => Iterable<FloatingEntry>
  /** By arrival. */
  readonly entries: () => Iterable<FloatingEntry>
  readonly size: () => number
  readonly bytes: () => number
  /** Inside a transaction: makes the table as the pool is. */
  readonly flush: () => void
  /** True when `flush` has something to write. */
  readonly isChanged: () => boolean
  /**
   * Forgets what is in memory but not what is staged, and reads the table. Answers the signed ones, which wait for nothing
   * yet.
   */
  readonly load: () => readonly FloatingEntry[]
}

export function createFloatingPool(database: Database, limits: FloatingLimits): FloatingPool {
  const waits = createFloatingWaits()
  const table = createFloatingTable(database)
  let entries = new Map<IdKey, FloatingEntry>()
  let quota: FloatingQuota = createFloatingQuota(limits)
  let staged: FloatingEntry[] = []
  let arrivals = 0

  function enter(parsed: ParsedIntention, key: IdKey, arrival: number): FloatingEntry {
    const entry = createFloatingEntry(parsed, key, arrival)
    arrivals = Math.max(arrivals, arrival)
    entries.set(key, entry)
    return entry
  }

  function remove(entry: FloatingEntry): void {
    if (entries.get(entry.key) !== entry) return
    entries.delete(entry.key)
    entry.isGone = true
    waits.set(entry, undefined)
    forgetReplaced(entry)
    if (entry.staged) return
    quota.remove(entry)
    table.removed(entry)
  }

  function forgetReplaced(entry: FloatingEntry): void {
    if (entry.replaces === undefined) return
    table.removed(entry.replaces)
    entry.replaces = undefined
  }

  /** Takes out one whose place another takes; its row stays until that one has its own. */
  function supersede(old: FloatingEntry, successor: FloatingEntry): FloatingEntry | undefined {
    old.successor = successor
    old.isGone = true
    waits.set(old, undefined)
    if (old.staged) return old.replaces
    quota.remove(old)
    return old
  }

  function stage(parsed: ParsedIntention, key: IdKey): FloatingEntry {
    const old = entries.get(key)
    const entry = enter(parsed, key, arrivals + 1)
    place(entry, old)
    return entry
  }

  function place(entry: FloatingEntry, old: FloatingEntry | undefined): void {
    entry.staged = true
    entry.replaces = old && supersede(old, entry)
    staged.push(entry)
  }

  /** Puts one back whose place is free again; it has its row still. */
  function restore(old: FloatingEntry): void {
    entries.set(old.key, old)
    old.isGone = false
    old.successor = undefined
    quota.add(old)
  }

  function takeStaged(): readonly FloatingEntry[] {
    const here = staged.filter((entry) => entries.get(entry.key) === entry)
    staged = []
    return here
  }

  function settle(): readonly FloatingEntry[] {
    const evicted: FloatingEntry[] = []
    for (const entry of takeStaged()) {
      entry.staged = false
      forgetReplaced(entry)
      quota.add(entry)
      table.added(entry)
      for (let out = quota.excess(entry.authorKey); out !== undefined; out = quota.excess(entry.authorKey)) {
        remove(out)
        evicted.push(out)
      }
    }
    return evicted
  }

  function unstage(): void {
    for (const entry of takeStaged()) {
      const { replaces } = entry
      entry.replaces = undefined
      remove(entry)
      if (replaces !== undefined) restore(replaces)
    }
  }

  function load(): readonly FloatingEntry[] {
    const kept = takeStaged()
    entries = new Map()
    quota = createFloatingQuota(limits)
    waits.clear()
    const loaded = table.load().map(({ parsed, arrival }) => enter(parsed, idKey(parsed.id), arrival))
    for (const entry of loaded) {
      entry.stored = true
      quota.add(entry)
    }
    for (const entry of kept) {
      const old = entries.get(entry.key)
      entries.set(entry.key, entry)
      resetFloatingEntry(entry)
      place(entry, old)
    }
    return [...loaded, ...kept].filter((entry) => entry.signed && entries.get(entry.key) === entry)
  }

  return {
    get: (key) => entries.get(key),
    stage,
    settle,
    unstage,
    remove,
    setWait: waits.set,
    wake: waits.wake,
    waitingOn: waits.waitingOn,
    inFuture: waits.inFuture,
    notAdmitted: waits.notAdmitted,
    entries: () => entries.values(),
    size: () => entries.size,
    bytes: () => quota.bytes(),
    flush: table.flush,
    isChanged: table.isChanged,
    load,
  }
}
