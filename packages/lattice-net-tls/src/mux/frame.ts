/**
 * The frames of a connection: a header of nine bytes (kind, stream, value), and for two kinds as many bytes as the value says.
 *
 * The reader takes what arrives in any cut and keeps no more than a header and a reason: the bytes of data frames are handed
 * on as they come. A header that no peer sends is refused as soon as it is there, before anything of the frame is taken in.
 *
 * Pure and synchronous.
 *
 * @module
 */

/** What a frame says. `value` is: */
export const FRAME = {
  /** the number of bytes that follow, of a stream. The first frame of a stream opens it. */
  data: 0,
  /** 0: nothing more is written on the stream. */
  finish: 1,
  /** 0: both directions of the stream are dropped. */
  reset: 2,
  /** how many more bytes of the stream may be sent. */
  credit: 3,
  /** how many more streams may be opened. */
  streams: 4,
  /** any number, to be sent back. */
  ping: 5,
  /** the number of a ping. */
  pong: 6,
  /** the number of bytes that follow, of the reason in UTF-8: the connection is over. */
  close: 7,
  /** the version: the acceptor has taken the connection in. Its first frame. */
  welcome: 8,
} as const

export type FrameKind = (typeof FRAME)[keyof typeof FRAME]

export const HEADER_BYTES = 9
/** Version of this framing. */
export const FRAMING_VERSION = 1
/**
 * Bytes of one data frame: with its header it fills four TLS records. No stream is ahead of the others by more.
 * @beyond The frame breaks the framing: the connection is lost.
 */
export const MAX_DATA_BYTES: number = 64 * 1024 - HEADER_BYTES
/**
 * Bytes of the reason of a close: a sentence.
 * @beyond The frame breaks the framing: the connection is lost.
 */
export const MAX_REASON_BYTES = 512

const LAST_KIND = FRAME.welcome

export interface FrameHeader {
  readonly kind: FrameKind
  /** 0 for what concerns the connection. */
  readonly stream: number
  readonly value: number
}

export function writeHeader(into: Uint8Array, offset: number, { kind, stream, value }: FrameHeader): void {
  const view = new DataView(into.buffer, into.byteOffset + offset, HEADER_BYTES)
  view.setUint8(0, kind)
  view.setUint32(1, stream)
  view.setUint32(5, value)
}

/** Undefined where no peer that follows the protocol sends such a header. */
export function readHeader(bytes: Uint8Array): FrameHeader | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES)
  const kind = view.getUint8(0)
  const header = { kind, stream: view.getUint32(1), value: view.getUint32(5) }
  return isKind(kind) && isSound({ ...header, kind }) ? { ...header, kind } : undefined
}

function isKind(kind: number): kind is FrameKind {
  return kind <= LAST_KIND
}

function isSound({ kind, stream, value }: FrameHeader): boolean {
  switch (kind) {
    case FRAME.data:
      return stream > 0 && value > 0 && value <= MAX_DATA_BYTES
    case FRAME.finish:
    case FRAME.reset:
      return stream > 0 && value === 0
    case FRAME.credit:
      return stream > 0 && value > 0
    case FRAME.streams:
      return stream === 0 && value > 0
    case FRAME.close:
      return stream === 0 && value <= MAX_REASON_BYTES
    case FRAME.ping:
    case FRAME.pong:
    case FRAME.welcome:
      return stream === 0
  }
}

export interface FrameSink {
  /** A header arrived. False refuses it: nothing more is read. */
  readonly header: (header: FrameHeader) => boolean
  /** Bytes of the data or close frame whose header came last, in order; `last` with the end of the frame. */
  readonly payload: (bytes: Uint8Array, last: boolean) => void
}

export interface FrameReader {
  /** False once a header was unsound or refused; what comes after it is not looked at. */
  readonly push: (bytes: Uint8Array) => boolean
}

export function createFrameReader(sink: FrameSink): FrameReader {
  const partial = new Uint8Array(HEADER_BYTES)
  let have = 0
  let payloadLeft = 0
  let refused = false

  /** Takes in a whole header; false when it is refused. */
  function open(bytes: Uint8Array): boolean {
    const header = readHeader(bytes)
    if (header === undefined || !sink.header(header)) return false
    if (header.kind === FRAME.data || header.kind === FRAME.close) payloadLeft = header.value
    if (header.kind === FRAME.close && header.value === 0) sink.payload(new Uint8Array(0), true)
    return true
  }

  return {
    push: (bytes) => {
      let offset = 0
      while (!refused && offset < bytes.length) {
        if (payloadLeft > 0) {
          const end = Math.min(bytes.length, offset + payloadLeft)
          payloadLeft -= end - offset
          sink.payload(bytes.subarray(offset, end), payloadLeft === 0)
          offset = end
        } else if (have === 0 && bytes.length - offset >= HEADER_BYTES) {
          refused = !open(bytes.subarray(offset, offset + HEADER_BYTES))
          offset += HEADER_BYTES
        } else {
          const end = Math.min(bytes.length, offset + HEADER_BYTES - have)
          partial.set(bytes.subarray(offset, end), have)
          have += end - offset
          offset = end
          if (have < HEADER_BYTES) continue
          have = 0
          refused = !open(partial)
        }
      }
      return !refused
    },
  }
}
