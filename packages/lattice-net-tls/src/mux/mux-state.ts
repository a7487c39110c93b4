/**
 * What one end of a connection counts. Its own file, for the halves of the machine that send and receive share it.
 *
 * Pure state.
 *
 * @module
 */
import {
  FIRST_WINDOW_BYTES,
  GROWTH_PER_CONNECTION_BYTES,
  hasTurn,
  isOver,
  type MuxStream,
  STREAM_WINDOW_BYTES,
} from './mux-stream.ts'

/**
 * Streams a peer may have open: more than the sessions two nodes run at once.
 * @beyond A peer that opens more breaks the framing and loses its connection; this side waits.
 */
export const MAX_OPEN_STREAMS = 64

/** What a connection tells its owner, synchronously. */
export interface MuxEvents {
  /** The peer opened a stream: its events are to be listened to before this returns. */
  readonly opened: (stream: MuxStream) => void
  /** A stream can be opened now that had to wait. */
  readonly openable: () => void
  /** The acceptor has taken the connection in; told to the side that dialled. */
  readonly welcomed: () => void
  /** The peer closed the connection. */
  readonly closed: (message: string) => void
  /** There is something to send. */
  readonly due: () => void
}

export class MuxState {
  readonly events: MuxEvents
  readonly outgoing: boolean
  readonly live: Map<number, MuxStream> = new Map()
  /** Streams opened here whose first frame was not sent. */
  readonly unseen: Set<MuxStream> = new Set()
  /** Streams that have something to send, in the order of their turns. */
  readonly turns: MuxStream[] = []
  // Each side counts its own ids in twos: the dialler's are odd.
  nextLocal: number
  nextRemote: number
  /** Streams this side, and the peer, may still open. */
  localLeft: number = MAX_OPEN_STREAMS
  remoteLeft: number = MAX_OPEN_STREAMS
  /** Bytes by which windows may still grow. */
  growthLeft: number = GROWTH_PER_CONNECTION_BYTES
  /** Bytes that may still arrive on streams that were reset here. */
  deadBytes = 0

  welcome: 'due' | 'awaited' | 'done'
  resetsDue: number[] = []
  streamsDue = 0
  pingDue = false
  pongDue: number | undefined
  closing: 'no' | 'due' | 'said' = 'no'
  closeReason = ''

  constructor(outgoing: boolean, events: MuxEvents) {
    this.outgoing = outgoing
    this.events = events
    this.nextLocal = outgoing ? 1 : 2
    this.nextRemote = outgoing ? 2 : 1
    this.welcome = outgoing ? 'awaited' : 'due'
  }

  /** Gives a stream its turn when it has something to send. */
  enqueue(stream: MuxStream): void {
    if (stream.queued || !hasTurn(stream) || this.closing !== 'no') return
    stream.queued = true
    this.turns.push(stream)
    this.events.due()
  }

  /** Lets go of a stream whose directions are both over. */
  settle(stream: MuxStream): void {
    if (stream.lost === undefined && isOver(stream)) this.forget(stream)
  }

  /** Doubles the window of a stream that is read as fast as it comes, as far as there is room; answers by how much. */
  grow(stream: MuxStream): number {
    const bytes = Math.min(stream.window, STREAM_WINDOW_BYTES - stream.window, this.growthLeft)
    stream.window += bytes
    this.growthLeft -= bytes
    return bytes
  }

  /** Lets go of a stream; the peer may open another in its place. */
  forget({ id, isLocal, window }: MuxStream): void {
    if (id === undefined || !this.live.delete(id)) return
    this.growthLeft += window - FIRST_WINDOW_BYTES
    if (isLocal) return
    this.remoteLeft += 1
    this.streamsDue += 1
    this.events.due()
  }

  /** Loses every stream. */
  fail(message: string): void {
    const streams = [...this.live.values(), ...this.unseen]
    this.live.clear()
    this.unseen.clear()
    this.turns.length = 0
    for (const stream of streams) loseStream(stream, message)
  }
}

export function loseStream(stream: MuxStream, message: string): void {
  stream.lost = message
  stream.outgoing = undefined
  stream.inbox.clear()
  stream.events.lost(message)
}
