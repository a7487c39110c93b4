/**
 * The proof of a fork, from the log that holds both its branches.
 *
 * What is recorded is where the two intentions are: the log keeps them, and what vouches for them right after them, so a
 * proof is as durable as the log and stored once.
 *
 * @module
 */
import { createForkProof, equalBytes, type ForkProof, type ParsedIntention } from '@lattice/model'
import type { LogEntry } from './log-entry.ts'
import type { LogStore } from './log-store.ts'
import { closingRun } from './closing-run.ts'

/** The proof of two committed intentions; undefined when they are no fork. */
export function forkProofOf(
  log: Pick<LogStore, 'path' | 'reader'>,
  first: LogEntry,
  second: LogEntry,
): ForkProof | undefined {
  if (!isFork(first.parsed, second.parsed)) return undefined
  const rest = (entry: LogEntry): ParsedIntention[] => closingRun(log, entry).map(({ parsed }) => parsed)
  return createForkProof([first.parsed, ...rest(first)], [second.parsed, ...rest(second)])
}

function isFork(a: ParsedIntention, b: ParsedIntention): boolean {
  const isOfOne = equalBytes(a.intention.author, b.intention.author)
  return isOfOne && equalBytes(a.intention.storePrev, b.intention.storePrev) && !equalBytes(a.id, b.id)
}
