/**
 * Questions about the causal order of what is witnessed.
 *
 * A walk goes from an intention back through its causes and looks only at what can lie above the ancestor: by generation
 * and, on a chain that never forked, by position alone. What an author's chain was found to follow is remembered, since
 * whatever comes later on it follows too. The answer is exact; only its cost depends on what is remembered.
 *
 * @module
 */
import { causesOf, type IntentionId } from '@lattice/model'
import type { IntentionMeta, LogEntry } from './log-entry.ts'
import type { LogStore } from './log-store.ts'

export interface DagQueries {
  /** True when `ancestor` is among the causes of `entry`, at any distance. `entry` need not be appended. */
  readonly follows: (entry: LogEntry, ancestor: IntentionId) => boolean
  readonly isAncestor: (ancestor: IntentionId, descendant: IntentionId) => boolean
  /** Forgets what was remembered: records were taken back, and others will have their places. */
  readonly forget: () => void
}

/** Remembered answers: a few per author and grant. */
const MEMO_MAX = 4096

export function createDagQueries(log: LogStore): DagQueries {
  // By ancestor and author: the lowest position of the author known to follow the ancestor.
  const memo = new Map<string, number>()

  function isUnforked(author: number): boolean {
    return log.authors.byNumber(author).tips.size <= 1
  }

  function remember(ancestor: IntentionMeta, { seq, author, position }: IntentionMeta): void {
    // A write that is not appended may yet be refused: another would take its place on the chain.
    if (seq > log.meta().headSeq) return
    if (memo.size >= MEMO_MAX) memo.clear()
    const key = `${ancestor.seq}/${author}`
    memo.set(key, Math.min(position, memo.get(key) ?? position))
  }

  /** The answer for `at`, or undefined when its causes have to be looked at. */
  function decide(at: IntentionMeta, ancestor: IntentionMeta): boolean | undefined {
    if (at.seq === ancestor.seq) return true
    if (at.generation <= ancestor.generation || at.seq < ancestor.seq) return false
    if (!isUnforked(at.author)) return undefined
    if (at.author === ancestor.author) return true
    const known = memo.get(`${ancestor.seq}/${at.author}`)
    return known !== undefined && known <= at.position ? true : undefined
  }

  function follows(entry: LogEntry, ancestorId: IntentionId): boolean {
    const ancestor = log.find(ancestorId)
    if (ancestor === undefined || ancestor.seq >= entry.meta.seq) return false
    if (ancestor.seq === 1) return true
    const seen = new Set<number>()
    const stack = [entry]
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      for (const id of causesOf(at.parsed.intention)) {
        const cause = log.find(id)
        if (cause === undefined || seen.has(cause.seq)) continue
        seen.add(cause.seq)
        const decided = decide(cause, ancestor)
        if (decided === true) {
          remember(ancestor, entry.meta)
          return true
        }
        if (decided === undefined) stack.push(log.entryAt(cause.seq))
      }
    }
    return false
  }

  return {
    follows,
    forget: () => memo.clear(),
    isAncestor: (ancestor, descendant) => {
      const meta = log.find(descendant)
      return meta !== undefined && follows(log.entryAt(meta.seq), ancestor)
    },
  }
}
