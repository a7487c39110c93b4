/**
 * Something that a node writes by itself, some time after there is a reason to.
 *
 * The delay runs from the first reason and is not put off by those after it. A node that may not write, or cannot now,
 * tries again when that may have changed: an event of the store is a reason, too. Where no event tells that it may write
 * again, and after an unexpected failure, it is tried again after a while.
 *
 * @module
 */
import { type Cancel, isLatticeError } from '@lattice/model'
import type { Core } from './core.ts'

export interface FollowUp {
  /** Does it after `delayMs`, unless it is to be done earlier anyway; never when that is infinite. */
  readonly arm: (delayMs: number) => void
  readonly isClosed: () => boolean
  /** Resolves when what it was doing is done. */
  readonly close: () => Promise<void>
}

export interface FollowUpOptions {
  /** What it is called in the log. */
  readonly name: string
  /** Looks whether there is something to do, and does it. */
  readonly act: () => Promise<void>
}

/** After a failure that was not expected, as a full disk or a clock that is ahead, and while the store is held. */
export const RETRY_DELAY_MS = 60_000

/** What a store that is not in the state to be written to answers; an event of the store ends it. */
const NOT_NOW: ReadonlySet<string> = new Set(['NOT_ADMITTED', 'REVOKED', 'PROJECTION_STALLED', 'CLOSED'])

/** What a store that is held answers. What ends that is no event of the store. */
function isHeld(error: unknown): boolean {
  return isLatticeError(error) && error.code === 'STORE_NOT_READY'
}

export function createFollowUp(
  { storeId, scheduler, logger }: Pick<Core['options'], 'storeId' | 'scheduler' | 'logger'>,
  { name, act }: FollowUpOptions,
): FollowUp {
  let isClosed = false
  let cancelTimer: Cancel | undefined
  let running: Promise<void> | undefined

  function arm(delayMs: number): void {
    if (isClosed || cancelTimer !== undefined || delayMs === Infinity) return
    cancelTimer = scheduler.after(delayMs, () => {
      cancelTimer = undefined
      running ??= run().finally(() => {
        running = undefined
      })
    })
  }

  async function run(): Promise<void> {
    try {
      await act()
    } catch (error) {
      if (isLatticeError(error) && NOT_NOW.has(error.code)) return
      if (!isHeld(error)) logger.warn(`${name} failed`, { storeId, error })
      arm(RETRY_DELAY_MS)
    }
  }

  return {
    arm,
    isClosed: () => isClosed,
    close: async () => {
      isClosed = true
      cancelTimer?.()
      cancelTimer = undefined
      await running
    },
  }
}
