/**
 * Many streams over one ordered connection: a machine without I/O.
 *
 * Bytes that arrived go in through `receive`, bytes to send come out of `take`, and everything between is counted, so both
 * ends hold a bounded amount of each other's data, whatever either does.
 *
 * Pure and synchronous.
 *
 * @module
 */
import { assert } from '@lattice/model'
import { type MuxViolation, MuxReceiver } from './mux-receiver.ts'
import { takeFrames } from './mux-sender.ts'
import { loseStream, type MuxEvents, MuxState } from './mux-state.ts'
import { createMuxStream, isOver, type MuxStream } from './mux-stream.ts'

/** Highest number of a stream: after two thousand million of them the connection is to be made anew. */
const MAX_STREAM_ID = 2 ** 32 - 1
/** Credit comes back when such a part of the window was read: often enough to keep the writer going. */
const CREDIT_STEP: number = 1 / 4

export interface Mux {
  /** Takes in what arrived, in any cut. After a violation nothing more is taken in. */
  readonly receive: (bytes: Uint8Array) => MuxViolation | undefined
  /** Bytes to send now, about as many as are asked for; undefined when nothing is due. */
  readonly take: (maxBytes: number) => Uint8Array | undefined
  /** Undefined while too many are open. The peer sees it with the first write or finish. */
  readonly open: () => MuxStream | undefined
  /** Gives bytes to send; they are read until `written` is told. One write at a time, none after `finish`. */
  readonly write: (stream: MuxStream, bytes: Uint8Array) => void
  readonly finish: (stream: MuxStream) => void
  readonly reset: (stream: MuxStream) => void
  /** The next bytes; undefined when there are none now, or, where `ended`, any more. */
  readonly read: (stream: MuxStream) => Uint8Array | undefined
  readonly ping: () => void
  /** Says goodbye; nothing else is sent any more. */
  readonly close: (message: string) => void
  /** The connection is over: every stream is lost. */
  readonly fail: (message: string) => void
}

/** Starts one end of a connection; the two ends differ in who dialled. */
export function createMux(outgoing: boolean, events: MuxEvents): Mux {
  const state = new MuxState(outgoing, events)
  const receiver = new MuxReceiver(state)
  return {
    receive: (bytes) => receiver.receive(bytes),
    take: (maxBytes) => takeFrames(state, maxBytes),
    open: () => open(state),
    write: (stream, bytes) => {
      assert(stream.outgoing === undefined, 'a stream has one writer at a time')
      assert(!stream.finishing, 'nothing is written after finish')
      if (bytes.length === 0) return stream.events.written()
      stream.outgoing = bytes
      state.enqueue(stream)
    },
    finish: (stream) => {
      assert(stream.outgoing === undefined, 'a stream is finished after its last write')
      stream.finishing = true
      state.enqueue(stream)
    },
    reset: (stream) => reset(state, stream),
    read: (stream) => read(state, stream),
    ping: () => {
      state.pingDue = true
      events.due()
    },
    close: (message) => {
      if (state.closing !== 'no') return
      state.closing = 'due'
      state.closeReason = message
      state.fail(message)
      events.due()
    },
    fail: (message) => state.fail(message),
  }
}

function open(state: MuxState): MuxStream | undefined {
  if (state.localLeft === 0 || state.nextLocal + 2 * state.unseen.size > MAX_STREAM_ID) return undefined
  state.localLeft -= 1
  const stream = createMuxStream(undefined, true)
  state.unseen.add(stream)
  return stream
}

function reset(state: MuxState, stream: MuxStream): void {
  if (stream.lost !== undefined || isOver(stream)) return
  const { id } = stream
  if (id === undefined) {
    // The peer never saw it.
    state.unseen.delete(stream)
    state.localLeft += 1
    state.events.openable()
  } else {
    state.resetsDue.push(id)
    if (!stream.ended) state.deadBytes += stream.receiveCredit
    state.forget(stream)
  }
  loseStream(stream, 'the stream was reset here')
  state.events.due()
}

function read(state: MuxState, stream: MuxStream): Uint8Array | undefined {
  const bytes = stream.inbox.take()
  if (bytes === undefined) return undefined
  stream.readBytes += bytes.length
  if (!stream.ended && stream.readBytes >= stream.window * CREDIT_STEP) {
    stream.creditDue = true
    state.enqueue(stream)
  }
  state.settle(stream)
  return bytes
}
