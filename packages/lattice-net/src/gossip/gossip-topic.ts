/**
 * The topic of a circle of peers: what one membership and one broadcast tree are about.
 *
 * A circle is whom one peer table holds. Stores that share a table share the topic, so that thousands of idle children
 * cost one membership between them.
 *
 * @module
 */
import { type Crypto, type Hash, HASH_BYTES, type IntentionId, type StoreId, toHash, utf8Encode } from '@lattice/model'

/** Names a topic on the wire. */
export type GossipTopic = Hash

const TAG = utf8Encode('lattice/gossip')

/** The topic of the circle whose table the store `owner` holds, under its sorted epoch heads. */
export function gossipTopic(crypto: Crypto, owner: StoreId, epochHeads: readonly IntentionId[]): GossipTopic {
  return toHash(crypto.blake3(TAG, owner, ...epochHeads))
}

/** Reads a topic from outside; undefined for bytes of another length. */
export function readTopic(bytes: Uint8Array): GossipTopic | undefined {
  return bytes.length === HASH_BYTES ? toHash(bytes) : undefined
}
