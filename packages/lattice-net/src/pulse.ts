/**
 * The one steady tick of the network, and what it tells of time itself.
 *
 * A machine that slept, a process that was stopped and a clock that was set all show as two ticks that are further apart
 * than they were meant to be, by one of the two clocks: whether the monotonic one goes on while a machine sleeps differs
 * between systems, the wall clock does in any case. Nothing has to be asked of the system.
 *
 * @module
 */
import type { Cancel, Clock, Scheduler } from '@lattice/model'
import { CLOCK_JUMP_MS } from './limits.ts'

/** Two readings of the clocks. */
export interface ClockReading {
  readonly wallMs: number
  readonly monotonicMs: number
}

/** How time went between two ticks. */
export interface Beat {
  /** How much later than meant the tick came, by the monotonic clock. */
  readonly lateMs: number
  /** How much further the wall clock went than the monotonic one; negative when it was set back. */
  readonly shiftMs: number
  /** This machine may have been away: what was so of the network may be so no more. */
  readonly isJump: boolean
}

/** Compares a tick with the one before it, `everyMs` after which it was due. Pure and total. */
export function judgeBeat(before: ClockReading, now: ClockReading, everyMs: number): Beat {
  const passedMs = now.monotonicMs - before.monotonicMs
  const lateMs = Math.max(0, passedMs - everyMs)
  const shiftMs = now.wallMs - before.wallMs - passedMs
  return { lateMs, shiftMs, isJump: lateMs > CLOCK_JUMP_MS || Math.abs(shiftMs) > CLOCK_JUMP_MS }
}

export interface PulseOptions {
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly everyMs: number
  readonly onBeat: (beat: Beat) => void
}

/** Ticks until it is cancelled. */
export function startPulse({ clock, scheduler, everyMs, onBeat }: PulseOptions): Cancel {
  const read = (): ClockReading => ({ wallMs: clock.wallMs(), monotonicMs: clock.monotonicMs() })
  let before = read()
  let cancel = scheduler.after(everyMs, tick)
  let isOver = false

  function tick(): void {
    const now = read()
    const beat = judgeBeat(before, now, everyMs)
    before = now
    onBeat(beat)
    if (!isOver) cancel = scheduler.after(everyMs, tick)
  }
  return () => {
    isOver = true
    cancel()
  }
}
