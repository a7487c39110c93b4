/**
 * Messages of the broadcast tree as frames, and back. What comes from a peer is checked whole before a machine sees it.
 *
 * A broadcast is a run in a `Push`: inline up to {@link GOSSIP_INLINE_BYTES}, else announced and fetched. The id of an
 * inline run is computed from its closing intention, never taken from the peer.
 *
 * @module
 */
import {
  type Crypto,
  err,
  type IntentionId,
  intentionId,
  isSigned,
  MAX_RUN_LENGTH,
  MAX_SIGNED_INTENTION_BYTES,
  ok,
  type PublicKey,
  readIntentionId,
  readPublicKey,
  readStoreId,
  type Result,
  type SignedIntention,
} from '@lattice/model'
import type { net } from '@lattice/proto'
import { type FrameInit, fromWire, readCount, toWire } from '../frame.ts'
import { GOSSIP_INLINE_BYTES, GRAFT_IDS_MAX, IHAVE_IDS_MAX, MAX_ROUND } from '../limits.ts'
import { type ClaimedDigest, claimFields } from '../claimed-digest.ts'
import type { TreeMessage } from './broadcast-tree.ts'
import { readTopic, type Topic } from './gossip-topic.ts'

/** What is broadcast: a run, or that there is one to be fetched from whoever says so. */
export type GossipPayload =
  | { readonly kind: 'run'; readonly intentions: readonly SignedIntention[] }
  | {
      readonly kind: 'announced'
      readonly author: PublicKey
      /** Of the run. */
      readonly intentions: number
      readonly bytes: number
    }

/** Why a frame is no message of a tree: the sender broke the protocol. */
export type TreeFrameError =
  | 'topic_malformed'
  | 'store_id_malformed'
  | 'id_malformed'
  | 'round_out_of_range'
  | 'ihave_empty'
  | 'ihave_too_many_ids'
  | 'ihave_rounds_do_not_match'
  | 'graft_too_many_ids'
  | 'graft_without_store'
  | 'broadcast_empty'
  | 'broadcast_ambiguous'
  | 'broadcast_too_large'
  | 'broadcast_not_closed'
  | 'announcement_malformed'

export interface TopicTreeMessage {
  readonly topic: Topic
  readonly message: TreeMessage<GossipPayload>
}

type Read = Result<TopicTreeMessage, TreeFrameError>

/** Bytes of a run as they are counted against {@link GOSSIP_INLINE_BYTES}. */
export function runBytes(intentions: readonly SignedIntention[]): number {
  return intentions.reduce((sum, { bytes, signature }) => sum + bytes.length + signature.length, 0)
}

/** A run as it is broadcast: itself while it is small. */
export function gossipPayload(author: PublicKey, intentions: readonly SignedIntention[]): GossipPayload {
  const bytes = runBytes(intentions)
  if (bytes <= GOSSIP_INLINE_BYTES) return { kind: 'run', intentions }
  return { kind: 'announced', author, intentions: intentions.length, bytes }
}

/** Bytes that keeping a payload takes. */
export function payloadBytes(payload: GossipPayload): number {
  return payload.kind === 'run' ? runBytes(payload.intentions) : 0
}

/** The frame of a message; a broadcast may say what the sender holds after it. */
export function treeFrame({ topic, message }: TopicTreeMessage, claim?: ClaimedDigest): FrameInit {
  switch (message.kind) {
    case 'gossip': {
      const { store, id, round, payload } = message
      const digest = claim === undefined ? {} : claimFields(claim)
      const run =
        payload.kind === 'run'
          ? { intentions: toWire(payload.intentions) }
          : { announced: { ...payload, id, bytes: BigInt(payload.bytes) } }
      return { case: 'push', value: { topic, storeId: store, round, ...run, ...digest } }
    }
    case 'ihave': {
      const { store, entries } = message
      const [ids, rounds] = [entries.map(({ id }) => id), entries.map(({ round }) => round)]
      return { case: 'ihave', value: { topic, storeId: store, ids, rounds } }
    }
    case 'graft': {
      const { wanted } = message
      const value = wanted === undefined ? { topic } : { topic, storeId: wanted.store, ids: [...wanted.ids] }
      return { case: 'graft', value }
    }
    case 'prune':
      return { case: 'prune', value: { topic } }
  }
}

export function readIHave(frame: net.IHave): Read {
  const [topic, store] = [readTopic(frame.topic), readStoreId(frame.storeId)]
  if (topic === undefined) return err('topic_malformed')
  if (store === undefined) return err('store_id_malformed')
  if (frame.ids.length === 0) return err('ihave_empty')
  if (frame.ids.length > IHAVE_IDS_MAX) return err('ihave_too_many_ids')
  if (frame.rounds.length !== frame.ids.length) return err('ihave_rounds_do_not_match')
  const ids = readIds(frame.ids)
  if (ids === undefined) return err('id_malformed')
  if (!frame.rounds.every(isRound)) return err('round_out_of_range')
  const entries = ids.map((id, index) => ({ id, round: frame.rounds[index] ?? MAX_ROUND }))
  return ok({ topic, message: { kind: 'ihave', store, entries } })
}

export function readGraft(frame: net.Graft): Read {
  const topic = readTopic(frame.topic)
  if (topic === undefined) return err('topic_malformed')
  if (frame.ids.length > GRAFT_IDS_MAX) return err('graft_too_many_ids')
  if (frame.ids.length === 0 && frame.storeId.length === 0) {
    return ok({ topic, message: { kind: 'graft', wanted: undefined } })
  }
  const [store, ids] = [readStoreId(frame.storeId), readIds(frame.ids)]
  if (store === undefined || frame.ids.length === 0) return err('graft_without_store')
  if (ids === undefined) return err('id_malformed')
  return ok({ topic, message: { kind: 'graft', wanted: { store, ids } } })
}

export function readPrune(frame: net.Prune): Read {
  const topic = readTopic(frame.topic)
  return topic === undefined ? err('topic_malformed') : ok({ topic, message: { kind: 'prune' } })
}

/** Reads a `Push` that is a broadcast. Its claim, if any, is read beside. */
export function readBroadcast(frame: net.Push, crypto: Crypto): Read {
  const [topic, store] = [readTopic(frame.topic), readStoreId(frame.storeId)]
  if (topic === undefined) return err('topic_malformed')
  if (store === undefined) return err('store_id_malformed')
  if (!isRound(frame.round)) return err('round_out_of_range')
  const run = readRun(frame, crypto)
  if (!run.ok) return run
  return ok({ topic, message: { kind: 'gossip', store, round: frame.round, ...run.value } })
}

type ReadRun = Result<{ readonly id: IntentionId; readonly payload: GossipPayload }, TreeFrameError>

function readRun({ announced, ...frame }: net.Push, crypto: Crypto): ReadRun {
  const closing = frame.intentions.at(-1)
  if (announced !== undefined) {
    return closing === undefined ? readAnnouncement(announced) : err('broadcast_ambiguous')
  }
  if (closing === undefined) return err('broadcast_empty')
  const intentions = fromWire(frame.intentions)
  if (intentions.length > MAX_RUN_LENGTH || runBytes(intentions) > GOSSIP_INLINE_BYTES) {
    return err('broadcast_too_large')
  }
  if (!isSigned({ bytes: closing.intention, signature: closing.signature })) return err('broadcast_not_closed')
  return ok({ id: intentionId(crypto, closing.intention), payload: { kind: 'run', intentions } })
}

function readAnnouncement(announced: net.RunAnnouncement): ReadRun {
  const { intentions } = announced
  const [id, author, bytes] = [
    readIntentionId(announced.id),
    readPublicKey(announced.author),
    readCount(announced.bytes),
  ]
  if (id === undefined || author === undefined || bytes === undefined) return err('announcement_malformed')
  const isPossible =
    intentions > 0 &&
    intentions <= MAX_RUN_LENGTH &&
    bytes > GOSSIP_INLINE_BYTES &&
    bytes <= intentions * MAX_SIGNED_INTENTION_BYTES
  return isPossible
    ? ok({ id, payload: { kind: 'announced', author, intentions, bytes } })
    : err('announcement_malformed')
}

function isRound(round: number): boolean {
  return round >= 1 && round <= MAX_ROUND
}

function readIds(bytes: readonly Uint8Array[]): readonly IntentionId[] | undefined {
  const ids = bytes.map((id) => readIntentionId(id)).filter((id) => id !== undefined)
  return ids.length === bytes.length ? ids : undefined
}
