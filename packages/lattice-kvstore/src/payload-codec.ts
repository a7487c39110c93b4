/**
 * The messages that every write passes through, encoded and decoded by hand: several times quicker than the generated
 * codec, and byte-equal with it.
 *
 * The decoder knows one form, the one that the encoder makes. For any other it has no answer, and the generated decoder
 * is asked: so what a payload means is decided in one place.
 *
 * @module
 */
import { readVarint, varintBytes, writeVarint } from '@lattice/model'
import type { KeyWrite } from './key-write.ts'

/** `KvPayload.operations` and `BatchRequest.operations`; `KvOperation.key` and `PutRequest.key`. */
const TAG_FIRST = 0x0a
/** `KvOperation.put` and `PutRequest.value`. */
const TAG_VALUE = 0x12
/** `KvOperation.delete`, whose message is empty. */
const TAG_DELETE = 0x1a
const DELETE_BYTES = 2

/** Encodes writes as a `KvPayload`, and so as a `BatchRequest`, which has the same fields. */
export function encodeOperations(writes: readonly KeyWrite[]): Uint8Array {
  let length = 0
  for (const write of writes) {
    const operation = operationBytes(write)
    length += 1 + varintBytes(operation) + operation
  }
  const bytes = new Uint8Array(length)
  let offset = 0
  for (const write of writes) {
    const { key, state } = write
    bytes[offset] = TAG_FIRST
    offset = writeVarint(bytes, offset + 1, operationBytes(write))
    if (key.length > 0) offset = writeField(bytes, offset, { tag: TAG_FIRST, value: key })
    if (state.kind === 'value') offset = writeField(bytes, offset, { tag: TAG_VALUE, value: state.value })
    else {
      bytes[offset] = TAG_DELETE
      offset += DELETE_BYTES
    }
  }
  return bytes
}

/** The writes of bytes that are as {@link encodeOperations} makes them, each with a key; their bytes are views. */
export function decodeOperations(bytes: Uint8Array): KeyWrite[] | undefined {
  const writes: KeyWrite[] = []
  let offset = 0
  while (offset < bytes.length) {
    if (bytes[offset] !== TAG_FIRST) return undefined
    const length = readVarint(bytes, offset + 1, bytes.length)
    if (length < 0) return undefined
    const start = offset + 1 + varintBytes(length)
    offset = start + length
    const write = offset > bytes.length ? undefined : decodeOperation(bytes, start, offset)
    if (write === undefined) return undefined
    writes.push(write)
  }
  return writes
}

/** Encodes a `PutRequest`. */
export function encodePutRequest(key: Uint8Array, value: Uint8Array): Uint8Array {
  const keyBytes = key.length === 0 ? 0 : fieldBytes(key)
  const bytes = new Uint8Array(keyBytes + (value.length === 0 ? 0 : fieldBytes(value)))
  if (key.length > 0) writeField(bytes, 0, { tag: TAG_FIRST, value: key })
  if (value.length > 0) writeField(bytes, keyBytes, { tag: TAG_VALUE, value })
  return bytes
}

function decodeOperation(bytes: Uint8Array, start: number, end: number): KeyWrite | undefined {
  if (bytes[start] !== TAG_FIRST) return undefined
  const keyLength = readVarint(bytes, start + 1, end - start)
  if (keyLength < 0) return undefined
  const keyStart = start + 1 + varintBytes(keyLength)
  const keyEnd = keyStart + keyLength
  if (keyEnd + DELETE_BYTES > end) return undefined
  const key = bytes.subarray(keyStart, keyEnd)
  if (bytes[keyEnd] === TAG_DELETE) {
    const isDelete = bytes[keyEnd + 1] === 0 && keyEnd + DELETE_BYTES === end
    return isDelete ? { key, state: { kind: 'tombstone' } } : undefined
  }
  if (bytes[keyEnd] !== TAG_VALUE) return undefined
  const length = bytes[keyEnd + 1] === 0 ? 0 : readVarint(bytes, keyEnd + 1, end - keyEnd)
  if (length < 0) return undefined
  const valueStart = keyEnd + 1 + varintBytes(length)
  if (valueStart + length !== end) return undefined
  return { key, state: { kind: 'value', value: bytes.subarray(valueStart, end) } }
}

function operationBytes({ key, state }: KeyWrite): number {
  const keyBytes = key.length === 0 ? 0 : fieldBytes(key)
  return keyBytes + (state.kind === 'value' ? fieldBytes(state.value) : DELETE_BYTES)
}

function fieldBytes({ length }: Uint8Array): number {
  return 1 + varintBytes(length) + length
}

/** Answers the offset behind it. */
function writeField(
  bytes: Uint8Array,
  offset: number,
  { tag, value }: { readonly tag: number; readonly value: Uint8Array },
): number {
  bytes[offset] = tag
  const start = writeVarint(bytes, offset + 1, value.length)
  bytes.set(value, start)
  return start + value.length
}
