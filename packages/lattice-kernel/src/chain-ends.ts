/**
 * Where the chains of all authors end below an epoch, as one hash: what whoever acknowledges the epoch with a state signs
 * beside its root.
 *
 * A log that begins at the epoch knows nothing else of what is gone that later writes go on from. All who have what lies below
 * the epoch come to the same, in whatever order it came; who is handed the ends alone comes to it as well, and so cannot be
 * given the end of a chain as another's, in another place, or with another time.
 *
 * @module
 */
import {
  compareBytes,
  type Crypto,
  type Hash,
  type Hlc,
  type IntentionId,
  type PublicKey,
  toHash,
  utf8Encode,
} from '@lattice/model'
import type { BookEpoch } from './epoch-book.ts'
import type { Lane } from './lane-book.ts'
import type { LogStore } from './log-store.ts'
import { seqOf } from './over-early.ts'

export interface ChainEnd {
  readonly author: PublicKey
  readonly id: IntentionId
  /** How far it is from the genesis along its chain, and along any way. */
  readonly position: number
  readonly generation: number
  readonly timestamp: Hlc
}

/** A lane below the epoch, with its last position there. */
export interface EndingLane extends Pick<Lane, 'parent'> {
  readonly author: number
  readonly last: number
}

const TAG = utf8Encode('lattice/chain-ends/v1')
/** Author, id, position, generation, and time. */
const END_BYTES = 32 + 32 + 8 + 8 + 8 + 4

/** Whatever the order. */
export function hashChainEnds(crypto: Pick<Crypto, 'blake3'>, ends: readonly ChainEnd[]): Hash {
  const sorted = ends.toSorted((a, b) => compareBytes(a.author, b.author) || compareBytes(a.id, b.id))
  const bytes = new Uint8Array(sorted.length * END_BYTES)
  const view = new DataView(bytes.buffer)
  for (const [index, { author, id, position, generation, timestamp }] of sorted.entries()) {
    const at = index * END_BYTES
    bytes.set(author, at)
    bytes.set(id, at + 32)
    view.setBigUint64(at + 64, BigInt(position))
    view.setBigUint64(at + 72, BigInt(generation))
    view.setBigUint64(at + 80, BigInt(timestamp.wall))
    view.setUint32(at + 88, timestamp.counter)
  }
  return toHash(crypto.blake3(TAG, bytes))
}

/**
 * Which of these lanes end a chain, by their number there. Of one that forks where a lane ends, the branches do: which of
 * them goes on as the same lane follows from what came first.
 */
export function endingLanes(lanes: ReadonlyMap<number, EndingLane>): readonly number[] {
  const goneOn = new Set<number>()
  for (const { author, parent } of lanes.values()) {
    const from = parent && lanes.get(parent.lane)
    if (from?.author === author && parent?.position === from.last) goneOn.add(parent.lane)
  }
  return [...lanes.keys()].filter((lane) => !goneOn.has(lane))
}

type EndsLog = Pick<LogStore, 'authors' | 'reach' | 'tipAt'>

/** Read a few at a time, with `breathe` between. The epoch is the base of the log, or has that in its past. */
export async function chainEndsAt(
  log: EndsLog,
  crypto: Pick<Crypto, 'blake3'>,
  { epoch, breathe }: { readonly epoch: BookEpoch; readonly breathe: () => Promise<void> },
): Promise<Hash> {
  const lanes = new Map<number, EndingLane>()
  for (const [lane, last] of log.reach.vectorOf(epoch.meta)) {
    const { author, parent } = log.authors.lane(lane)
    lanes.set(lane, { author, parent, last })
  }
  const ends: ChainEnd[] = []
  for (const number of endingLanes(lanes)) {
    if (ends.length % ENDS_PER_TURN === ENDS_PER_TURN - 1) await breathe()
    const lane = log.authors.lane(number)
    const { parsed, meta } = log.tipAt(seqOf(log, lane, lanes.get(number)?.last ?? lane.head.position))
    const { position, generation, timestamp } = meta
    ends.push({ author: log.authors.byNumber(lane.author).key, id: parsed.id, position, generation, timestamp })
  }
  return hashChainEnds(crypto, ends)
}

/** A few milliseconds. */
const ENDS_PER_TURN = 256
