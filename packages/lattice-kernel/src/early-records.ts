/**
 * What a prune keeps of the records before the base: the spine, and the early tail, which was witnessed before the base and
 * does not lie below it.
 *
 * @module
 */
import { assert } from '@lattice/model'
import type { LogEntry } from './log-entry.ts'
import type { LogStore } from './log-store.ts'

type EarlyLog = Pick<LogStore, 'authors' | 'reach' | 'reader'>

/** The early tail, lane by lane. `lastOf`: the last position of a lane below the base, -1 for none. */
export function* earlyTail(
  { authors, reach, reader }: EarlyLog,
  fromSeq: number,
  lastOf: (lane: number) => number,
): Generator<LogEntry, void, undefined> {
  for (const { number, parent, head } of authors.lanes()) {
    const first = Math.max(parent === undefined ? 0 : parent.position + 1, lastOf(number) + 1)
    for (let position = first; position <= head.position; position += 1) {
      const seq = position === head.position ? head.seq : reach.seqAt(number, position)
      if (seq >= fromSeq) break
      const entry = reader.at(seq)
      assert(entry !== undefined, 'what does not lie below the base is kept')
      yield entry
    }
  }
}
