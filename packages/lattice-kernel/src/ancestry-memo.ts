/**
 * What was found about who follows whom, in bounded memory.
 *
 * On a chain that never forked, whoever comes after one that follows does so too, and whoever comes before one that does
 * not, does not. Positions say nothing once a chain forks; then only what was found of each intention by itself counts.
 *
 * @module
 */
import type { IntentionMeta } from './log-entry.ts'

export interface AncestryMemo {
  /** Undefined when it is not known. */
  readonly recall: (ancestor: IntentionMeta, descendant: IntentionMeta) => boolean | undefined
  readonly remember: (ancestor: IntentionMeta, descendant: IntentionMeta, follows: boolean) => void
  readonly forget: () => void
}

interface Known {
  /** By author: the lowest position known to follow. */
  readonly from: Map<number, number>
  /** By author: the highest position known not to follow. */
  readonly upTo: Map<number, number>
  /** By seq. */
  readonly single: Map<number, boolean>
}

/** Answers remembered: some megabytes, and as many as a fork of a member may ask for before a walk starts over. */
const ANSWERS_MAX = 65_536

/** `isUnforked` tells whether an author's witnessed intentions are one chain, by what is witnessed now. */
export function createAncestryMemo(isUnforked: (author: number) => boolean): AncestryMemo {
  const byAncestor = new Map<number, Known>()
  let answers = 0

  function forget(): void {
    byAncestor.clear()
    answers = 0
  }

  function knownOf(ancestor: IntentionMeta): Known {
    const known = byAncestor.get(ancestor.seq) ?? { from: new Map(), upTo: new Map(), single: new Map() }
    byAncestor.set(ancestor.seq, known)
    return known
  }

  return {
    recall: (ancestor, { seq, author, position }) => {
      const known = byAncestor.get(ancestor.seq)
      if (known === undefined) return undefined
      if (!isUnforked(author)) return known.single.get(seq)
      if (position >= (known.from.get(author) ?? Infinity)) return true
      return position <= (known.upTo.get(author) ?? -1) ? false : undefined
    },
    remember: (ancestor, { seq, author, position }, follows) => {
      if (answers >= ANSWERS_MAX) forget()
      answers += 1
      const { from, upTo, single } = knownOf(ancestor)
      if (!isUnforked(author)) single.set(seq, follows)
      else if (follows) from.set(author, Math.min(position, from.get(author) ?? Infinity))
      else upTo.set(author, Math.max(position, upTo.get(author) ?? -1))
    },
    forget,
  }
}
