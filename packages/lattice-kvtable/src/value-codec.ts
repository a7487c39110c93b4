/**
 * The stored value of one key: every head, encoded so that equal heads are
 * equal bytes on every node.
 *
 * The encoding is protobuf with its freedoms taken away: fields in order of
 * number, defaults left out, heads in winner order. It is written here and read
 * back from this node's own table alone, so bytes that do not decode are a
 * damaged table, which is a bug or a failing disk, never a peer's doing.
 *
 * @module
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import {
  assert,
  compareBytes,
  compareHlc,
  type Hlc,
  type IntentionId,
  type PublicKey,
  toIntentionId,
  toPublicKey,
} from '@lattice/model'
import { kvtable } from '@lattice/proto'

/** What a write leaves under a key. */
export type KvState = { readonly kind: 'value'; readonly value: Uint8Array } | { readonly kind: 'tombstone' }

/** One write of a key that no later write of it has cited. */
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

/** Encodes heads that are in winner order. */
export function encodeHeads(heads: readonly KvHead[]): Uint8Array {
  assert(heads.length > 0, 'a stored key has a head')
  return toBinary(kvtable.ValueSchema, create(kvtable.ValueSchema, { heads: heads.map(toMessage) }))
}

/** Decodes a stored value. The heads' bytes are views of `bytes`: nothing is copied. */
export function decodeHeads(bytes: Uint8Array): readonly [KvHead, ...KvHead[]] {
  const [winner, ...losers] = fromBinary(kvtable.ValueSchema, bytes).heads.map(fromMessage)
  assert(winner !== undefined, 'a stored key has a head')
  return [winner, ...losers]
}

function toMessage(head: KvHead): kvtable.Head {
  return create(kvtable.HeadSchema, {
    id: head.id,
    wall: BigInt(head.timestamp.wall),
    counter: head.timestamp.counter,
    author: head.author,
    state:
      head.state.kind === 'value' ? { case: 'value', value: head.state.value } : { case: 'tombstone', value: true },
  })
}

function fromMessage({ id, wall, counter, author, state }: kvtable.Head): KvHead {
  assert(state.case !== undefined, 'a stored head is a value or a tombstone')
  return {
    id: toIntentionId(id),
    timestamp: { wall: Number(wall), counter },
    author: toPublicKey(author),
    state: state.case === 'value' ? { kind: 'value', value: state.value } : { kind: 'tombstone' },
  }
}
