/**
 * The sending half: what is due becomes frames. Streams take turns of one data frame each.
 *
 * What is due is a few numbers per stream, never a queue of frames, so a peer that reads nothing makes nothing grow here.
 *
 * @module
 */
import { utf8Encode } from '@lattice/model'
import { createFrameBatch, type FrameBatch } from './frame-batch.ts'
import { FRAME, FRAMING_VERSION, MAX_DATA_BYTES, MAX_REASON_BYTES } from './frame.ts'
import type { MuxState } from './mux-state.ts'
import { hasTurn, type MuxStream } from './mux-stream.ts'

/** Bytes to send now, about as many as are asked for; undefined when nothing is due. */
export function takeFrames(state: MuxState, maxBytes: number): Uint8Array | undefined {
  if (state.closing === 'said') return undefined
  const batch = createFrameBatch(maxBytes)
  if (state.welcome === 'due') {
    state.welcome = 'done'
    batch.add({ kind: FRAME.welcome, stream: 0, value: FRAMING_VERSION })
  }
  if (state.closing === 'due') {
    state.closing = 'said'
    const reason = cutReason(state.closeReason)
    batch.add({ kind: FRAME.close, stream: 0, value: reason.length }, reason)
    return batch.bytes()
  }
  takeControl(state, batch)
  for (let stream = state.turns.shift(); stream !== undefined; stream = state.turns.shift()) {
    stream.queued = false
    if (!batch.hasRoom()) {
      // It keeps its turn.
      stream.queued = true
      state.turns.unshift(stream)
      break
    }
    takeTurn(state, stream, batch)
  }
  return batch.bytes()
}

function takeControl(state: MuxState, batch: FrameBatch): void {
  // Each of these is bounded by what the peer may open, so all of them go at once.
  for (const stream of state.resetsDue) batch.add({ kind: FRAME.reset, stream, value: 0 })
  state.resetsDue = []
  if (state.streamsDue > 0) batch.add({ kind: FRAME.streams, stream: 0, value: state.streamsDue })
  state.streamsDue = 0
  if (state.pingDue) batch.add({ kind: FRAME.ping, stream: 0, value: 0 })
  state.pingDue = false
  if (state.pongDue !== undefined) batch.add({ kind: FRAME.pong, stream: 0, value: state.pongDue })
  state.pongDue = undefined
}

function takeTurn(state: MuxState, stream: MuxStream, batch: FrameBatch): void {
  if (!hasTurn(stream)) return
  const id = showStream(state, stream)
  if (stream.creditDue) {
    const credit = stream.readBytes + state.grow(stream)
    batch.add({ kind: FRAME.credit, stream: id, value: credit })
    stream.receiveCredit += credit
    stream.readBytes = 0
    stream.creditDue = false
  }
  const { outgoing } = stream
  if (outgoing !== undefined && stream.sendCredit > 0) {
    const length = Math.min(outgoing.length, stream.sendCredit, MAX_DATA_BYTES)
    batch.add({ kind: FRAME.data, stream: id, value: length }, outgoing.subarray(0, length))
    stream.sendCredit -= length
    stream.outgoing = length === outgoing.length ? undefined : outgoing.subarray(length)
    // The batch is copied before anybody can act on it: see `FrameBatch`.
    if (stream.outgoing === undefined) batch.after(stream.events.written)
  }
  if (stream.finishing && !stream.finished && stream.outgoing === undefined) {
    batch.add({ kind: FRAME.finish, stream: id, value: 0 })
    stream.finished = true
    state.settle(stream)
  }
  state.enqueue(stream)
}

/** The id of a stream, given as its first frame is sent. */
function showStream(state: MuxState, stream: MuxStream): number {
  if (stream.id !== undefined) return stream.id
  const id = state.nextLocal
  state.nextLocal += 2
  stream.id = id
  state.unseen.delete(stream)
  state.live.set(id, stream)
  return id
}

/** The reason as it is sent: cut between characters. */
function cutReason(message: string): Uint8Array {
  let text = message.slice(0, MAX_REASON_BYTES)
  while (utf8Encode(text).length > MAX_REASON_BYTES) text = text.slice(0, -1)
  return utf8Encode(text)
}
