/**
 * Counts what a network carries, and what it does to it.
 *
 * @module
 */
import type { IdKey } from '@lattice/model'

/** What was sent; a stream's credits and its end are messages, too. */
export interface Traffic {
  readonly messages: number
  /** Of streams' data. */
  readonly bytes: number
}

/** Faults that came to pass. */
export interface FaultCounts {
  readonly spikes: number
  readonly resends: number
  readonly lostConnections: number
  readonly replays: number
  readonly redials: number
}

export interface TrafficBook {
  readonly sent: (from: IdKey, to: IdKey, bytes: number) => void
  readonly fault: (kind: keyof FaultCounts) => void
  readonly total: () => Traffic
  readonly between: (from: IdKey, to: IdKey) => Traffic
  readonly faults: () => FaultCounts
}

/** Starts at nothing. Keeps two numbers per direction that was ever used. */
export function createTrafficBook(): TrafficBook {
  const counts = new Map<IdKey, Map<IdKey, { messages: number; bytes: number }>>()
  const total = { messages: 0, bytes: 0 }
  const faults = { spikes: 0, resends: 0, lostConnections: 0, replays: 0, redials: 0 }
  return {
    sent: (from, to, bytes) => {
      const targets = counts.get(from) ?? new Map<IdKey, { messages: number; bytes: number }>()
      counts.set(from, targets)
      const count = targets.get(to) ?? { messages: 0, bytes: 0 }
      targets.set(to, count)
      for (const each of [count, total]) {
        each.messages += 1
        each.bytes += bytes
      }
    },
    fault: (kind) => {
      faults[kind] += 1
    },
    total: () => ({ ...total }),
    between: (from, to) => ({ messages: 0, bytes: 0, ...counts.get(from)?.get(to) }),
    faults: () => ({ ...faults }),
  }
}
