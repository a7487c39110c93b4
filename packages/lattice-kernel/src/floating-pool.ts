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
import {
  createFloatingEntry,
  detachFloatingEntry,
  resetFloatingEntry,
  type FloatingEntry,
  type Wait,
} from './floating-entry.ts'
import { createFloatingQuota, type FloatingLimits, type FloatingQuota } from './floating-quota.ts'
import { createFloatingTable, type FloatingTable } from './floating-table.ts'
import { createFloatingWaits, type FloatingWaits } from './floating-waits.ts'

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
  readonly inFuture: FloatingWaits['inFuture']
  readonly notAdmitted: () => Iterable<FloatingEntry>
  readonly revokedFrom: FloatingWaits['revokedFrom']
  readonly begunWith: FloatingWaits['begunWith']
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
  const pool = new Pool(limits, waits, table)
  return {
    get: (key) => pool.entries.get(key),
    stage: (parsed, key) => pool.stage(parsed, key),
    settle: () => pool.settle(),
    unstage: () => pool.unstage(),
    remove: (entry) => pool.remove(entry),
    setWait: waits.set,
    wake: waits.wake,
    waitingOn: waits.waitingOn,
    inFuture: waits.inFuture,
    notAdmitted: waits.notAdmitted,
    revokedFrom: waits.revokedFrom,
    begunWith: waits.begunWith,
    entries: () => pool.entries.values(),
    size: () => pool.entries.size,
    bytes: () => pool.quota.bytes(),
    flush: table.flush,
    isChanged: table.isChanged,
    load: () => pool.load(),
  }
}

class Pool {
  entries = new Map<IdKey, FloatingEntry>()
  quota: FloatingQuota
  #staged: FloatingEntry[] = []
  #arrivals = 0
  readonly #limits: FloatingLimits
  readonly #waits: FloatingWaits
  readonly #table: FloatingTable

  constructor(limits: FloatingLimits, waits: FloatingWaits, table: FloatingTable) {
    this.#limits = limits
    this.#waits = waits
    this.#table = table
    this.quota = createFloatingQuota(limits)
  }

  stage(parsed: ParsedIntention, key: IdKey): FloatingEntry {
    const old = this.entries.get(key)
    const entry = this.#enter(parsed, key, this.#arrivals + 1)
    this.#place(entry, old)
    return entry
  }

  settle(): readonly FloatingEntry[] {
    const evicted: FloatingEntry[] = []
    for (const entry of this.#takeStaged()) {
      entry.staged = false
      detachFloatingEntry(entry)
      this.#forgetReplaced(entry)
      this.quota.add(entry)
      this.#table.added(entry)
      const excess = (): FloatingEntry | undefined => this.quota.excess(entry.authorKey)
      for (let out = excess(); out !== undefined; out = excess()) {
        this.remove(out)
        evicted.push(out)
      }
    }
    return evicted
  }

  unstage(): void {
    for (const entry of this.#takeStaged()) {
      const { replaces } = entry
      entry.replaces = undefined
      this.remove(entry)
      if (replaces !== undefined) this.#restore(replaces)
    }
  }

  remove(entry: FloatingEntry): void {
    if (this.entries.get(entry.key) !== entry) return
    this.entries.delete(entry.key)
    entry.isGone = true
    this.#waits.set(entry, undefined)
    this.#forgetReplaced(entry)
    if (entry.staged) return
    this.quota.remove(entry)
    this.#table.removed(entry)
  }

  load(): readonly FloatingEntry[] {
    const kept = this.#takeStaged()
    this.entries = new Map()
    this.quota = createFloatingQuota(this.#limits)
    this.#waits.clear()
    const loaded = this.#table.load().map(({ parsed, arrival }) => this.#enter(parsed, idKey(parsed.id), arrival))
    for (const entry of loaded) {
      entry.stored = true
      this.quota.add(entry)
    }
    for (const entry of kept) {
      const old = this.entries.get(entry.key)
      this.entries.set(entry.key, entry)
      resetFloatingEntry(entry)
      this.#place(entry, old)
    }
    return [...loaded, ...kept].filter((entry) => entry.signed && this.entries.get(entry.key) === entry)
  }

  #enter(parsed: ParsedIntention, key: IdKey, arrival: number): FloatingEntry {
    const entry = createFloatingEntry(parsed, key, arrival)
    this.#arrivals = Math.max(this.#arrivals, arrival)
    this.entries.set(key, entry)
    return entry
  }

  #place(entry: FloatingEntry, old: FloatingEntry | undefined): void {
    entry.staged = true
    entry.replaces = old && this.#supersede(old, entry)
    this.#staged.push(entry)
  }

  /** Takes out one whose place another takes; its row stays until that one has its own. */
  #supersede(old: FloatingEntry, successor: FloatingEntry): FloatingEntry | undefined {
    old.successor = successor
    old.isGone = true
    this.#waits.set(old, undefined)
    if (old.staged) return old.replaces
    this.quota.remove(old)
    return old
  }

  /** Puts one back whose place is free again; it has its row still. */
  #restore(old: FloatingEntry): void {
    this.entries.set(old.key, old)
    old.isGone = false
    old.successor = undefined
    this.quota.add(old)
  }

  #forgetReplaced(entry: FloatingEntry): void {
    if (entry.replaces === undefined) return
    this.#table.removed(entry.replaces)
    entry.replaces = undefined
  }

  #takeStaged(): readonly FloatingEntry[] {
    const here = this.#staged.filter((entry) => this.entries.get(entry.key) === entry)
    this.#staged = []
    return here
  }
}
