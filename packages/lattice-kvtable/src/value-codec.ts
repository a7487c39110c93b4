/**
 * The stored value of one key: every head, encoded so that equal heads are
 * equal bytes on every node.
 *
 * The encoding is protobuf with its freedoms taken away: fields in order of
 * number, defaults left out, heads in winner order. It is written here and read
 * back from this node's own table alone, so bytes that do not decode are a
 * damaged table, which is a bug or a failing disk, never a peer's doing. Coded
 * by hand, for every write and every read pass here; byte-equal with the
 * generated codec of `lattice.kvtable.v1.Value`.
 *
 * @module
 */
import {
  assert,
  compareBytes,
  compareHlc,
  type Hlc,
  HASH_BYTES,
  type IntentionId,
  MAX_HLC_COUNTER,
  MAX_WALL_MS,
  PUBLIC_KEY_BYTES,
  type PublicKey,
  readVarint,
  toIntentionId,
  toPublicKey,
  varintBytes,
  writeVarint,
} from '@lattice/model'

/** What a write leaves under a key. */
export type KvState = { readonly kind: 'value'; readonly value: Uint8Array } | { readonly kind: 'tombstone' }

/** One write of a key that no later write of it has replaced. */
export interface KvHead {
  /** Id of the intention that wrote it. */
  readonly id: IntentionId
  readonly timestamp: Hlc
  readonly author: PublicKey
  readonly state: KvState
}

/** The one rule of who wins: the later in hybrid time, then the greater author, then the greater id. Winner first. */
export function compareHeads(a: KvHead, b: KvHead): number {
  return compareHlc(b.timestamp, a.timestamp) || compareBytes(b.author, a.author) || compareBytes(b.id, a.id)
}

const TAG_HEAD = 0x0a
const TAG_ID = 0x0a
const TAG_WALL = 0x10
const TAG_COUNTER = 0x18
const TAG_AUTHOR = 0x22
const TAG_VALUE = 0x2a
const TAG_TOMBSTONE = 0x30
const TOMBSTONE: KvState = { kind: 'tombstone' }
const TOMBSTONE_BYTES = 2
const ID_FIELD_BYTES: number = 2 + HASH_BYTES
const AUTHOR_FIELD_BYTES: number = 2 + PUBLIC_KEY_BYTES

/** Encodes heads that are in winner order. */
export function encodeHeads(heads: readonly KvHead[]): Uint8Array {
  assert(heads.length > 0, 'a stored key has a head')
  let length = 0
  for (const head of heads) {
    const bytes = headBytes(head)
    length += 1 + varintBytes(bytes) + bytes
  }
  const bytes = new Uint8Array(length)
  let offset = 0
  for (const head of heads) {
    bytes[offset] = TAG_HEAD
    offset = writeHead(bytes, writeVarint(bytes, offset + 1, headBytes(head)), head)
  }
  return bytes
}

/** Decodes a stored value. The heads' bytes are views of `bytes`: nothing is copied. */
export function decodeHeads(bytes: Uint8Array): readonly [KvHead, ...KvHead[]] {
  const first = readHeadAt(bytes, 0)
  if (first.end === bytes.length) return [first.head]
  const losers: KvHead[] = []
  for (let offset = first.end; offset < bytes.length;) {
    const { head, end } = readHeadAt(bytes, offset)
    losers.push(head)
    offset = end
  }
  return [first.head, ...losers]
}

function headBytes({ timestamp: { wall, counter }, state }: KvHead): number {
  return (
    ID_FIELD_BYTES +
    (wall === 0 ? 0 : 1 + varintBytes(wall)) +
    (counter === 0 ? 0 : 1 + varintBytes(counter)) +
    AUTHOR_FIELD_BYTES +
    (state.kind === 'value' ? 1 + varintBytes(state.value.length) + state.value.length : TOMBSTONE_BYTES)
  )
}

/** Answers the offset behind it. */
function writeHead(bytes: Uint8Array, start: number, { id, timestamp, author, state }: KvHead): number {
  const { wall, counter } = timestamp
  assert(id.length === HASH_BYTES && author.length === PUBLIC_KEY_BYTES, 'ids and keys have 32 bytes')
  bytes[start] = TAG_ID
  bytes[start + 1] = HASH_BYTES
  bytes.set(id, start + 2)
  let offset = start + ID_FIELD_BYTES
  if (wall > 0) {
    bytes[offset] = TAG_WALL
    offset = writeVarint(bytes, offset + 1, wall)
  }
  if (counter > 0) {
    bytes[offset] = TAG_COUNTER
    offset = writeVarint(bytes, offset + 1, counter)
  }
  bytes[offset] = TAG_AUTHOR
  bytes[offset + 1] = PUBLIC_KEY_BYTES
  bytes.set(author, offset + 2)
  offset += AUTHOR_FIELD_BYTES
  if (state.kind === 'tombstone') {
    bytes[offset] = TAG_TOMBSTONE
    bytes[offset + 1] = 1
    return offset + TOMBSTONE_BYTES
  }
  bytes[offset] = TAG_VALUE
  offset = writeVarint(bytes, offset + 1, state.value.length)
  bytes.set(state.value, offset)
  return offset + state.value.length
}

function readHeadAt(bytes: Uint8Array, at: number): { readonly head: KvHead; readonly end: number } {
  assert(bytes[at] === TAG_HEAD, 'a stored value is a list of heads')
  const length = readVarint(bytes, at + 1, bytes.length)
  assert(length > 0, 'a stored head has a length')
  const start = at + 1 + varintBytes(length)
  const end = start + length
  assert(end <= bytes.length && bytes[start] === TAG_ID && bytes[start + 1] === HASH_BYTES, 'a stored head has its id')
  let offset = start + ID_FIELD_BYTES
  let wall = 0
  let counter = 0
  if (bytes[offset] === TAG_WALL) {
    wall = readVarint(bytes, offset + 1, MAX_WALL_MS)
    assert(wall > 0, 'a stored wall time is within range')
    offset += 1 + varintBytes(wall)
  }
  if (bytes[offset] === TAG_COUNTER) {
    counter = readVarint(bytes, offset + 1, MAX_HLC_COUNTER)
    assert(counter > 0, 'a stored counter is within range')
    offset += 1 + varintBytes(counter)
  }
  assert(bytes[offset] === TAG_AUTHOR && bytes[offset + 1] === PUBLIC_KEY_BYTES, 'a stored head has its author')
  const state = readState(bytes, offset + AUTHOR_FIELD_BYTES, end)
  const head: KvHead = {
    id: toIntentionId(bytes.subarray(start + 2, start + ID_FIELD_BYTES)),
    timestamp: { wall, counter },
    author: toPublicKey(bytes.subarray(offset + 2, offset + AUTHOR_FIELD_BYTES)),
    state,
  }
  return { head, end }
}

function readState(bytes: Uint8Array, offset: number, end: number): KvState {
  if (bytes[offset] === TAG_TOMBSTONE) {
    assert(bytes[offset + 1] === 1 && offset + TOMBSTONE_BYTES === end, 'a stored tombstone ends its head')
    return TOMBSTONE
  }
  assert(bytes[offset] === TAG_VALUE, 'a stored head is a value or a tombstone')
  const length = bytes[offset + 1] === 0 ? 0 : readVarint(bytes, offset + 1, bytes.length)
  assert(length >= 0 && offset + 1 + varintBytes(length) + length === end, 'a stored value ends its head')
  return { kind: 'value', value: bytes.subarray(end - length, end) }
}
