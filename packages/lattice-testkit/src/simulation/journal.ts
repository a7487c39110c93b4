/**
 * What happened in a simulation, as lines for a person and as a hash for comparing runs.
 *
 * @module
 */
import type { Clock } from '@lattice/model'
import type { SimEvent, TraceHash } from '@lattice/net-sim'
import { createTraceHash } from '@lattice/net-sim'

/** Lines shown with a failure: what led to it is rarely longer ago. */
export const LINES_SHOWN = 40

export interface Journal {
  /** Something the simulation did, or a node told. */
  readonly note: (line: string) => void
  readonly networkEvent: (event: SimEvent) => void
  /** The last lines, each with the virtual time at which it was written. */
  readonly lines: () => readonly string[]
  readonly hash: () => string
  readonly events: () => number
}

export interface JournalOptions {
  readonly clock: () => Clock | undefined
  /** Told of each line as it is written. */
  readonly onLine?: ((line: string) => void) | undefined
}

export function createJournal({ clock, onLine }: JournalOptions): Journal {
  const trace: TraceHash = createTraceHash()
  const lines: string[] = []
  const nowMs = (): number => clock()?.monotonicMs() ?? 0
  return {
    note: (line) => {
      const now = nowMs()
      trace.add(now, line)
      const text = `${String(now).padStart(8)} ms  ${line}`
      lines.push(text)
      if (lines.length > LINES_SHOWN) lines.shift()
      onLine?.(text)
    },
    networkEvent: (event) => {
      trace.add(nowMs())
      trace.addEvent(event)
    },
    lines: () => lines,
    hash: trace.digest,
    events: trace.count,
  }
}
