/**
 * Turns a frame of gossip that is true into one that is not: about ids, wishes, topics and peers.
 *
 * A note is replaced by a note, never added: each is owed one answer, and the other side counts them.
 *
 * @module
 */
import type { SeededRandom } from '@lattice/model/testing'
import type { Frame, FrameInit } from '@lattice/net'

/** Ids of a frame at most: fewer than what is refused as too many. */
const MAX_INVENTED = 8
/** One invented frame in so many names more than a peer may name. */
const TOO_MANY_ONE_IN = 8
const TOO_MANY = 5_000
const ID_BYTES = 32

/** Announces ids that stand for nothing, as if runs of the store would follow; undefined for a frame of another kind. */
export function inventIds(frame: Frame, random: SeededRandom): FrameInit | undefined {
  if (frame.case !== 'ihave' && frame.case !== 'push') return undefined
  const { topic, storeId } = frame.value
  if (topic.length === 0) return undefined
  const ids = invented(random)
  return { case: 'ihave', value: { topic, storeId, ids, rounds: ids.map(() => 1 + random.below(8)) } }
}

/** Wants what there is none of, or nothing any more. */
export function graftOrPrune(frame: Frame, random: SeededRandom): FrameInit | undefined {
  if (frame.case !== 'ihave' && frame.case !== 'push') return undefined
  const { topic, storeId } = frame.value
  if (topic.length === 0) return undefined
  return random.below(3) === 0
    ? { case: 'prune', value: { topic } }
    : { case: 'graft', value: { topic, storeId, ids: invented(random) } }
}

/** Speaks in a circle that is not there. */
export function otherTopic(frame: Frame, random: SeededRandom): FrameInit | undefined {
  switch (frame.case) {
    case 'membership':
      return { case: 'membership', value: { ...frame.value, topic: random.bytes(ID_BYTES) } }
    case 'ihave':
      return { case: 'ihave', value: { ...frame.value, topic: random.bytes(ID_BYTES) } }
    case 'graft':
      return { case: 'graft', value: { ...frame.value, topic: random.bytes(ID_BYTES) } }
    case 'prune':
      return { case: 'prune', value: { topic: random.bytes(ID_BYTES) } }
    case 'push':
      return { case: 'push', value: { ...frame.value, topic: random.bytes(ID_BYTES) } }
    default:
      return undefined
  }
}

/** Tells of peers that nobody has heard of, and walks too far. */
export function inventPeers(frame: Frame, random: SeededRandom): FrameInit | undefined {
  if (frame.case !== 'membership') return undefined
  const { peer, ttl, sample, ...rest } = frame.value
  const isWalk = peer.length > 0
  return {
    case: 'membership',
    value: {
      ...rest,
      peer: isWalk && random.below(2) === 0 ? random.bytes(ID_BYTES) : peer,
      ttl: isWalk && random.below(4) === 0 ? random.below(2 ** 16) : ttl,
      sample: sample.map((each) => (random.below(2) === 0 ? random.bytes(ID_BYTES) : each)),
    },
  }
}

function invented(random: SeededRandom): Uint8Array[] {
  const count = random.below(TOO_MANY_ONE_IN) === 0 ? TOO_MANY : 1 + random.below(MAX_INVENTED)
  return Array.from({ length: count }, () => random.bytes(ID_BYTES))
}
