/**
 * Looks at what floats in a store and groups it.
 *
 * A look is bounded, however much floats: so many intentions, so many groups.
 *
 * @module
 */
import type { FloatingIntention, Kernel } from '@lattice/kernel'
import { causesOf, equalBytes, idKey, type IdKey, type IntentionId, type PublicKey } from '@lattice/model'
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

/** Groups floating intentions, the largest first. What waits for one that waits itself is grouped by what that lacks. */
export function groupFloating(listed: readonly FloatingIntention[], nameOf: NameOf): readonly FloatingGroup[] {
  // Who follows an intention on its own chain is its author, and that is all that tells of one that is not here.
  const authors = new Map(listed.map(({ parsed }) => [idKey(parsed.intention.storePrev), parsed.intention.author]))
  const causeOf = createCauseFinder(listed)
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

/** What an intention waits for in the end, where nobody here has it; each is looked at once. */
function createCauseFinder(
  listed: readonly FloatingIntention[],
): (floating: FloatingIntention) => IntentionId | undefined {
  const byId = new Map(listed.map((floating) => [idKey(floating.parsed.id), floating]))
  const found = new Map<IdKey, IntentionId | undefined>()

  return (from) => {
    const path: IdKey[] = []
    let cause: IntentionId | undefined
    for (let next: FloatingIntention | undefined = from; next !== undefined;) {
      const key = idKey(next.parsed.id)
      if (found.has(key)) {
        cause = found.get(key)
        break
      }
      // Noted at once: those that cite each other, which no honest node makes, come round here and find nothing.
      found.set(key, undefined)
      path.push(key)
      cause = missingOf(next)
      if (cause !== undefined || next.reason !== 'missing_causes') break
      next = causesOf(next.parsed.intention)
        .map((id) => byId.get(idKey(id)))
        .find((other) => other !== undefined)
    }
    for (const key of path) found.set(key, cause)
    return cause
  }
}

/** Of several, what the author itself wrote before: of that the author is known. */
function missingOf({ parsed, missing }: FloatingIntention): IntentionId | undefined {
  return missing.find((id) => equalBytes(id, parsed.intention.storePrev)) ?? missing[0]
}
