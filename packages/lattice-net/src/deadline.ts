/**
 * Signals with an end: a parent's abort or a deadline, whichever comes first.
 *
 * @module
 */
import { type AbortSignal, createAbortController, type Scheduler } from '@lattice/model'
import { PeerTooSlow } from './errors.ts'

export interface Deadline {
  readonly signal: AbortSignal
  readonly abort: (reason: unknown) => void
  /** Lets go of the parent and the timer. */
  readonly release: () => void
}

export interface DeadlineOptions {
  readonly parents: readonly AbortSignal[]
  readonly scheduler: Scheduler
  /** No limit without it. */
  readonly afterMs?: number
  readonly waitingFor: string
}

/** Aborts with the first parent's reason, or with {@link PeerTooSlow}. To be released. */
export function createDeadline({ parents, scheduler, afterMs, waitingFor }: DeadlineOptions): Deadline {
  const controller = createAbortController()
  const listeners = parents.map((parent) => {
    const onAbort = (): void => controller.abort(parent.reason)
    if (parent.aborted) onAbort()
    else parent.addEventListener('abort', onAbort, { once: true })
    return () => parent.removeEventListener('abort', onAbort)
  })
  const cancel =
    afterMs === undefined
      ? undefined
      : scheduler.after(afterMs, () => controller.abort(new PeerTooSlow(afterMs, waitingFor)))
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    release: () => {
      cancel?.()
      for (const remove of listeners) remove()
    },
  }
}

/** Rejects with `signal.reason` when it aborts first. What comes later goes to `onLate`. */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal, onLate: (value: T) => void): Promise<T> {
  let onAbort: (() => void) | undefined
  let gone = false
  const aborted = new Promise<never>((_, reject) => {
    onAbort = (): void => {
      gone = true
      reject(signal.reason)
    }
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
  })
  const late = work.then(
    (value) => {
      if (gone) onLate(value)
      return value
    },
    (error: unknown) => {
      throw error
    },
  )
  try {
    return await Promise.race([late, aborted])
  } finally {
    if (onAbort !== undefined) signal.removeEventListener('abort', onAbort)
  }
}

/** Resolves after `delayMs`, or at once when one of `signals` aborts. */
export async function pause(scheduler: Scheduler, delayMs: number, signals: readonly AbortSignal[]): Promise<void> {
  const deadline = createDeadline({ parents: signals, scheduler, afterMs: delayMs, waitingFor: 'a pause' })
  try {
    await new Promise<void>((resolve) => {
      if (deadline.signal.aborted) resolve()
      else deadline.signal.addEventListener('abort', () => resolve(), { once: true })
    })
  } finally {
    deadline.release()
  }
}
