/**
 * How the worker's connections ended, for whoever asks.
 *
 * A connection may end before its name has reached this side: its end is kept until it is asked for, once.
 *
 * @module
 */
import type { CloseReason } from '@lattice/net-types'

export interface EndingTable {
  readonly announce: (connection: number, reason: CloseReason) => void
  /** To be asked once for each connection, as its name arrives. */
  readonly of: (connection: number) => Promise<CloseReason>
  /** Whatever has not ended has ended like this, and so has what is asked for later. */
  readonly close: (reason: CloseReason) => void
}

export function createEndingTable(): EndingTable {
  const waiting = new Map<number, (reason: CloseReason) => void>()
  const early = new Map<number, CloseReason>()
  let closedBy: CloseReason | undefined

  return {
    announce: (connection, reason) => {
      const end = waiting.get(connection)
      if (end === undefined) early.set(connection, reason)
      else end(reason)
      waiting.delete(connection)
    },
    of: (connection) =>
      new Promise((resolve) => {
        const reason = early.get(connection) ?? closedBy
        early.delete(connection)
        if (reason === undefined) waiting.set(connection, resolve)
        else resolve(reason)
      }),
    close: (reason) => {
      closedBy = reason
      for (const end of waiting.values()) end(reason)
      waiting.clear()
    },
  }
}
