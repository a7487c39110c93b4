/**
 * Where this node's own chain ends.
 *
 * The last tip is remembered, so that a write does not read its predecessor from the disk again. What is remembered holds
 * as long as the log keeps the record: whoever takes records back forgets it.
 *
 * @module
 */
import { compareHlc, type PublicKey } from '@lattice/model'
import type { LogEntry } from './log-entry.ts'
import type { LogStore } from './log-store.ts'

export interface OwnTips {
  /** The latest first: several after a fork, which the next write joins; none before the first write. */
  readonly all: () => readonly LogEntry[]
  readonly forget: () => void
}

export function createOwnTips(log: LogStore, self: PublicKey): OwnTips {
  let last: LogEntry | undefined

  return {
    all: () => {
      const author = log.authors.find(self)
      if (author === undefined) return []
      const [only] = author.tips
      if (author.tips.size > 1 || only === undefined) {
        const tips = [...author.tips].map((seq) => log.entryAt(seq))
        return tips.sort((a, b) => compareHlc(b.meta.timestamp, a.meta.timestamp) || b.meta.seq - a.meta.seq)
      }
      if (last?.meta.seq !== only) last = log.entryAt(only)
      return [last]
    },
    forget: () => {
      last = undefined
    },
  }
}
