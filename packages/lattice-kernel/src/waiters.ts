/**
 * Those who wait for an intention to be witnessed.
 *
 * @module
 */
import { type IdKey, idKey, type IntentionId } from '@lattice/model'

export interface Waiters {
  readonly wait: (id: IntentionId, signal: AbortSignal | undefined) => Promise<void>
  readonly witnessed: (id: IntentionId) => void
  readonly rejectAll: (error: Error) => void
}

interface Waiter {
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

export function createWaiters(): Waiters {
  const byId = new Map<IdKey, Set<Waiter>>()

  return {
    wait: async (id, signal) => {
      signal?.throwIfAborted()
      const key = idKey(id)
      const waiting = byId.get(key) ?? new Set<Waiter>()
      byId.set(key, waiting)
      let waiter: Waiter | undefined
      const onAbort = (): void => waiter?.reject(signal?.reason)
      try {
        await new Promise<void>((resolve, reject) => {
          waiter = { resolve, reject }
          waiting.add(waiter)
          signal?.addEventListener('abort', onAbort, { once: true })
        })
      } finally {
        signal?.removeEventListener('abort', onAbort)
        if (waiter !== undefined) waiting.delete(waiter)
        if (waiting.size === 0 && byId.get(key) === waiting) byId.delete(key)
      }
    },
    witnessed: (id) => {
      if (byId.size === 0) return
      for (const { resolve } of byId.get(idKey(id)) ?? []) resolve()
    },
    rejectAll: (error) => {
      for (const waiting of byId.values()) for (const { reject } of waiting) reject(error)
    },
  }
}
