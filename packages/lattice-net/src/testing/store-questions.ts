/**
 * What a peer can ask of a store: every protocol that names one, also what breaks it. Whoever may not use the store is to
 * learn the same from each as of one that does not exist.
 *
 * @module
 */
import { net } from '@lattice/proto'
import type { FrameInit } from '../frame.ts'

const id = new Uint8Array(32).fill(5)
const sum = new Uint8Array(32).fill(6)

export type StoreQuestion = readonly [protocol: net.Protocol, frames: readonly FrameInit[]]

/** By protocol; `topic` is that of the store. */
export function storeQuestions(storeId: Uint8Array, topic: Uint8Array): readonly StoreQuestion[] {
  const tip = { author: id, position: 3n, id }
  const hello = { storeId, witnessCount: 4n, fingerprint: sum }
  const junk = { intention: new Uint8Array(30), signature: new Uint8Array(64) }
  const joins = [net.MembershipKind.JOIN, net.MembershipKind.NEIGHBOR_HIGH, net.MembershipKind.DISCONNECT]
  return [
    [net.Protocol.RECONCILE, [{ case: 'hello', value: hello }]],
    [net.Protocol.RECONCILE, [{ case: 'hello', value: { ...hello, tips: [tip] } }]],
    [net.Protocol.BOOTSTRAP, [{ case: 'witnessPageRequest', value: { storeId, fromSeq: 1n, limit: 9 } }]],
    [net.Protocol.BOOTSTRAP, [{ case: 'witnessPageRequest', value: { storeId, fromSeq: 0n, limit: 0 } }]],
    [net.Protocol.FETCH, [{ case: 'fetchIntentions', value: { storeId, ids: [id, storeId] } }]],
    [net.Protocol.FETCH, [{ case: 'fetchIntentions', value: { storeId, ids: [] } }]],
    [net.Protocol.FETCH, [{ case: 'fetchChain', value: { storeId, target: storeId, limit: 4 } }]],
    [net.Protocol.GOSSIP, [{ case: 'push', value: { topic, storeId, round: 1, intentions: [junk] } }]],
    [net.Protocol.GOSSIP, [{ case: 'push', value: { topic, storeId, round: 1, intentions: [] } }]],
    [net.Protocol.GOSSIP, [{ case: 'ihave', value: { topic, storeId, ids: [id], rounds: [1] } }]],
    [net.Protocol.GOSSIP, [{ case: 'graft', value: { topic, storeId, ids: [id] } }]],
    [net.Protocol.GOSSIP, [{ case: 'prune', value: { topic } }]],
    [net.Protocol.GOSSIP, joins.map((kind) => ({ case: 'membership', value: { topic, kind } }))],
    [net.Protocol.GOSSIP, joins.map((kind) => ({ case: 'membership', value: { topic, kind, peer: id, ttl: 2 } }))],
    [
      net.Protocol.GOSSIP,
      [{ case: 'heartbeat', value: { stores: [{ storeId, witnessCount: 7n, fingerprint: sum, bulk: true }] } }],
    ],
    [net.Protocol.DIGEST, [{ case: 'digests', value: { nonce: new Uint8Array(16), stores: [], addresses: [] } }]],
    [net.Protocol.JOIN, [{ case: 'joinRequest', value: { storeId, secret: sum, name: 'n', addresses: [] } }]],
    [net.Protocol.REVOCATION, [{ case: 'revocationRequest', value: { storeId, known: [id] } }]],
    [net.Protocol.REVOCATION, [{ case: 'revocationRequest', value: { storeId, known: [new Uint8Array(3)] } }]],
    [
      net.Protocol.REVOCATION,
      [
        { case: 'revocationRequest', value: { storeId, known: [] } },
        { case: 'foundationRequest', value: { storeId, base: id, after: 0n } },
      ],
    ],
    [net.Protocol.SNAPSHOT, [{ case: 'baseRequest', value: { storeId } }]],
    [net.Protocol.SNAPSHOT, [{ case: 'foundationRequest', value: { storeId, base: id, after: 0n } }]],
    [net.Protocol.SNAPSHOT, [{ case: 'snapshotRequest', value: { storeId, epoch: id } }]],
    [net.Protocol.SNAPSHOT, [{ case: 'outlineRequest', value: { storeId, epoch: id } }]],
    [net.Protocol.PING, []],
  ]
}
