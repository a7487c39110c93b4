/**
 * One stream of a connection, as its two ends count it: what may be sent, what may still come, what is due.
 *
 * Pure state; `mux.ts` decides when any of it changes.
 *
 * @module
 */
import { createInbox, type Inbox } from './inbox.ts'

/**
 * Bytes a stream's writer may be ahead of its reader. On a path of 20 ms it carries 50 MB/s; an unread stream costs its
 * reader that much memory and no more.
 */
export const STREAM_WINDOW_BYTES: number = 1024 * 1024

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
    sendCredit: STREAM_WINDOW_BYTES,
    outgoing: undefined,
    finishing: false,
    finished: false,
    inbox: createInbox(),
    receiveCredit: STREAM_WINDOW_BYTES,
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
