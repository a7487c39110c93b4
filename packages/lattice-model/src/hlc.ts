/**
 * The hybrid logical clock: wall time where the machines agree on it, a counter where they do not.
 *
 * Every timestamp is greater than the one before and than all observed ones, so time follows causality; yet no peer can
 * drag it further than {@link MAX_DRIFT_MS} ahead. The clock never runs back: it goes on from its last value when the
 * wall clock does, and over a restart when `last` is the persisted one.
 *
 * Pure but for the injected clock, which must answer the same `now` that admits foreign timestamps.
 *
 * @module
 */
import { assert } from './assert.ts'
import { MAX_DRIFT_MS, MAX_HLC_COUNTER, MAX_WALL_MS } from './limits.ts'
import type { Clock } from './ports.ts'

/** A point in hybrid time: ordered by wall, then counter. */
export interface Hlc {
  /** Milliseconds since the Unix epoch, at most {@link MAX_WALL_MS}. */
  readonly wall: number
  /** A u32 that tells events of one millisecond apart. */
  readonly counter: number
}

/** Before every other timestamp. */
export const HLC_ZERO: Hlc = { wall: 0, counter: 0 }

/** 2025-01-01: a clock that says less is wrong, this software did not exist. A board without a battery boots in 1970. */
export const EARLIEST_CLOCK_MS = 1_735_689_600_000

/** A node's clock for one store. */
export interface HybridClock {
  /** A timestamp greater than {@link HybridClock.last}, for one new intention. */
  readonly tick: () => Hlc
  /** Takes note of a foreign timestamp: the next tick is after it, or at the drift cap if it is beyond. */
  readonly observe: (remote: Hlc) => void
  /** The greatest value ticked or observed: what is persisted with each commit. */
  readonly last: () => Hlc
}

/** Negative, zero or positive as `a` is before, at or after `b`. */
export function compareHlc(a: Hlc, b: Hlc): number {
  return a.wall === b.wall ? a.counter - b.counter : a.wall - b.wall
}

/** True when both parts are within their range. */
export function isHlc(value: Hlc): boolean {
  return isWithin(value.wall, MAX_WALL_MS) && isWithin(value.counter, MAX_HLC_COUNTER)
}

/** `wall.counter`, for logs and errors. */
export function formatHlc(value: Hlc): string {
  return `${value.wall}.${value.counter}`
}

/** Starts a clock that continues after `last`. */
export function createHlc({ clock, last = HLC_ZERO }: { readonly clock: Clock; readonly last?: Hlc }): HybridClock {
  assert(isHlc(last), 'the persisted clock is within range')
  let current: Hlc = last

  return {
    tick: () => {
      const next = successor(current, readWall(clock))
      assert(compareHlc(next, current) > 0, 'hybrid time only grows')
      current = next
      return next
    },
    observe: (remote) => {
      assert(isHlc(remote), 'an observed timestamp is within range')
      const cap = Math.min(readWall(clock) + MAX_DRIFT_MS, MAX_WALL_MS)
      const target = remote.wall > cap ? { wall: cap, counter: 0 } : remote
      if (compareHlc(target, current) > 0) current = target
    },
    last: () => current,
  }
}

function successor(current: Hlc, now: number): Hlc {
  if (now > current.wall) return { wall: now, counter: 0 }
  if (current.counter < MAX_HLC_COUNTER) return { wall: current.wall, counter: current.counter + 1 }
  assert(current.wall < MAX_WALL_MS, 'hybrid time has room to grow')
  return { wall: current.wall + 1, counter: 0 }
}

/** A machine's clock can say anything; what it says is brought into range, not refused. */
function readWall(clock: Clock): number {
  const now = Math.floor(clock.wallMs())
  if (!(now > 0)) return 0
  return Math.min(now, MAX_WALL_MS)
}

function isWithin(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= max
}
