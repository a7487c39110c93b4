/**
 * A clock that stands still until a test moves it.
 *
 * @module
 */
import { assert } from '../assert.ts'
import type { Clock } from '../ports.ts'

/** A {@link Clock} under a test's control. */
export interface ManualClock extends Clock {
  /** Moves both readings on. */
  readonly advance: (ms: number) => void
  /** Sets the wall reading alone, either way: someone changed the machine's time. */
  readonly setWallMs: (wallMs: number) => void
}

/** A clock that starts at `wallMs`, by default a day in November 2026. */
export function createManualClock({ wallMs = 1_795_000_000_000 }: { readonly wallMs?: number } = {}): ManualClock {
  let wall = wallMs
  let monotonic = 0
  return {
    wallMs: () => wall,
    monotonicMs: () => monotonic,
    advance: (ms) => {
      assert(ms >= 0, 'monotonic time does not run back')
      wall += ms
      monotonic += ms
    },
    setWallMs: (value) => {
      wall = value
    },
  }
}
