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
import { decodeIntention, decodeUniversalOp, type IdKey, type ParsedIntention, toIntentionId } from '@lattice/model'
import { type Database, LogDamaged, toPlainBytes } from '@lattice/storage'
import { createFloatingEntry, type FloatingEntry, type Wait } from './floating-entry.ts'
import { createFloatingQuota, type FloatingLimits, type FloatingQuota } from './floating-quota.ts'
import type { FloatingRow } from './log-schema.ts'

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
  /** Forgets what is in memory and reads the table. Answers the signed ones, which wait for nothing yet. */
  readonly load: () => readonly FloatingEntry[]
}

export function createFloatingPool(database: Database, limits: FloatingLimits): FloatingPool {
  let entries = new Map<IdKey, FloatingEntry>()
  let watchers = new Map<IdKey, Set<FloatingEntry>>()
  let future = new Set<FloatingEntry>()
  let notAdmitted = new Set<FloatingEntry>()
  let unstored = new Set<FloatingEntry>()
  let dropped: number[] = []
  let quota: FloatingQuota = createFloatingQuota(limits)
  let arrivals = 0
  const insert = database.prepare('INSERT INTO floating VALUES (?, ?, ?, ?)')
  const erase = database.prepare('DELETE FROM floating WHERE arrival = ?')
  const all = database.prepare<FloatingRow>('SELECT * FROM floating ORDER BY arrival')

  function setWait(entry: FloatingEntry, wait: Wait | undefined): void {
    future.delete(entry)
    notAdmitted.delete(entry)
    if (entry.wait?.kind === 'cause') {
      const set = watchers.get(entry.wait.on)
      set?.delete(entry)
      if (set?.size === 0) watchers.delete(entry.wait.on)
    }
    entry.wait = wait
    if (wait?.kind === 'future') future.add(entry)
    if (wait?.kind === 'not_admitted') notAdmitted.add(entry)
    if (wait?.kind !== 'cause') return
    const set = watchers.get(wait.on) ?? new Set()
    watchers.set(wait.on, set.add(entry))
  }

  function remove(entry: FloatingEntry): void {
    if (!entries.delete(entry.key)) return
    setWait(entry, undefined)
    quota.remove(entry)
    unstored.delete(entry)
    if (entry.stored) dropped.push(entry.arrival)
  }

  function enter(parsed: ParsedIntention, arrival: number): FloatingEntry {
    const entry = createFloatingEntry(parsed, arrival)
    entries.set(entry.key, entry)
    quota.add(entry)
    return entry
  }

  function add(parsed: ParsedIntention): { entry: FloatingEntry; evicted: FloatingEntry[] } {
    arrivals += 1
    const entry = enter(parsed, arrivals)
    unstored.add(entry)
    const evicted: FloatingEntry[] = []
    for (let out = quota.excess(entry.authorKey); out !== undefined; out = quota.excess(entry.authorKey)) {
      remove(out)
      evicted.push(out)
    }
    return { entry, evicted }
  }

  function flush(): void {
    for (const arrival of dropped) erase.run(arrival)
    for (const entry of unstored) {
      const { id, bytes, signature } = entry.parsed
      insert.run(entry.arrival, id, bytes, signature.length > 0 ? signature : null)
      entry.stored = true
    }
    dropped = []
    unstored = new Set()
  }

  function load(): readonly FloatingEntry[] {
    entries = new Map()
    watchers = new Map()
    future = new Set()
    notAdmitted = new Set()
    unstored = new Set()
    dropped = []
    quota = createFloatingQuota(limits)
    const signed: FloatingEntry[] = []
    for (const row of all.all()) {
      arrivals = Math.max(arrivals, row.arrival)
      const entry = enter(parsedOfFloatingRow(database.path, row), row.arrival)
      entry.stored = true
      if (entry.signed) signed.push(entry)
    }
    return signed
  }

  return {
    get: (key) => entries.get(key),
    add,
    remove,
    setWait,
    wake: (cause) => {
      const woken = [...(watchers.get(cause) ?? [])]
      for (const entry of woken) setWait(entry, undefined)
      return woken
    },
    waitingOn: (cause) => [...(watchers.get(cause) ?? [])],
    inFuture: () => future,
    notAdmitted: () => notAdmitted,
    entries: () => entries.values(),
    size: () => entries.size,
    bytes: () => quota.bytes(),
    flush,
    isChanged: () => unstored.size > 0 || dropped.length > 0,
    load,
  }
}

function parsedOfFloatingRow(path: string, row: FloatingRow): ParsedIntention {
  const bytes = toPlainBytes(row.bytes)
  const decoded = decodeIntention(bytes)
  if (!decoded.ok) throw new LogDamaged(path, { record: `floating ${row.arrival}`, problem: decoded.error.code })
  return {
    id: toIntentionId(toPlainBytes(row.id)),
    intention: decoded.value,
    op: decodeUniversalOp(decoded.value.ops),
    bytes,
    signature: row.signature === null ? new Uint8Array(0) : toPlainBytes(row.signature),
  }
}
