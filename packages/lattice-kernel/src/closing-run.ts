/**
 * From an intention to the signature that vouches for it.
 *
 * @module
 */
import { equalBytes, isSigned, MAX_RUN_LENGTH } from '@lattice/model'
import { LogDamaged } from '@lattice/storage'
import type { LogEntry } from './log-entry.ts'
import type { LogStore } from './log-store.ts'

/** Records of the first read. */
const FIRST_READ = 4
/** Of the later ones: some megabytes with the largest intentions. */
const READ_MAX = 64

/**
 * What follows an unsigned intention up to the signature that vouches for it. A run is appended as a whole, own or
 * foreign, so that is what comes right after it in the log.
 */
export function closingRun(log: Pick<LogStore, 'path' | 'reader'>, entry: LogEntry): readonly LogEntry[] {
  const closers: LogEntry[] = []
  let last = entry
  // Runs are short or long: what is read at once doubles, so that little is read in vain and long ones take few reads.
  for (let count = FIRST_READ; !isSigned(last.parsed); count = Math.min(2 * count, READ_MAX)) {
    const nexts = log.reader.from(last.meta.seq + 1, count)
    for (const next of nexts) {
      const follows = equalBytes(next.parsed.intention.storePrev, last.parsed.id)
      if (!follows || closers.length >= MAX_RUN_LENGTH) throw unvouched(log, entry)
      closers.push(next)
      last = next
      if (isSigned(next.parsed)) break
    }
    if (nexts.length === 0) throw unvouched(log, entry)
  }
  return closers
}

function unvouched({ path }: Pick<LogStore, 'path'>, entry: LogEntry): LogDamaged {
  return new LogDamaged(path, { record: `witness ${entry.meta.seq}`, problem: 'nothing vouches for it' })
}
