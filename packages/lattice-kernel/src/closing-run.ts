/**
 * From an intention to the signature that vouches for it.
 *
 * @module
 */
import { equalBytes, isSigned, MAX_RUN_LENGTH } from '@lattice/model'
import { LogDamaged } from '@lattice/storage'
import type { LogEntry } from './log-entry.ts'
import type { LogStore } from './log-store.ts'

/**
 * What follows an unsigned intention up to the signature that vouches for it. A run is appended as a whole, own or
 * foreign, so that is what comes right after it in the log.
 */
export function closingRun(log: Pick<LogStore, 'path' | 'reader'>, entry: LogEntry): readonly LogEntry[] {
  const closers: LogEntry[] = []
  for (let last = entry; !isSigned(last.parsed);) {
    const [next] = log.reader.from(last.meta.seq + 1, 1)
    const follows = next !== undefined && equalBytes(next.parsed.intention.storePrev, last.parsed.id)
    if (!follows || closers.length >= MAX_RUN_LENGTH) {
      throw new LogDamaged(log.path, { record: `witness ${entry.meta.seq}`, problem: 'nothing vouches for it' })
    }
    closers.push(next)
    last = next
  }
  return closers
}
