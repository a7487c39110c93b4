/**
 * Who takes how much of the floating pool, and who has to give.
 *
 * Authors are kept in classes by the binary order of what they hold, so the greediest is found without looking at all of
 * them, however many keys a hostile peer makes up. Within an author the oldest goes first.
 *
 * @module
 */
import { assert, type IdKey } from '@lattice/model'
import type { FloatingEntry } from './floating-entry.ts'

/**
 * Intentions that float at most: a burst of gossip ahead of its causes, kept in memory.
 * @beyond The latest of who floats most are dropped, and fetched again.
 */
export const MAX_FLOATING = 65_536
/**
 * What they weigh at most: memory that one store may cost whatever peers send.
 * @beyond The latest of who floats most are dropped, and fetched again.
 */
export const MAX_FLOATING_BYTES: number = 64 * 1024 * 1024
/** One author may take this part of either, so that it cannot crowd out the others. */
export const AUTHOR_SHARE: number = 1 / 8

export interface FloatingLimits {
  readonly count: number
  readonly bytes: number
}

interface Holding {
  /** By arrival, oldest first. */
  readonly entries: Set<FloatingEntry>
  bytes: number
}

export interface FloatingQuota {
  readonly add: (entry: FloatingEntry) => void
  readonly remove: (entry: FloatingEntry) => void
  /** What has to go so that `author`, then all, are within their limits; `undefined` when they are. */
  readonly excess: (author: IdKey) => FloatingEntry | undefined
  readonly bytes: () => number
}

export function createFloatingQuota({ count, bytes }: FloatingLimits): FloatingQuota {
  const holdings = new Map<IdKey, Holding>()
  const classes: Set<Holding>[] = []
  // One measure of both limits: what an entry takes of its share, in bytes.
  const bytesPerEntry = bytes / count
  let total = 0
  let entries = 0

  const classOf = (holding: Holding): Set<Holding> => {
    const order = Math.floor(Math.log2(Math.max(1, holding.bytes + holding.entries.size * bytesPerEntry)))
    while (classes.length <= order) classes.push(new Set())
    const found = classes[order]
    assert(found !== undefined, 'there is a class for every order')
    return found
  }
  const change = (entry: FloatingEntry, apply: (holding: Holding) => void): void => {
    const holding = holdings.get(entry.authorKey) ?? { entries: new Set(), bytes: 0 }
    classOf(holding).delete(holding)
    apply(holding)
    if (holding.entries.size === 0) {
      holdings.delete(entry.authorKey)
      return
    }
    holdings.set(entry.authorKey, holding)
    classOf(holding).add(holding)
  }
  const oldestOf = (holding: Holding | undefined): FloatingEntry | undefined => holding?.entries.values().next().value

  return {
    add: (entry) =>
      change(entry, (holding) => {
        holding.entries.add(entry)
        holding.bytes += entry.weight
        total += entry.weight
        entries += 1
      }),
    remove: (entry) =>
      change(entry, (holding) => {
        if (!holding.entries.delete(entry)) return
        holding.bytes -= entry.weight
        total -= entry.weight
        entries -= 1
      }),
    excess: (author) => {
      const holding = holdings.get(author)
      const isGreedy =
        holding !== undefined && (holding.entries.size > count * AUTHOR_SHARE || holding.bytes > bytes * AUTHOR_SHARE)
      if (isGreedy) return oldestOf(holding)
      if (entries <= count && total <= bytes) return undefined
      return oldestOf(
        classes
          .findLast((holders) => holders.size > 0)
          ?.values()
          .next().value,
      )
    },
    bytes: () => total,
  }
}
