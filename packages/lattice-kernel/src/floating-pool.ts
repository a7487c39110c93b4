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
import type { IdKey, ParsedIntention } from '@lattice/model'
import type { Database } from '@lattice/storage'
import { createFloatingEntry, type FloatingEntry, type Wait } from './floating-entry.ts'
import { createFloatingQuota, type FloatingLimits, type FloatingQuota } from './floating-quota.ts'
import { createFloatingTable } from './floating-table.ts'
import { createFloatingWaits, type FloatingWaits } from './floating-waits.ts'

export interface FloatingPool {
  readonly get: (key: IdKey) => FloatingEntry | undefined
  /** Adds what is not there yet, and evicts beyond the limits. */
  readonly add: (parsed: ParsedIntention) => {
    readonly entry: FloatingEntry
    readonly evicted: readonly FloatingEntry[]
  }
  readonly remove: (entry: FloatingEntry) => void
  readonly setWait: (entry: FloatingEntry, wait: Wait | undefined) => void
  /** Takes those that wait for this cause; they wait for nothing then. */
  readonly wake: (cause: IdKey) => readonly FloatingEntry[]
  readonly waitingOn: (cause: IdKey) => readonly FloatingEntry[]
  readonly inFuture: FloatingWaits['inFuture']
  readonly notAdmitted: () => Iterable<FloatingEntry>
  /** By arrival. */
  readonly entries: () => Iterable<FloatingEntry>
  readonly size: () => number
  readonly bytes: () => number
  /** Inside a transaction: makes the table as the pool is. */
  readonly flush: () => void
  /** True when `flush` has something to write. */
  readonly isChanged: () => boolean
  /** Forgets what is in memory and reads the table. Answers the signed ones, which wait for nothing yet. */
  readonly load: () => readonly FloatingEntry[]
}

export function createFloatingPool(database: Database, limits: FloatingLimits): FloatingPool {
  const waits = createFloatingWaits()
  const table = createFloatingTable(database)
  let entries = new Map<IdKey, FloatingEntry>()
  let quota: FloatingQuota = createFloatingQuota(limits)
  let arrivals = 0

  function enter(parsed: ParsedIntention, arrival: number): FloatingEntry {
    const entry = createFloatingEntry(parsed, arrival)
    arrivals = Math.max(arrivals, arrival)
    entries.set(entry.key, entry)
    quota.add(entry)
    return entry
  }

  function remove(entry: FloatingEntry): void {
    if (!entries.delete(entry.key)) return
    waits.set(entry, undefined)
    quota.remove(entry)
    table.removed(entry)
  }

  return {
    get: (key) => entries.get(key),
    add: (parsed) => {
      const entry = enter(parsed, arrivals + 1)
      table.added(entry)
      const evicted: FloatingEntry[] = []
      for (let out = quota.excess(entry.authorKey); out !== undefined; out = quota.excess(entry.authorKey)) {
        remove(out)
        evicted.push(out)
      }
      return { entry, evicted }
    },
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
    load: () => {
      entries = new Map()
      quota = createFloatingQuota(limits)
      waits.clear()
      const loaded = table.load().map(({ parsed, arrival }) => enter(parsed, arrival))
      for (const entry of loaded) entry.stored = true
      return loaded.filter(({ signed }) => signed)
    },
  }
}
