/**
 * Notes: what neighbours tell each other beside runs. The frames of membership and tree, each with its topic; addresses of
 * the peers that membership names travel beside.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import { type PublicKey, readPublicKey, type Result } from '@lattice/model'
import { net } from '@lattice/proto'
import { readAddresses } from '../digest-exchange.ts'
import type { Frame, FrameInit } from '../frame.ts'
import { SHUFFLE_SAMPLE_MAX } from '../limits.ts'
import type { PeerHint } from '../session-call.ts'
import type { Topic } from './gossip-topic.ts'
import type { MembershipMessage } from './membership.ts'
import { membershipFrame, readMembership, type TopicMembership } from './membership-frames.ts'
import { readGraft, readIHave, readPrune, type TopicTreeMessage } from './tree-frames.ts'

/** Where a peer may be reached, as far as is known here. */
export type AddressesOf = (peer: PublicKey) => readonly string[]

/** A note that holds together. */
export type ReadNote =
  | ({ readonly kind: 'membership'; readonly hints: readonly PeerHint[] } & TopicMembership)
  | ({ readonly kind: 'tree' } & TopicTreeMessage)

/** A membership message, with where those that it names may be reached. */
export function membershipNote(topic: Topic, message: MembershipMessage, addressesOf: AddressesOf): FrameInit {
  const frame = membershipFrame({ topic, message })
  if (frame.case !== 'membership') return frame
  const hints = peersIn(message).flatMap((peer) => {
    const addresses = [...readAddresses(addressesOf(peer))]
    return addresses.length === 0 ? [] : [create(net.PeerAddressSchema, { peer, addresses })]
  })
  return { case: 'membership', value: { ...frame.value, hints } }
}

/** Reads a note; undefined for a frame that is none. */
export function readNote(frame: Frame): ReadNote | { readonly violation: string } | undefined {
  switch (frame.case) {
    case 'membership':
      return readMember(frame.value)
    case 'ihave':
      return readTree(readIHave(frame.value))
    case 'graft':
      return readTree(readGraft(frame.value))
    case 'prune':
      return readTree(readPrune(frame.value))
    default:
      return undefined
  }
}

function readTree(read: Result<TopicTreeMessage, string>): ReadNote | { readonly violation: string } {
  return read.ok ? { kind: 'tree', ...read.value } : { violation: read.error }
}

function readMember(frame: net.Membership): ReadNote | { readonly violation: string } {
  const read = readMembership(frame)
  if (!read.ok) return { violation: read.error }
  if (frame.hints.length > SHUFFLE_SAMPLE_MAX + 1) return { violation: 'membership_hints_too_many' }
  const hints: PeerHint[] = []
  for (const hint of frame.hints) {
    const peer = readPublicKey(hint.peer)
    if (peer === undefined) return { violation: 'membership_hint_malformed' }
    hints.push({ peer, addresses: readAddresses(hint.addresses) })
  }
  return { kind: 'membership', ...read.value, hints }
}

function peersIn(message: MembershipMessage): readonly PublicKey[] {
  switch (message.kind) {
    case 'forward_join':
      return [message.peer]
    case 'shuffle':
    case 'shuffle_reply':
      return [message.origin, ...message.sample]
    default:
      return []
  }
}
