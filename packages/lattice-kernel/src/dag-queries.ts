/**
 * Questions about the causal order of what is witnessed.
 *
 * A walk goes from an intention back through its causes and looks only at what can lie above the ancestor. What it finds
 * is remembered, for yes and for no: on a chain that never forked one position answers for all beyond it, on one that
 * did each intention answers for itself. So a member whose every write asks costs one walk, not one walk per write. The
 * answer is exact; only its cost depends on what is remembered.
 *
 * @module
 */
import { causesOf, type IntentionId } from '@lattice/model'
import { createAncestryMemo } from './ancestry-memo.ts'
import { WalkTooLong } from './errors.ts'
import type { IntentionMeta, LogEntry } from './log-entry.ts'
import type { LogStore } from './log-store.ts'

export interface DagQueries {
  /** True when `ancestor` is among the causes of `entry`, at any distance. `entry` need not be appended. */
  readonly follows: (entry: LogEntry, ancestor: IntentionId) => boolean
  /** Throws `WalkTooLong` rather than look at more than `budget` records. */
  readonly isAncestor: (ancestor: IntentionId, descendant: IntentionId, budget?: number) => boolean
  /** Forgets what was remembered: records were taken back, and others will have their places. */
  readonly forget: () => void
}

/** Records that one question of a user may look at: about a second. */
export const WALK_BUDGET = 100_000

export function createDagQueries(log: LogStore): DagQueries {
  const memo = createAncestryMemo((author) => log.authors.byNumber(author).tips.size <= 1)

  /** The answer for `at`, or undefined when its causes have to be looked at. */
  function decide(at: IntentionMeta, ancestor: IntentionMeta): boolean | undefined {
    if (at.seq === ancestor.seq) return true
    if (at.generation <= ancestor.generation || at.seq < ancestor.seq) return false
    if (at.author === ancestor.author && log.authors.byNumber(at.author).tips.size <= 1) return true
    return memo.recall(ancestor, at)
  }

  function walk(entry: LogEntry, ancestor: IntentionMeta, budget: number): boolean {
    const seen = new Set<number>()
    const visited: IntentionMeta[] = []
    const stack = [entry]
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      if (visited.length >= budget) throw new WalkTooLong(budget)
      visited.push(at.meta)
      for (const id of causesOf(at.parsed.intention)) {
        const cause = log.find(id)
        if (cause === undefined || seen.has(cause.seq)) continue
        seen.add(cause.seq)
        const decided = decide(cause, ancestor)
        if (decided === true) {
          remember(ancestor, [entry.meta, at.meta], true)
          return true
        }
        if (decided === undefined) stack.push(log.entryAt(cause.seq))
      }
    }
    // Nothing that was looked at follows it: that would have been found.
    remember(ancestor, visited, false)
    return false
  }

  function remember(ancestor: IntentionMeta, metas: readonly IntentionMeta[], follows: boolean): void {
    const { headSeq } = log.meta()
    for (const meta of metas) {
      // A write that is not appended may yet be refused: another would take its place on the chain.
      if (meta.seq <= headSeq) memo.remember(ancestor, meta, follows)
    }
  }

  function follows(entry: LogEntry, ancestorId: IntentionId, budget = Infinity): boolean {
    const ancestor = log.find(ancestorId)
    if (ancestor === undefined || ancestor.seq >= entry.meta.seq) return false
    if (ancestor.seq === 1) return true
    return memo.recall(ancestor, entry.meta) ?? walk(entry, ancestor, budget)
  }

  return {
    follows,
    forget: memo.forget,
    isAncestor: (ancestor, descendant, budget = WALK_BUDGET) => {
      const meta = log.find(descendant)
      return meta !== undefined && follows(log.entryAt(meta.seq), ancestor, budget)
    },
  }
}
