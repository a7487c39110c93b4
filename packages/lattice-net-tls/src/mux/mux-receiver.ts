/**
 * The receiving half: what arrived is checked against what was allowed, and handed on.
 *
 * A peer can hold what its credit allows: a window per stream and a number of streams. Whatever it sends beyond, or out of
 * place, is a violation, which ends the connection.
 *
 * @module
 */
import { createFrameReader, FRAME, type FrameHeader, FRAMING_VERSION } from './frame.ts'
import { loseStream, MAX_OPEN_STREAMS, type MuxState } from './mux-state.ts'
import { createMuxStream, type MuxStream, STREAM_WINDOW_BYTES } from './mux-stream.ts'

/** What the peer did that no peer does. */
export interface MuxViolation {
  readonly code:
    | 'bad_frame'
    | 'not_welcomed'
    | 'wrong_version'
    | 'unexpected_welcome'
    | 'unknown_stream'
    | 'too_many_streams'
    | 'beyond_window'
    | 'data_after_finish'
    | 'too_much_credit'
}

export class MuxReceiver {
  readonly #state: MuxState
  /** Where the payload of the present data frame goes; undefined for a stream that is no more. */
  #target: MuxStream | undefined
  #payloadOf: 'data' | 'close' = 'data'
  #reason: Uint8Array[] = []
  #violation: MuxViolation | undefined
  readonly #reader = createFrameReader({
    header: (header) => this.#onHeader(header),
    payload: (bytes, last) => this.#onPayload(bytes, last),
  })

  constructor(state: MuxState) {
    this.#state = state
  }

  receive(bytes: Uint8Array): MuxViolation | undefined {
    if (this.#violation === undefined && !this.#reader.push(bytes)) this.#violation ??= { code: 'bad_frame' }
    return this.#violation
  }

  #refuse(code: MuxViolation['code']): false {
    this.#violation ??= { code }
    return false
  }

  /** Takes in a header; false when it is a violation. */
  #onHeader(header: FrameHeader): boolean {
    const { kind, value } = header
    if (kind === FRAME.close) {
      this.#payloadOf = 'close'
      this.#reason = []
      return true
    }
    if (this.#state.welcome === 'awaited' && kind !== FRAME.welcome) return this.#refuse('not_welcomed')
    switch (kind) {
      case FRAME.welcome:
        return this.#onWelcome(value)
      case FRAME.ping:
        this.#state.pongDue = value
        this.#state.events.due()
        return true
      case FRAME.pong:
        return true
      case FRAME.streams:
        return this.#onStreams(value)
      case FRAME.data:
      case FRAME.finish:
      case FRAME.reset:
      case FRAME.credit:
        return this.#onStreamFrame(header)
    }
  }

  #onWelcome(version: number): boolean {
    if (!this.#state.outgoing || this.#state.welcome !== 'awaited') return this.#refuse('unexpected_welcome')
    if (version !== FRAMING_VERSION) return this.#refuse('wrong_version')
    this.#state.welcome = 'done'
    this.#state.events.welcomed()
    return true
  }

  #onStreams(count: number): boolean {
    // A peer gives back what was opened and shown to it: never more.
    const { localLeft, unseen } = this.#state
    if (localLeft + unseen.size + count > MAX_OPEN_STREAMS) return this.#refuse('too_much_credit')
    this.#state.localLeft += count
    this.#state.events.openable()
    return true
  }

  #onStreamFrame(header: FrameHeader): boolean {
    const { kind, stream: id, value } = header
    const found = this.#state.live.get(id)
    if (found === undefined) return this.#onOtherStream(header)
    switch (kind) {
      case FRAME.data:
        if (found.ended) return this.#refuse('data_after_finish')
        if (value > found.receiveCredit) return this.#refuse('beyond_window')
        found.receiveCredit -= value
        this.#payloadOf = 'data'
        this.#target = found
        return true
      case FRAME.finish:
        if (found.ended) return this.#refuse('data_after_finish')
        found.ended = true
        found.creditDue = false
        found.events.readable()
        this.#state.settle(found)
        return true
      case FRAME.credit:
        if (found.sendCredit + value > STREAM_WINDOW_BYTES) return this.#refuse('too_much_credit')
        found.sendCredit += value
        this.#state.enqueue(found)
        return true
      default:
        this.#state.forget(found)
        loseStream(found, 'the peer reset the stream')
        return true
    }
  }

  /** A frame of a stream that is not there: a new one, or one that is over here and not yet there. */
  #onOtherStream(header: FrameHeader): boolean {
    const { kind, stream: id, value } = header
    const isLocal = id % 2 === this.#state.nextLocal % 2
    if (!isLocal && id === this.#state.nextRemote) {
      if (kind !== FRAME.data && kind !== FRAME.finish) return this.#refuse('unknown_stream')
      if (this.#state.remoteLeft === 0) return this.#refuse('too_many_streams')
      this.#state.remoteLeft -= 1
      this.#state.nextRemote += 2
      const stream = createMuxStream(id, false)
      if (this.#state.closing === 'no') {
        this.#state.live.set(id, stream)
        this.#state.events.opened(stream)
        return this.#onStreamFrame(header)
      }
    }
    if (id >= (isLocal ? this.#state.nextLocal : this.#state.nextRemote)) return this.#refuse('unknown_stream')
    if (kind !== FRAME.data) return true
    this.#payloadOf = 'data'
    this.#target = undefined
    // Over by a reset: what was under way then may still come.
    if (this.#state.closing === 'no' && value > this.#state.deadBytes) return this.#refuse('beyond_window')
    this.#state.deadBytes -= value
    return true
  }

  #onPayload(bytes: Uint8Array, last: boolean): void {
    if (this.#payloadOf === 'close') {
      this.#reason.push(bytes.slice())
      if (last) this.#state.events.closed(readReason(this.#reason))
      return
    }
    const stream = this.#target
    if (stream === undefined) return
    if (stream.lost !== undefined) return
    stream.inbox.push(bytes)
    stream.events.readable()
  }
}

/** What a peer gives for a reason: anything, so only what can be shown of it. */
function readReason(parts: readonly Uint8Array[]): string {
  const bytes = parts.flatMap((part) => [...part])
  return new TextDecoder().decode(Uint8Array.from(bytes)).replace(/\p{C}/gu, ' ')
}
