/**
 * Topics: one for each circle of peers, which is what one peer table holds.
 *
 * @module
 */
import {
  type Brand,
  compareBytes,
  type Crypto,
  type Hash,
  type IntentionId,
  readHash,
  type StoreId,
  toHash,
  utf8Encode,
} from '@lattice/model'

/** Names a circle of peers on the wire. */
export type Topic = Hash & Brand<'Topic'>

const PREFIX = utf8Encode('lattice/gossip')

/** The topic of those whom the peer table of a store holds. With each epoch it is another: who is out no longer hears. */
export function gossipTopic(crypto: Crypto, store: StoreId, epochHeads: readonly IntentionId[]): Topic {
  return toTopic(toHash(crypto.blake3(PREFIX, store, ...[...epochHeads].sort(compareBytes))))
}

/** Bytes from outside as a topic, or undefined when the length is wrong. */
export function readTopic(bytes: Uint8Array): Topic | undefined {
  const hash = readHash(bytes)
  return hash === undefined ? undefined : toTopic(hash)
}

function toTopic(hash: Hash): Topic {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The one cast that mints a Topic.
  return hash as Topic
}
