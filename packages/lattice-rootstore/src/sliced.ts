/**
 * Long work in slices, so that whoever runs it decides whether others get a turn in between.
 *
 * Such work is a generator that yields what it has gone through since it yielded last, as bytes. It reads no clock and
 * waits for nothing: run at once or in turns, it does the same.
 *
 * @module
 */
import type { AbortSignal } from '@lattice/model'

/** Yields the bytes that were gone through since the last time, or what cost as much. */
export type Sliced<Result> = Generator<number, Result, undefined>

/** Bytes of one slice, and of one turn: hashing, checking and unpacking them takes a millisecond or two. */
export const SLICE_BYTES: number = 64 * 1024

/** What looking at one entry of a list costs beside its bytes. */
export const ENTRY_COST = 1024

export interface Turns {
  /** Resolves in a later turn. */
  readonly pause: () => Promise<void>
  readonly signal: AbortSignal
}

/** Runs the work in this turn. */
export function runAtOnce<Result>(work: Sliced<Result>): Result {
  let step = work.next()
  while (step.done !== true) step = work.next()
  return step.value
}

/** Runs the work over as many turns as it is long. Rejects with `signal.reason` once aborted, or what the work throws. */
export async function runInTurns<Result>(work: Sliced<Result>, { pause, signal }: Turns): Promise<Result> {
  let spent = 0
  signal.throwIfAborted()
  for (let step = work.next(); ; step = work.next()) {
    if (step.done === true) return step.value
    spent += step.value
    if (spent < SLICE_BYTES) continue
    spent = 0
    await pause()
    signal.throwIfAborted()
  }
}
