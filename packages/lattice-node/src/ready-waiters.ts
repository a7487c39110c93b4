/**
 * Those who wait for a store to come into use.
 *
 * @module
 */
import type { AbortSignal } from '@lattice/model'

/** What waiting has come to. */
export type Readiness =
  | { readonly kind: 'ready' }
  | { readonly kind: 'waiting' }
  | { readonly kind: 'hopeless'; readonly error: unknown }

export interface ReadyWaiters {
  /** Resolves when `look` says ready, rejects when it says hopeless or with `signal.reason`. */
  readonly wait: (look: () => Readiness, signal: AbortSignal) => Promise<void>
  /** Has everyone look again. */
  readonly tell: () => void
}

/** Starts with nobody waiting. */
export function createReadyWaiters(): ReadyWaiters {
  const waiters = new Set<() => void>()
  return {
    wait: (look, signal) =>
      new Promise((resolve, reject) => {
        const end = (): void => {
          waiters.delete(check)
          signal.removeEventListener('abort', check)
        }
        const check = (): void => {
          const readiness = look()
          if (readiness.kind === 'waiting' && !signal.aborted) return
          end()
          if (readiness.kind === 'ready') resolve()
          else reject(readiness.kind === 'hopeless' ? readiness.error : signal.reason)
        }
        waiters.add(check)
        signal.addEventListener('abort', check)
        check()
      }),
    tell: () => {
      for (const check of waiters) check()
    },
  }
}
