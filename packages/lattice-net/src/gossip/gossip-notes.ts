/**
 * Membership and tree messages as frames, and back. What comes from outside is checked here, once: lengths, counts, ranges.
 *
 * @module
 */
import {
  type IntentionId,
  type PublicKey,
  readIntentionId,
  readPublicKey,
  readStoreId,
  type StoreId,
} from '@lattice/model'
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { net } from '@lattice/proto'
import { readAddresses } from '../digest-exchange.ts'
import type { Frame, FrameInit } from '../frame.ts'
import { GRAFT_IDS_MAX, IHAVE_IDS_MAX, MAX_ROUND, SHUFFLE_SAMPLE_MAX } from '../limits.ts'
import type { PeerHint } from '../session-call.ts'
import type { Announced, TreeMessage } from './broadcast-tree.ts'
import { type GossipTopic, readTopic } from './gossip-topic.ts'
import type { MembershipMessage } from './membership.ts'

/** Where a peer may be reached, as far as is known here. */
export type AddressesOf = (peer: PublicKey) => readonly string[]

/** What neighbours say of messages without sending them. */
export type TreeNote = Exclude<TreeMessage<never>, { readonly kind: 'gossip' }>

/** A note that holds together. */
export type ReadNote =
  | {
      readonly kind: 'membership'
      readonly topic: GossipTopic
      readonly message: MembershipMessage
      readonly hints: readonly PeerHint[]
    }
  | { readonly kind: 'tree'; readonly topic: GossipTopic; readonly note: TreeNote }

type MembershipInit = NonNullable<Exclude<MessageInitShape<typeof net.MembershipSchema>, net.Membership>['message']>

const NO_BYTES = new Uint8Array(0)

export function treeFrame(topic: GossipTopic, note: TreeNote): FrameInit {
  switch (note.kind) {
    case 'ihave': {
      const messages = note.entries.map(({ id, round }) => ({ id, round }))
      return { case: 'iHave', value: { topic, storeId: note.store, messages } }
    }
    case 'graft': {
      const { wanted } = note
      const value = { topic, storeId: wanted?.store ?? NO_BYTES, ids: [...(wanted?.ids ?? [])] }
      return { case: 'graft', value }
    }
    case 'prune':
      return { case: 'prune', value: { topic } }
  }
}

export function membershipFrame(topic: GossipTopic, message: MembershipMessage, addressesOf: AddressesOf): FrameInit {
  const hint = (peer: PublicKey): { peer: PublicKey; addresses: string[] } => ({
    peer,
    addresses: [...readAddresses(addressesOf(peer))],
  })
  return { case: 'membership', value: { topic, message: wireMessage(message, hint) } }
}

function wireMessage(
  message: MembershipMessage,
  hint: (peer: PublicKey) => { peer: PublicKey; addresses: string[] },
): MembershipInit {
  switch (message.kind) {
    case 'join':
      return { case: 'join', value: {} }
    case 'disconnect':
      return { case: 'disconnect', value: {} }
    case 'neighbor':
      return { case: 'neighbor', value: { highPriority: message.priority === 'high' } }
    case 'neighbor_reply':
      return { case: 'neighborReply', value: { accepted: message.accepted } }
    case 'forward_join':
      return { case: 'forwardJoin', value: { peer: hint(message.peer), ttl: message.ttl } }
    case 'shuffle': {
      const { origin, ttl, sample } = message
      return { case: 'shuffle', value: { origin: hint(origin), ttl, sample: sample.map(hint) } }
    }
    case 'shuffle_reply':
      return { case: 'shuffleReply', value: { origin: hint(message.origin), sample: message.sample.map(hint) } }
  }
}

/** Reads a note; undefined for a frame that is none. */
export function readNote(frame: Frame): ReadNote | { readonly violation: string } | undefined {
  switch (frame.case) {
    case 'iHave':
      return readIHave(frame.value)
    case 'graft':
      return readGraft(frame.value)
    case 'prune': {
      const topic = readTopic(frame.value.topic)
      return topic === undefined ? { violation: 'prune_malformed' } : { kind: 'tree', topic, note: { kind: 'prune' } }
    }
    case 'membership':
      return readMembership(frame.value)
    default:
      return undefined
  }
}

function readIHave(frame: net.IHave): ReadNote | { readonly violation: string } {
  const topic = readTopic(frame.topic)
  const store = readStoreId(frame.storeId)
  if (topic === undefined || store === undefined) return { violation: 'i_have_malformed' }
  if (frame.messages.length < 1 || frame.messages.length > IHAVE_IDS_MAX) return { violation: 'i_have_out_of_range' }
  const entries: Announced[] = []
  for (const { id: bytes, round } of frame.messages) {
    const id = readIntentionId(bytes)
    if (id === undefined || round < 1 || round > MAX_ROUND) return { violation: 'i_have_malformed' }
    entries.push({ id, round })
  }
  return { kind: 'tree', topic, note: { kind: 'ihave', store, entries } }
}

function readGraft(frame: net.Graft): ReadNote | { readonly violation: string } {
  const topic = readTopic(frame.topic)
  if (topic === undefined) return { violation: 'graft_malformed' }
  if (frame.ids.length > GRAFT_IDS_MAX) return { violation: 'graft_out_of_range' }
  if (frame.ids.length === 0) return { kind: 'tree', topic, note: { kind: 'graft', wanted: undefined } }
  const store: StoreId | undefined = readStoreId(frame.storeId)
  const ids: IntentionId[] = []
  for (const id of frame.ids.map(readIntentionId)) {
    if (id === undefined) return { violation: 'graft_malformed' }
    ids.push(id)
  }
  if (store === undefined) return { violation: 'graft_malformed' }
  return { kind: 'tree', topic, note: { kind: 'graft', wanted: { store, ids } } }
}

function readMembership({ topic: bytes, message }: net.Membership): ReadNote | { readonly violation: string } {
  const topic = readTopic(bytes)
  if (topic === undefined) return { violation: 'membership_malformed' }
  const hints: PeerHint[] = []
  const peerOf = (address: net.PeerAddress | undefined): PublicKey | undefined => {
    const peer = address === undefined ? undefined : readPublicKey(address.peer)
    if (address === undefined || peer === undefined) return undefined
    const addresses = readAddresses(address.addresses)
    if (addresses.length > 0) hints.push({ peer, addresses })
    return peer
  }
  const read = readMessage(message, peerOf)
  return read === undefined
    ? { violation: 'membership_malformed' }
    : { kind: 'membership', topic, message: read, hints }
}

function readMessage(
  message: net.Membership['message'],
  peerOf: (address: net.PeerAddress | undefined) => PublicKey | undefined,
): MembershipMessage | undefined {
  switch (message.case) {
    case 'join':
      return { kind: 'join' }
    case 'disconnect':
      return { kind: 'disconnect' }
    case 'neighbor':
      return { kind: 'neighbor', priority: message.value.highPriority ? 'high' : 'low' }
    case 'neighborReply':
      return { kind: 'neighbor_reply', accepted: message.value.accepted }
    case 'forwardJoin': {
      const peer = peerOf(message.value.peer)
      return peer && { kind: 'forward_join', peer, ttl: message.value.ttl }
    }
    case 'shuffle': {
      const origin = peerOf(message.value.origin)
      const sample = readSample(message.value.sample, peerOf)
      return origin && sample && { kind: 'shuffle', origin, ttl: message.value.ttl, sample }
    }
    case 'shuffleReply': {
      const origin = peerOf(message.value.origin)
      const sample = readSample(message.value.sample, peerOf)
      return origin && sample && { kind: 'shuffle_reply', origin, sample }
    }
    default:
      return undefined
  }
}

function readSample(
  sample: readonly net.PeerAddress[],
  peerOf: (address: net.PeerAddress) => PublicKey | undefined,
): readonly PublicKey[] | undefined {
  if (sample.length > SHUFFLE_SAMPLE_MAX) return undefined
  const peers = sample.map(peerOf)
  return peers.every((peer) => peer !== undefined) ? peers : undefined
}
