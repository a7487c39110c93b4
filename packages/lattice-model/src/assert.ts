/**
 * Assertions: what the code relies on, checked where it relies on it.
 *
 * A failed assertion is a bug in this program, never a property of its input. Only the supervisor of a task tree
 * catches an {@link InvariantViolation}.
 *
 * @module
 */

/** Something that is always true was not: a bug. */
export class InvariantViolation extends Error {
  override readonly name = 'InvariantViolation'
}

/** Throws {@link InvariantViolation} unless `condition` holds. `whatIsTrue` states the rule, not the failure. */
export function assert(condition: boolean, whatIsTrue: string): asserts condition {
  if (!condition) throw new InvariantViolation(`does not hold: ${whatIsTrue}`)
}

/** The end of an exhaustive switch: compiles only when no case is left over. */
export function unreachable(value: never): never {
  throw new InvariantViolation(`does not hold: every case is handled (got ${String(value)})`)
}
