/**
 * Intentions by their ids, each with what closes its run.
 *
 * Whoever fetches a store asks for ids in the order of the log, so what comes after one that was found is likely to be asked
 * for next. It is read along, more of it the more often that was right: one read of many records instead of two for each.
 * What is read in vain is at most as much as what is not.
 *
 * @module
 */
import { equalBytes, type IdKey, idKey, type IntentionId, isSigned, type SignedIntention } from '@lattice/model'
import { closingRun } from './closing-run.ts'
import type { Kernel } from './kernel-types.ts'
import type { LogEntry } from './log-entry.ts'
import type { LogStore } from './log-store.ts'

/** Records read at once at most: some megabytes with the largest intentions. */
const AHEAD_MAX = 64

type Log = Pick<LogStore, 'path' | 'reader' | 'find' | 'entryAt' | 'base'>

/** In the order of the log, as many as `maxBytes` allows; at least one. */
export function readIntentions(log: Log, ids: readonly IntentionId[], maxBytes: number): ReturnType<Kernel['read']> {
  const ahead = createReadAhead(log, maxBytes)
  const asked = new Map<number, IntentionId>()
  for (const id of ids) {
    const seq = ahead.find(id)
    if (seq !== undefined) asked.set(seq, id)
  }
  const included = new Map<number, SignedIntention>()
  let bytes = 0
  const include = ({ meta, parsed }: LogEntry): void => {
    if (included.has(meta.seq)) return
    included.set(meta.seq, parsed)
    bytes += parsed.bytes.length + parsed.signature.length
  }
  for (const seq of [...asked.keys()].sort((a, b) => a - b)) {
    if (included.has(seq)) continue
    if (bytes >= maxBytes && included.size > 0) break
    for (const entry of ahead.toEndOfRun(seq)) include(entry)
  }
  return {
    intentions: [...included].sort(([a], [b]) => a - b).map(([, intention]) => intention),
    rest: [...asked].filter(([seq]) => !included.has(seq)).map(([, id]) => id),
  }
}

interface ReadAhead {
  readonly find: (id: IntentionId) => number | undefined
  /** The record and what closes its run. */
  readonly toEndOfRun: (seq: number) => readonly LogEntry[]
}

/** Keeps about `maxBytes` of intentions. */
function createReadAhead(log: Log, maxBytes: number): ReadAhead {
  const seqs = new Map<IdKey, number>()
  const entries = new Map<number, LogEntry>()
  let bytes = 0
  let count = 1

  function keep(entry: LogEntry): void {
    seqs.set(idKey(entry.parsed.id), entry.meta.seq)
    entries.set(entry.meta.seq, entry)
    bytes += entry.parsed.bytes.length + entry.parsed.signature.length
  }
  function find(id: IntentionId): number | undefined {
    const known = seqs.get(idKey(id))
    if (known !== undefined) return known
    const place = log.find(id)
    if (place === undefined || log.base.isGone(place)) return undefined
    const { seq } = place
    if (bytes >= maxBytes) return seq
    // It goes on where the last read ended.
    count = entries.has(seq - 1) ? Math.min(2 * count, AHEAD_MAX) : 1
    if (count > 1) for (const entry of log.reader.from(seq, count)) keep(entry)
    // One that is not committed yet is not among them.
    if (!entries.has(seq)) keep(log.entryAt(seq))
    return seq
  }
  function toEndOfRun(seq: number): readonly LogEntry[] {
    let last = entries.get(seq) ?? log.entryAt(seq)
    const run = [last]
    while (!isSigned(last.parsed)) {
      const next = entries.get(last.meta.seq + 1)
      if (next === undefined || !equalBytes(next.parsed.intention.storePrev, last.parsed.id)) break
      run.push(next)
      last = next
    }
    return [...run, ...closingRun(log, last)]
  }
  return { find, toEndOfRun }
}
