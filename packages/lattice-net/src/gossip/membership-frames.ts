/**
 * Membership messages as frames, and back. What comes from a peer is checked whole before a machine sees it.
 *
 * @module
 */
import { err, ok, type PublicKey, readPublicKey, type Result } from '@lattice/model'
import { net } from '@lattice/proto'
import type { FrameInit } from '../frame.ts'
import { ACTIVE_WALK, SHUFFLE_SAMPLE_MAX } from '../limits.ts'
import { readTopic, type Topic } from './gossip-topic.ts'
import type { MembershipMessage } from './membership.ts'

/** Why a frame is no membership message: the sender broke the protocol. */
export type MembershipFrameError =
  | 'membership_topic_malformed'
  | 'membership_kind_unknown'
  | 'membership_peer_malformed'
  | 'membership_ttl_out_of_range'
  | 'membership_sample_too_large'
  | 'membership_sample_malformed'
  /** A field is set that the kind does not use. */
  | 'membership_field_unused'

export interface TopicMembership {
  readonly topic: Topic
  readonly message: MembershipMessage
}

export function membershipFrame({ topic, message }: TopicMembership): FrameInit {
  return { case: 'membership', value: { topic, ...fieldsOf(message) } }
}

type Fields = Partial<Pick<net.Membership, 'peer' | 'ttl' | 'sample'>> & Pick<net.Membership, 'kind'>

function fieldsOf(message: MembershipMessage): Fields {
  switch (message.kind) {
    case 'join':
      return { kind: net.MembershipKind.JOIN }
    case 'forward_join':
      return { kind: net.MembershipKind.FORWARD_JOIN, peer: message.peer, ttl: message.ttl }
    case 'neighbor':
      return {
        kind: message.priority === 'high' ? net.MembershipKind.NEIGHBOR_HIGH : net.MembershipKind.NEIGHBOR_LOW,
      }
    case 'neighbor_reply':
      return {
        kind: message.accepted ? net.MembershipKind.NEIGHBOR_ACCEPTED : net.MembershipKind.NEIGHBOR_REFUSED,
      }
    case 'disconnect':
      return { kind: net.MembershipKind.DISCONNECT }
    case 'shuffle': {
      const { origin, ttl, sample } = message
      return { kind: net.MembershipKind.SHUFFLE, peer: origin, ttl, sample: [...sample] }
    }
    case 'shuffle_reply':
      return { kind: net.MembershipKind.SHUFFLE_REPLY, peer: message.origin, sample: [...message.sample] }
  }
}

/** Reads a membership frame. */
export function readMembership(frame: net.Membership): Result<TopicMembership, MembershipFrameError> {
  const topic = readTopic(frame.topic)
  if (topic === undefined) return err('membership_topic_malformed')
  const message = readMessage(frame)
  return message.ok ? ok({ topic, message: message.value }) : message
}

const PLAIN: ReadonlyMap<net.MembershipKind, MembershipMessage> = new Map<net.MembershipKind, MembershipMessage>([
  [net.MembershipKind.JOIN, { kind: 'join' }],
  [net.MembershipKind.NEIGHBOR_HIGH, { kind: 'neighbor', priority: 'high' }],
  [net.MembershipKind.NEIGHBOR_LOW, { kind: 'neighbor', priority: 'low' }],
  [net.MembershipKind.NEIGHBOR_ACCEPTED, { kind: 'neighbor_reply', accepted: true }],
  [net.MembershipKind.NEIGHBOR_REFUSED, { kind: 'neighbor_reply', accepted: false }],
  [net.MembershipKind.DISCONNECT, { kind: 'disconnect' }],
])

function readMessage(frame: net.Membership): Result<MembershipMessage, MembershipFrameError> {
  const plain = PLAIN.get(frame.kind)
  if (plain !== undefined) {
    const isPlain = frame.peer.length === 0 && frame.ttl === 0 && frame.sample.length === 0
    return isPlain ? ok(plain) : err('membership_field_unused')
  }
  switch (frame.kind) {
    case net.MembershipKind.FORWARD_JOIN:
    case net.MembershipKind.SHUFFLE:
    case net.MembershipKind.SHUFFLE_REPLY:
      return readWalk(frame, frame.kind)
    default:
      return err('membership_kind_unknown')
  }
}

type WalkKind =
  | typeof net.MembershipKind.FORWARD_JOIN
  | typeof net.MembershipKind.SHUFFLE
  | typeof net.MembershipKind.SHUFFLE_REPLY

function readWalk(frame: net.Membership, kind: WalkKind): Result<MembershipMessage, MembershipFrameError> {
  const { ttl } = frame
  const peer = readPublicKey(frame.peer)
  if (peer === undefined) return err('membership_peer_malformed')
  if (ttl > ACTIVE_WALK) return err('membership_ttl_out_of_range')
  if (frame.sample.length > SHUFFLE_SAMPLE_MAX) return err('membership_sample_too_large')
  const sample = readKeys(frame.sample)
  if (sample === undefined) return err('membership_sample_malformed')
  switch (kind) {
    case net.MembershipKind.FORWARD_JOIN:
      return sample.length === 0 ? ok({ kind: 'forward_join', peer, ttl }) : err('membership_field_unused')
    case net.MembershipKind.SHUFFLE:
      return ok({ kind: 'shuffle', origin: peer, ttl, sample })
    case net.MembershipKind.SHUFFLE_REPLY:
      return ttl === 0 ? ok({ kind: 'shuffle_reply', origin: peer, sample }) : err('membership_field_unused')
  }
}

function readKeys(bytes: readonly Uint8Array[]): readonly PublicKey[] | undefined {
  const keys = bytes.map((key) => readPublicKey(key)).filter((key) => key !== undefined)
  return keys.length === bytes.length ? keys : undefined
}
