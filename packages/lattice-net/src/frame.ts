/**
 * Frames: what a stream carries. A varint length, then that many bytes of one protobuf `Frame`.
 *
 * The length is checked before anything is allocated, and the number of fields before anything is decoded, so a frame
 * costs at most a small multiple of the bytes it took to send.
 *
 * @module
 */
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { assert, err, MAX_FRAME_BYTES, ok, type Result, type SignedIntention } from '@lattice/model'
import { net } from '@lattice/proto'
import { MAX_FRAME_FIELDS } from './limits.ts'

/** A decoded frame: one of the cases of the schema. */
export type Frame = Exclude<net.Frame['frame'], { readonly case: undefined }>
/** A frame to be sent, as plain data. */
export type FrameInit = Exclude<
  NonNullable<Exclude<MessageInitShape<typeof net.FrameSchema>, net.Frame>['frame']>,
  { readonly case?: undefined }
>

/** Why bytes are not a frame. */
export type FrameError =
  | { readonly code: 'frame_too_large'; readonly limit: number }
  | { readonly code: 'frame_length_malformed' }
  | { readonly code: 'frame_malformed' }
  | { readonly code: 'frame_too_many_fields'; readonly limit: number }
  | { readonly code: 'frame_unknown' }
  | { readonly code: 'frame_truncated'; readonly missing: number }

const WIRE_VARINT = 0
const WIRE_FIXED64 = 1
const WIRE_BYTES = 2
const WIRE_FIXED32 = 5

/** The bytes of a frame with its length before it. A frame over the limit is a bug of the caller. */
export function encodeFrame(frame: FrameInit): Uint8Array {
  const body = toBinary(net.FrameSchema, create(net.FrameSchema, { frame }))
  assert(body.length > 0 && body.length <= MAX_FRAME_BYTES, 'a frame is within its limit')
  const head: number[] = []
  for (let rest = body.length; ; rest >>>= 7) {
    head.push(rest < 128 ? rest : (rest & 0x7f) | 0x80)
    if (rest < 128) break
  }
  const bytes = new Uint8Array(head.length + body.length)
  bytes.set(head)
  bytes.set(body, head.length)
  return bytes
}

/** Decodes the body of a frame, without its length. */
export function decodeFrame(body: Uint8Array): Result<Frame, FrameError> {
  const fields = countFields(body)
  if (fields === undefined) return err({ code: 'frame_malformed' })
  if (fields > MAX_FRAME_FIELDS) return err({ code: 'frame_too_many_fields', limit: MAX_FRAME_FIELDS })
  let message: net.Frame
  try {
    message = fromBinary(net.FrameSchema, body, { readUnknownFields: false })
  } catch {
    return err({ code: 'frame_malformed' })
  }
  const { frame } = message
  return frame.case === undefined ? err({ code: 'frame_unknown' }) : ok(frame)
}

/** What a signed intention counts in frames, windows and budgets: its bytes and those of its signature. */
export function signedBytes({ bytes, signature }: SignedIntention): number {
  return bytes.length + signature.length
}

/** Signed intentions in the form of the schema. */
export function toWire(intentions: readonly SignedIntention[]): { intention: Uint8Array; signature: Uint8Array }[] {
  return intentions.map(({ bytes, signature }) => ({ intention: bytes, signature }))
}

/** Signed intentions as the rest of the system has them; nothing is checked. */
export function fromWire(
  intentions: readonly { readonly intention: Uint8Array; readonly signature: Uint8Array }[],
): SignedIntention[] {
  return intentions.map(({ intention, signature }) => ({ bytes: intention, signature }))
}

/** A count or seq of the wire as a number; undefined beyond what a number holds exactly. */
export function readCount(value: bigint): number | undefined {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : undefined
}

/**
 * The fields of a frame and of the messages in its outermost fields; undefined when the bytes are no protobuf. What is no
 * message inside may be a field of a later version; where it should be one, decoding ends at the same place. Groups do
 * not exist in the schema and are refused. Nothing is allocated.
 */
function countFields(body: Uint8Array): number | undefined {
  let count = 0
  for (let offset = 0; offset < body.length;) {
    const field = readField(body, offset, body.length)
    if (field === undefined) return undefined
    count += 1
    for (let inner = field.begin; field.wire === WIRE_BYTES && inner < field.end;) {
      const next = readField(body, inner, field.end)
      if (next === undefined) break
      count += 1
      inner = next.end
    }
    offset = field.end
  }
  return count
}

interface Field {
  readonly wire: number
  readonly begin: number
  readonly end: number
}

function readField(body: Uint8Array, offset: number, limit: number): Field | undefined {
  const tagEnd = skipVarint(body, offset, limit)
  if (tagEnd === undefined) return undefined
  const wire = (body[offset] ?? 0) & 7
  if (wire === WIRE_VARINT) {
    const end = skipVarint(body, tagEnd, limit)
    return end === undefined ? undefined : { wire, begin: tagEnd, end }
  }
  if (wire === WIRE_FIXED64 || wire === WIRE_FIXED32) {
    const end = tagEnd + (wire === WIRE_FIXED64 ? 8 : 4)
    return end > limit ? undefined : { wire, begin: tagEnd, end }
  }
  if (wire !== WIRE_BYTES) return undefined
  const begin = skipVarint(body, tagEnd, limit)
  if (begin === undefined) return undefined
  let length = 0
  for (let index = begin - 1; index >= tagEnd; index -= 1) length = length * 128 + ((body[index] ?? 0) & 0x7f)
  return begin + length > limit ? undefined : { wire, begin, end: begin + length }
}

function skipVarint(body: Uint8Array, offset: number, limit: number): number | undefined {
  for (let index = offset; index < limit && index < offset + 10; index += 1) {
    if ((body[index] ?? 0) < 128) return index + 1
  }
  return undefined
}
