/**
 * What each peer uses of this node, over all its streams and connections, and whether it has to wait.
 *
 * Every byte and every frame that a peer sends passes here, whatever the protocol. A stream on which more
 * was used than came back is not read meanwhile, so the transport slows it down, and nothing is queued for it; what else the
 * peer does goes on. Who owes more than is waited for is refused.
 *
 * Meters are kept by peer, so that connecting again fills no bucket. Their number is bounded; the one used longest ago goes
 * first. Pure but for the clock it is given.
 *
 * @module
 */
import { type Clock, type IdKey, idKey, type PublicKey } from '@lattice/model'
import {
  MAX_OWED_MS,
  PEER_ANNOUNCED_IDS,
  PEER_BYTES,
  PEER_CONNECTIONS,
  PEER_DIGESTS,
  PEER_JOINS,
  PEER_LOG_READS,
  PEER_MESSAGES,
  PEER_RANGES,
  PEER_SESSIONS,
  PEER_STREAMS,
} from './defence-limits.ts'
import type { Frame } from './frame.ts'
import { type CostlyKind, costsOf, type FrameCost } from './frame-cost.ts'
import { MAX_KNOWN_PEERS } from './limits.ts'
import { type BucketRate, createTokenBucket, type TokenBucket } from './token-bucket.ts'
import { keepLatest } from './keep-latest.ts'

/** What is counted of a peer. */
export type MeteredKind = CostlyKind | 'bytes' | 'messages' | 'streams' | 'connections'

/** What a peer is refused for: using too much, or having too much held. */
export type OverusedKind = MeteredKind | 'memory'

/** What a frame was counted as. */
export interface FrameCharge {
  /** None of one that costs about as much as its bytes. */
  readonly kinds: readonly CostlyKind[]
  /** What there was far too little of: nothing was counted, and it is to be refused. */
  readonly refused: CostlyKind | undefined
}

export interface PeerMeter {
  readonly bytes: (count: number) => void
  /** Counts a frame, unless it is to be refused. */
  readonly frame: (frame: Frame) => FrameCharge
  /** Counts a stream that the peer opened. */
  readonly stream: () => void
  /** Counts a connection that the peer made; false, and none is counted, when it made too many. */
  readonly connection: () => boolean
  /** Kinds of which nothing is left now. */
  readonly drained: () => readonly MeteredKind[]
  /** Milliseconds until nothing is owed of any of these; 0 when nothing is. */
  readonly owedMs: (kinds: Iterable<MeteredKind>) => number
}

export interface PeerMeters {
  readonly of: (peer: PublicKey) => PeerMeter
  /** For who only looks; undefined for a peer of which nothing was counted of late. */
  readonly look: (peer: PublicKey) => PeerMeter | undefined
}

export interface PeerMetersDeps {
  readonly clock: Clock
}

const RATES: Readonly<Record<MeteredKind, BucketRate>> = {
  bytes: PEER_BYTES,
  connections: PEER_CONNECTIONS,
  messages: PEER_MESSAGES,
  streams: PEER_STREAMS,
  log_reads: PEER_LOG_READS,
  ranges: PEER_RANGES,
  sessions: PEER_SESSIONS,
  digests: PEER_DIGESTS,
  announced_ids: PEER_ANNOUNCED_IDS,
  joins: PEER_JOINS,
}

/** Of these an honest peer never has too little, so that whoever has is not made to wait, but told. */
const REFUSED: ReadonlySet<CostlyKind> = new Set(['joins', 'digests'])

/** Starts without peers. */
export function createPeerMeters({ clock }: PeerMetersDeps): PeerMeters {
  const meters = new Map<IdKey, PeerMeter>()
  return {
    look: (peer) => meters.get(idKey(peer)),
    of: (peer) => {
      const key = idKey(peer)
      const meter = meters.get(key) ?? createPeerMeter(clock.monotonicMs)
      keepLatest(meters, { key, value: meter, limit: MAX_KNOWN_PEERS })
      return meter
    },
  }
}

/** Starts with full buckets. */
export function createPeerMeter(nowMs: () => number): PeerMeter {
  const buckets = new Map<MeteredKind, TokenBucket>()
  function bucketOf(kind: MeteredKind): TokenBucket {
    const present = buckets.get(kind)
    if (present !== undefined) return present
    const bucket = createTokenBucket(RATES[kind], nowMs())
    buckets.set(kind, bucket)
    return bucket
  }
  function isTooMuch({ kind, tokens }: FrameCost): boolean {
    const bucket = bucketOf(kind)
    return REFUSED.has(kind) ? bucket.left(nowMs()) < tokens : bucket.owedMs(nowMs()) > MAX_OWED_MS
  }
  return {
    bytes: (count) => bucketOf('bytes').take(count, nowMs()),
    stream: () => bucketOf('streams').take(1, nowMs()),
    connection: () => {
      const bucket = bucketOf('connections')
      const isLeft = bucket.left(nowMs()) >= 1
      if (isLeft) bucket.take(1, nowMs())
      return isLeft
    },
    drained: () => [...buckets].flatMap(([kind, bucket]) => (bucket.left(nowMs()) < 1 ? [kind] : [])),
    frame: (frame) => {
      bucketOf('messages').take(1, nowMs())
      const costs = costsOf(frame)
      const refused = costs.find(isTooMuch)
      // What is refused costs nothing more: a debt does not grow by asking.
      for (const { kind, tokens } of refused === undefined ? costs : []) bucketOf(kind).take(tokens, nowMs())
      return { kinds: costs.map(({ kind }) => kind), refused: refused?.kind }
    },
    owedMs: (kinds) => {
      let mostMs = 0
      for (const kind of kinds) mostMs = Math.max(mostMs, buckets.get(kind)?.owedMs(nowMs()) ?? 0)
      return mostMs
    },
  }
}
