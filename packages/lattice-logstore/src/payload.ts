/**
 * What an intention of this store carries: a `LogPayload`, in its canonical form alone.
 *
 * A payload comes from any admitted peer, so every way it can be wrong has a reason of its own, found before a row is
 * touched; the verdict depends on the bytes alone. Coded by hand, for every append passes here, and byte-equal with the
 * generated codec.
 *
 * @module
 */
import { err, ok, readVarint, type Result, varintBytes, writeVarint } from '@lattice/model'
import { MAX_BATCH_ENTRIES } from './limits.ts'

/** Why a payload is a recorded no-op. */
export type PayloadRejection = 'payload_malformed' | 'payload_empty' | 'content_empty' | 'too_many_entries'

/** `LogPayload.contents`, and `AppendBatchRequest.contents`. */
const TAG_CONTENT = 0x0a

/** Encodes contents as a `LogPayload`, in the order given. */
export function encodePayload(contents: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(contents.reduce((sum, { length }) => sum + 1 + varintBytes(length) + length, 0))
  let offset = 0
  for (const content of contents) {
    bytes[offset] = TAG_CONTENT
    offset = writeVarint(bytes, offset + 1, content.length)
    bytes.set(content, offset)
    offset += content.length
  }
  return bytes
}

/** The contents, in order; they are views of `bytes`. Total. */
export function decodePayload(bytes: Uint8Array): Result<readonly Uint8Array[], PayloadRejection> {
  const contents: Uint8Array[] = []
  for (let offset = 0; offset < bytes.length;) {
    // A field this version does not know may change the meaning of those it does.
    if (bytes[offset] !== TAG_CONTENT) return err('payload_malformed')
    if (bytes[offset + 1] === 0) return err('content_empty')
    const length = readVarint(bytes, offset + 1, bytes.length)
    if (length < 0) return err('payload_malformed')
    const start = offset + 1 + varintBytes(length)
    offset = start + length
    if (offset > bytes.length) return err('payload_malformed')
    if (contents.length === MAX_BATCH_ENTRIES) return err('too_many_entries')
    contents.push(bytes.subarray(start, offset))
  }
  return contents.length === 0 ? err('payload_empty') : ok(contents)
}
