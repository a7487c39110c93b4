/**
 * One way between two nodes, as part of a connection that may have others.
 *
 * @module
 */
import type { BiStream, CloseReason, Connection } from '@lattice/net-types'
import { createDeadline, orAborted } from '../deadline.ts'
import type { Cancel, Scheduler } from '@lattice/model'
import type { AgreedPath } from './path-preface.ts'

/**
 * How long a path may take to show that it lives, when another of the same connection was lost: a relay answers sooner.
 * @beyond The path is closed.
 */
export const PATH_PROBE_MS = 3_000

/**
 * Bytes of the control stream that a peer sends within a minute: it asks whether a path lives when another was lost, which
 * is not dialled again for seconds.
 * @beyond The path is closed.
 */
export const CONTROL_BYTES_PER_MINUTE = 64

const MINUTE_MS = 60_000
const PING = 1
const PONG = 2
/** Precedes the reason of a path's end that is the end of the whole connection. */
const WHOLE = 'connection: '

export interface Path {
  /** Name of its transport. */
  readonly name: string
  /** Place of its transport in the order of preference: lower is better. */
  readonly rank: number
  readonly connection: Connection
  readonly streams: AsyncIterator<BiStream>
  /** Asks the peer for a sign of life; without it in time the path is closed. Never rejects. */
  readonly probe: () => Promise<void>
}

export interface PathOptions {
  readonly name: string
  readonly rank: number
  readonly agreed: AgreedPath
  readonly scheduler: Scheduler
}

/** Starts to answer the peer's questions on the control stream. */
export function createPath({ name, rank, agreed, scheduler }: PathOptions): Path {
  const { connection, control, streams } = agreed
  let waiting: (() => void)[] = []
  let writing: Promise<void> = Promise.resolve()

  /** One after another: a stream has one writer at a time. */
  const say = (byte: number): Promise<void> => {
    writing = writing.then(() => control.write(Uint8Array.of(byte)))
    return writing
  }
  let heard = 0
  let cancelMinute: Cancel | undefined
  /** False when the peer says more than it has any reason to. */
  const isWithinBounds = (count: number): boolean => {
    cancelMinute ??= scheduler.after(MINUTE_MS, () => {
      heard = 0
      cancelMinute = undefined
    })
    heard += count
    return heard <= CONTROL_BYTES_PER_MINUTE
  }
  const listen = async (): Promise<void> => {
    for (let bytes = await control.read(); bytes !== undefined; bytes = await control.read()) {
      if (!isWithinBounds(bytes.length)) break
      if (!bytes.every((byte) => byte === PING || byte === PONG)) break
      if (bytes.includes(PONG)) {
        const answered = waiting
        waiting = []
        for (const answer of answered) answer()
      }
      // However often it asked meanwhile, one answer says it all; and nothing is read before it is on its way.
      if (bytes.includes(PING)) await say(PONG)
    }
    throw new Error('the control stream ended')
  }
  const leave = (): void => {
    connection.close('the path is of no use').catch(ignore)
  }
  listen()
    .catch(leave)
    .finally(() => cancelMinute?.())

  return {
    name,
    rank,
    connection,
    streams,
    probe: async () => {
      const deadline = createDeadline({ parents: [], scheduler, afterMs: PATH_PROBE_MS, waitingFor: 'a path' })
      const answered = new Promise<void>((resolve) => {
        waiting.push(resolve)
      })
      try {
        await orAborted(Promise.all([say(PING), answered]), deadline.signal, ignore)
      } catch {
        leave()
      } finally {
        deadline.release()
      }
    },
  }
}

/** Closes a path as part of the end of its connection. */
export function closeWhole({ connection }: Path, message: string): Promise<void> {
  return connection.close(WHOLE + message)
}

/** The end of the connection, where the peer ended a path by it. */
export function wholeEnd({ by, message }: CloseReason): CloseReason | undefined {
  if (by !== 'remote' || !message.startsWith(WHOLE)) return undefined
  return { by, message: message.slice(WHOLE.length) }
}

function ignore(): void {
  // The path's end is told through `closed`.
}
