/**
 * Streams that run beside the prompt, by number. Whoever opens the REPL closes
 * them with it.
 *
 * @module
 */
import { UsageError } from '../errors.ts'

/** Streams of one REPL at once; more could not be read by anybody. */
const MAX_SUBSCRIPTIONS = 32

export interface Subscriptions {
  /** Starts a stream; returns its number. Throws {@link UsageError} when too many run. */
  readonly start: (label: string, run: (signal: AbortSignal) => Promise<void>) => number
  readonly list: () => readonly { readonly number: number; readonly label: string }[]
  /** Ends one or all and awaits their end; resolves with how many ended. */
  readonly end: (which: number | 'all') => Promise<number>
}

interface Running {
  readonly number: number
  readonly label: string
  readonly ending: AbortController
  readonly done: Promise<void>
}

/** `onFailure` is told when a stream ends by itself with an error. */
export function createSubscriptions(onFailure: (label: string, error: unknown) => Promise<void>): Subscriptions {
  const running = new Map<number, Running>()
  let last = 0
  return {
    start: (label, run) => {
      if (running.size >= MAX_SUBSCRIPTIONS) {
        throw new UsageError(`${MAX_SUBSCRIPTIONS} streams run already`, {
          hint: "end some with 'unsub N' or 'unsub all'",
        })
      }
      last += 1
      const number = last
      const ending = new AbortController()
      const watch = async (): Promise<void> => {
        try {
          await run(ending.signal)
        } catch (error) {
          if (!ending.signal.aborted) await onFailure(label, error)
        } finally {
          running.delete(number)
        }
      }
      running.set(number, { number, label, ending, done: watch() })
      return number
    },
    list: () => [...running.values()].map(({ number, label }) => ({ number, label })),
    end: async (which) => {
      const chosen = [...running.values()].filter(({ number }) => which === 'all' || number === which)
      for (const { ending } of chosen) ending.abort()
      await Promise.all(chosen.map(({ done }) => done))
      return chosen.length
    },
  }
}
