/**
 * The proof of a fork, from the log that holds both its branches.
 *
 * What is recorded is where the two intentions are: the log keeps them, and what vouches for them right after them, so a
 * proof is as durable as the log and stored once.
 *
 * @module
 */
import { createForkProof, type ForkProof } from '@lattice/model'
import type { LogEntry } from './log-entry.ts'
import type { LogStore } from './log-store.ts'
import { closingRun } from './closing-run.ts'

/** Both intentions are committed, have one author and one `store_prev`. */
export function forkProofOf(log: Pick<LogStore, 'path' | 'reader'>, first: LogEntry, second: LogEntry): ForkProof {
  const rest = (entry: LogEntry): LogEntry['parsed'][] => closingRun(log, entry).map(({ parsed }) => parsed)
  return createForkProof([first.parsed, ...rest(first)], [second.parsed, ...rest(second)])
}
