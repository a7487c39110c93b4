/**
 * Whether a well-formed system operation counts.
 *
 * Reads facts alone, and of them only those in the operation's past, so every
 * node gives the same verdict whatever else has arrived.
 *
 * @module
 */
import type { PublicKey, ReadTable } from '@lattice/model'
import { createMadeFacts, type Fact, findFact, type Follows } from './facts.ts'
import type { OpPlan, UnauthorizedReason } from './op-plan.ts'

export interface Claimant {
  readonly author: PublicKey
  readonly follows: Follows
  /** What the author may do at most. */
  readonly limit?: 'writer' | undefined
}

/** The first reason why the steps do not count; undefined when they do. */
export function authorize(
  read: ReadTable,
  { author, follows, limit }: Claimant,
  steps: readonly OpPlan[],
): UnauthorizedReason | undefined {
  const holds = (fact: Fact): boolean => findFact(read, fact, follows) !== undefined
  // A batch gives its own author nothing: what it makes is for the operations in it.
  const isPrivileged = steps.some((step) => step.privileged)
  if (isPrivileged && (limit === 'writer' || !holds({ kind: 'role', peer: author, least: 'admin' }))) return 'not_admin'
  const made = createMadeFacts()
  for (const { needs = [], bars = [], makes = [] } of steps) {
    const lacking = needs.find(({ fact }) => !made.has(fact) && !holds(fact))
    if (lacking !== undefined) return lacking.reason
    // Of what a batch says twice the last counts, except that nothing undoes a destruction, there either.
    const barred = bars.find(({ fact }) => holds(fact) || (fact.kind === 'child_destroyed' && made.has(fact)))
    if (barred !== undefined) return barred.reason
    for (const fact of makes) made.add(fact)
  }
  return undefined
}
