/**
 * One stream of a connection, as its two ends count it: what may be sent, what may still come, what is due.
 *
 * Pure state; `mux.ts` decides when any of it changes.
 *
 * @module
 */
import { createInbox, type Inbox } from './inbox.ts'

/**
 * Bytes a new stream's writer may be ahead of its reader: a request and its answer go without waiting.
 * @beyond The writer waits; a peer that sends more breaks the framing and loses its connection.
 */
export const FIRST_WINDOW_BYTES: number = 64 * 1024

/**
 * Bytes a stream's writer may be ahead of its reader at most. On a path of 20 ms it carries 50 MB/s; a window doubles towards
 * it each time the reader has kept up, so only what is read becomes large.
 * @beyond The writer waits; a peer that sends more breaks the framing and loses its connection.
 */
export const STREAM_WINDOW_BYTES: number = 1024 * 1024

/**
 * Bytes by which the windows of a connection may grow together: eight streams of bulk at full speed. With the first windows of
 * as many streams as both sides may have open, a peer makes this node hold 16 MiB of what it sent, twice that in memory.
 * @beyond Windows stay as they are until another stream ends.
 */
export const GROWTH_PER_CONNECTION_BYTES: number = 8 * STREAM_WINDOW_BYTES

/** Told by the machine, synchronously. */
export interface MuxStreamEvents {
  /** Bytes or the end can be read now. */
  readable: () => void
  /** All of the bytes last given to `write` have been taken over. */
  written: () => void
  /** Both directions are over by a reset or the end of the connection. */
  lost: (message: string) => void
}

export interface MuxStream {
  /** Undefined until its first frame is sent. */
  id: number | undefined
  readonly isLocal: boolean
  readonly events: MuxStreamEvents

  /** Bytes the peer lets us send. */
  sendCredit: number
  /** What `write` was given and was not sent yet. */
  outgoing: Uint8Array | undefined
  /** `finish` was asked for; and its frame sent. */
  finishing: boolean
  finished: boolean

  readonly inbox: Inbox
  /** Bytes the peer may be ahead of what is read. */
  window: number
  /** Bytes the peer may still send. */
  receiveCredit: number
  /** Bytes read since the peer was last given credit. */
  readBytes: number
  creditDue: boolean
  /** The peer's finish arrived. */
  ended: boolean

  /** It waits for its turn to send. */
  queued: boolean
  /** Why it is lost. */
  lost: string | undefined
}

export function createMuxStream(id: number | undefined, isLocal: boolean): MuxStream {
  return {
    id,
    isLocal,
    events: { readable: ignore, written: ignore, lost: ignore },
    sendCredit: FIRST_WINDOW_BYTES,
    outgoing: undefined,
    finishing: false,
    finished: false,
    inbox: createInbox(),
    window: FIRST_WINDOW_BYTES,
    receiveCredit: FIRST_WINDOW_BYTES,
    readBytes: 0,
    creditDue: false,
    ended: false,
    queued: false,
    lost: undefined,
  }
}

/** Whether it has something to send that it may send. */
export function hasTurn({ outgoing, sendCredit, finishing, finished, creditDue, lost }: MuxStream): boolean {
  if (lost !== undefined) return false
  const hasBytes = outgoing !== undefined && sendCredit > 0
  return creditDue || hasBytes || (finishing && !finished && outgoing === undefined)
}

/** Both directions were finished and read. */
export function isOver({ finished, ended, inbox }: MuxStream): boolean {
  return finished && ended && inbox.isEmpty()
}

function ignore(): void {
  // Nobody listens yet.
}
