/**
 * What is wrong with an item of a foundation.
 *
 * @module
 */
import type { FoundationFault } from './foundation-types.ts'

export interface Problem {
  readonly code: FoundationFault
  /** One sentence. */
  readonly problem: string
}

export function problem(code: FoundationFault, sentence: string): Problem {
  return { code, problem: sentence }
}

/** The first of several checks that finds something. */
export function firstProblem(...checks: readonly (() => Problem | undefined)[]): Problem | undefined {
  for (const check of checks) {
    const found = check()
    if (found !== undefined) return found
  }
  return undefined
}
