/**
 * Looks at what floats in a store and groups it.
 *
 * A look is bounded, however much floats: so many intentions, so many groups.
 *
 * @module
 */
import type { FloatingIntention, Kernel } from '@lattice/kernel'
import { equalBytes, idKey, type IntentionId, type PublicKey } from '@lattice/model'
import type { FloatingGroup, FloatingSnapshot } from './store-snapshot.ts'
import type { Named } from './words.ts'

/** Intentions looked at: more than a person asks about, in a few milliseconds. */
const LISTED_MAX = 4096
/** Groups told, the largest: what is behind them is told as a number. */
const GROUPS_MAX = 32

export type NameOf = (publicKey: PublicKey) => Named

/** What floats, by author, reason and cause. */
export function gatherFloating(kernel: Pick<Kernel, 'floating' | 'stats' | 'time'>, nameOf: NameOf): FloatingSnapshot {
  const { floatingCount: total, evictedCount: evicted } = kernel.stats()
  const listed = total === 0 ? [] : kernel.floating(LISTED_MAX)
  return { nowMs: kernel.time().nowMs, groups: groupFloating(listed, nameOf), listed: listed.length, total, evicted }
}

/** Groups floating intentions, the largest first. */
export function groupFloating(listed: readonly FloatingIntention[], nameOf: NameOf): readonly FloatingGroup[] {
  // Who follows an intention on its own chain is its author, and that is all that tells of one that is not here.
  const authors = new Map(listed.map(({ parsed }) => [idKey(parsed.intention.storePrev), parsed.intention.author]))
  const groups = new Map<string, FloatingGroup>()
  for (const floating of listed) {
    const { author, timestamp } = floating.parsed.intention
    const cause = causeOf(floating)
    const key = [floating.reason, idKey(author), cause === undefined ? '' : idKey(cause)].join(' ')
    const known = groups.get(key)
    const causeAuthor = cause && authors.get(idKey(cause))
    groups.set(key, {
      reason: floating.reason,
      author: nameOf(author),
      count: (known?.count ?? 0) + 1,
      cause: cause && { id: cause, author: causeAuthor && nameOf(causeAuthor) },
      firstMs: Math.min(known?.firstMs ?? Infinity, timestamp.wall),
      lastMs: Math.max(known?.lastMs ?? 0, timestamp.wall),
    })
  }
  return [...groups.values()].toSorted((a, b) => b.count - a.count).slice(0, GROUPS_MAX)
}

/** Of several, what the author itself wrote before: of that the author is known. */
function causeOf({ parsed, missing }: FloatingIntention): IntentionId | undefined {
  return missing.find((id) => equalBytes(id, parsed.intention.storePrev)) ?? missing[0]
}
