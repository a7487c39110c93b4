/**
 * Compares the reachability index with the records, while they are walked through.
 *
 * @module
 */
import type { Database } from '@lattice/storage'
import type { PrunedBase } from './log-base.ts'
import type { SeenPlace } from './seen-ids.ts'
import { createReachCheck } from './reach-check.ts'
import { createSqliteBlocks } from './reach-log.ts'
import { reasonOf } from './record-scan.ts'

export interface ReachFollower {
  readonly follow: (place: SeenPlace, causes: readonly SeenPlace[]) => void
  /** What was found wrong, a few sentences at most. `isHead`: nothing was indexed beyond the last one followed. */
  readonly end: (isHead: boolean) => readonly string[]
}

/** Sentences at most, and records between two comparisons. */
const PROBLEMS_MAX = 4
const RECORDS_PER_COMPARISON = 256

export function createReachFollower(database: Database, base?: PrunedBase): ReachFollower {
  const problems: string[] = []
  let isOver = false
  const check = createReachCheck(createSqliteBlocks(database), base && { anchors: base })
  let followed = 0

  function guarded(work: () => void): void {
    if (isOver) return
    try {
      work()
    } catch (error) {
      // What follows builds on what cannot be read.
      problems.push(reasonOf(error))
      isOver = true
    }
    isOver ||= problems.length >= PROBLEMS_MAX
  }

  function compare(isHead: boolean): void {
    for (const { lane, block, problem } of check.compare(isHead))
      problems.push(`block ${block} of lane ${lane} ${problem}`)
  }

  return {
    follow: ({ lane, position, seq }, causes) =>
      guarded(() => {
        // Of what it follows only what may be asked is kept, which is less than it was written with.
        if (base !== undefined && causes.some((cause) => base.isBelow(cause))) {
          compare(false)
          check.pass(seq)
          return
        }
        check.follow({ lane, position, seq, causes })
        followed += 1
        if (followed % RECORDS_PER_COMPARISON === 0) compare(false)
      }),
    end: (isHead) => {
      guarded(() => compare(isHead))
      return problems.slice(0, PROBLEMS_MAX)
    },
  }
}
