/**
 * The deadlines of one session: of each step while something is due from the peer, of the whole unless it is meant to last,
 * and of the peer's leave at the end.
 *
 * @module
 */
import type { Cancel, Scheduler } from '@lattice/model'
import { PeerTooSlow } from './errors.ts'
import type { NetworkLimits } from './limits.ts'

export interface Deadlines {
  /** Something moved: the step deadline starts over. */
  readonly progress: () => void
  /** The session is over; the peer has the linger time to end its side. */
  readonly replaceByLinger: (onExpired: () => void) => void
  readonly cancel: () => void
}

export function createDeadlines({
  scheduler,
  limits,
  isDue,
  isLasting,
  onExpired,
}: {
  readonly scheduler: Scheduler
  readonly limits: Pick<NetworkLimits, 'stepDeadlineMs' | 'sessionDeadlineMs' | 'lingerMs'>
  readonly isDue: () => boolean
  readonly isLasting: () => boolean
  readonly onExpired: (error: PeerTooSlow) => void
}): Deadlines {
  let cancelStep: Cancel = () => undefined
  let over = false
  const arm = (): void => {
    cancelStep()
    cancelStep = scheduler.after(limits.stepDeadlineMs, () => {
      if (isDue()) onExpired(new PeerTooSlow(limits.stepDeadlineMs, 'the next step of a session'))
      else arm()
    })
  }
  const cancelWhole = scheduler.after(limits.sessionDeadlineMs, () => {
    if (!isLasting()) onExpired(new PeerTooSlow(limits.sessionDeadlineMs, 'the end of a session'))
  })
  const cancel = (): void => {
    over = true
    cancelStep()
    cancelWhole()
  }
  arm()
  return {
    progress: () => {
      if (!over) arm()
    },
    replaceByLinger: (onLingered) => {
      cancel()
      cancelStep = scheduler.after(limits.lingerMs, onLingered)
    },
    cancel,
  }
}
