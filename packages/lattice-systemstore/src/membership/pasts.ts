/**
 * Which records are in the past of which, asked as seldom as possible: an answer may cost a walk through the DAG.
 *
 * An author's records follow each other but where it forked, so those of them that are in a past are the first few, and
 * how many is found by halving.
 *
 * @module
 */
import type { MembershipHistory } from '@lattice/store-base'

/** Branches of one author that are looked at for the end that a record follows: an honest author has one. */
const MAX_BRANCHES = 8

/** Records are named by their place in the history. */
export interface Pasts {
  /** True when record `ancestor` is in the past of record `at`. */
  readonly follows: (at: number, ancestor: number) => boolean
  /** Takes a record into account for {@link within}; in order of place. */
  readonly add: (at: number, author: number) => void
  /** Which of the records that were added are in the past of `at`: 1 at their places. */
  readonly within: (at: number) => Uint8Array
}

export function createPasts({ records, follows: ask }: MembershipHistory): Pasts {
  const size = records.length
  const known = new Map<number, boolean>()
  const chains: number[][] = []
  const byAuthor = new Map<number, number[][]>()

  function follows(at: number, ancestor: number): boolean {
    const [record, cause] = [records[at], records[ancestor]]
    if (record === undefined || cause === undefined || cause.generation >= record.generation) return false
    const pair = at * size + ancestor
    const answered = known.get(pair)
    if (answered !== undefined) return answered
    const answer = ask(record.id, cause.id)
    known.set(pair, answer)
    return answer
  }

  /** How many of the chain are in the past of `at`. */
  function countOf(chain: readonly number[], at: number): number {
    let [low, high] = [0, chain.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (follows(at, chain[middle] ?? size)) low = middle + 1
      else high = middle
    }
    return low
  }

  return {
    follows,
    add: (at, author) => {
      const own = byAuthor.get(author) ?? []
      byAuthor.set(author, own)
      const branch = own.slice(-MAX_BRANCHES).findLast((chain) => follows(at, chain.at(-1) ?? size))
      if (branch !== undefined) branch.push(at)
      else {
        const chain = [at]
        own.push(chain)
        chains.push(chain)
      }
    },
    within: (at) => {
      const found = new Uint8Array(size)
      for (const chain of chains) {
        const count = countOf(chain, at)
        for (let place = 0; place < count; place += 1) found[chain[place] ?? size] = 1
      }
      return found
    },
  }
}
