/**
 * Turns a frame that says what time it is into one that says another: none, an earlier one, or a later one.
 *
 * @module
 */
import type { SeededRandom } from '@lattice/model/testing'
import type { Frame, FrameInit } from '@lattice/net'

const MINUTE_MS = 60_000
/** Two years. */
const MAX_EARLY_MINUTES = 1_051_200
/** A lifetime. */
export const MAX_LATE_MS: number = 40_000_000 * MINUTE_MS

/** At most `lateMs` ahead of what was to be said. Undefined for a frame that does not say the time. */
export function lieAboutTime(frame: Frame, random: SeededRandom, lateMs: number): FrameInit | undefined {
  switch (frame.case) {
    case 'open':
      return { case: 'open', value: { ...frame.value, wallTime: drawTime(frame.value.wallTime, random, lateMs) } }
    case 'accepted':
      return { case: 'accepted', value: { ...frame.value, wallTime: drawTime(frame.value.wallTime, random, lateMs) } }
    default:
      return undefined
  }
}

function drawTime(truth: bigint, random: SeededRandom, lateMs: number): bigint {
  switch (random.below(4)) {
    case 0:
      // It does not know.
      return 0n
    case 1: {
      const earlyMs = BigInt(MINUTE_MS * random.below(MAX_EARLY_MINUTES))
      return earlyMs < truth ? truth - earlyMs : 0n
    }
    case 2:
      return truth + BigInt(random.below(1 + Math.min(lateMs, MINUTE_MS)))
    default:
      return truth + BigInt(Math.floor((lateMs * (1 + random.below(100))) / 100))
  }
}
