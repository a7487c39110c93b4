/**
 * Expected outcomes as values: what a pure operation answers when its input may be wrong.
 *
 * Hostile input never travels as an exception, so a caller sees in the type what can be refused and must look.
 *
 * @module
 */

/** Success with a value, or a refusal that says what to do about it. */
export type Result<T, E> = Ok<T> | Err<E>

/** The success side of a {@link Result}. */
export interface Ok<T> {
  readonly ok: true
  readonly value: T
}

/** The refusal side of a {@link Result}. */
export interface Err<E> {
  readonly ok: false
  readonly error: E
}

/** Wraps a value as success. */
export function ok<T>(value: T): Ok<T> {
  return { ok: true, value }
}

/** Wraps a refusal. */
export function err<E>(error: E): Err<E> {
  return { ok: false, error }
}
