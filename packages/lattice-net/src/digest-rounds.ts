/**
 * What peers and this node tell each other of the stores they hold: the exchange of each new connection, and what came of it.
 *
 * @module
 */
import {
  type Crypto,
  type Logger,
  type PublicKey,
  type Random,
  type Scheduler,
  type StoreId,
  toHex,
} from '@lattice/model'
import { net } from '@lattice/proto'
import { backoffMs } from './backoff.ts'
import { pause } from './deadline.ts'
import { createDigestInitiator, type DigestOptions, type DigestOutcome } from './digest-exchange.ts'
import { DIGEST_NONCE_BYTES, DOUBT_PAUSE_MS, type NetworkLimits } from './limits.ts'
import type { LinkTable } from './link-table.ts'
import type { NetworkEvent } from './network-event.ts'
import type { PeerDigests } from './peer-digests.ts'
import type { PeerLink } from './peer-link.ts'
import type { TroubleBook } from './peer-troubles.ts'
import type { ClaimedDigest, SessionAnswer, SessionCall } from './session-call.ts'
import type { StoreRegistry } from './store-registry.ts'

export interface DigestRounds {
  /** Finds out which stores differ; repeats at growing intervals while that fails and the connection lasts. */
  readonly exchange: (link: PeerLink) => Promise<void>
  /** What this node shows the peer. */
  readonly options: (peer: PublicKey) => DigestOptions
  /** An exchange with the peer ended, whoever started it. */
  readonly exchanged: (peer: PublicKey, outcome: DigestOutcome) => void
  /** The peer said what it holds of a store, in whatever protocol. */
  readonly claimed: (peer: PublicKey, storeId: StoreId, digest: ClaimedDigest) => void
  /** The peer says that it does not have the store, or not for this node. */
  readonly unshared: (peer: PublicKey, storeId: StoreId) => void
  readonly addresses: (peer: PublicKey, addresses: readonly string[]) => void
  /** Once more over a connection that lasts: shows where this node is now, and what differs is reconciled soon. Never rejects. */
  readonly again: (link: PeerLink) => Promise<void>
  /**
   * The peer knows nothing of a circle that it should be in: one of the two lacks an epoch, which may have removed the other.
   * Over a connection that lasts nobody else would say so. Compares again a moment later, and not at each call.
   */
  readonly doubted: (peer: PublicKey) => void
}

export interface DigestRoundsDeps {
  readonly crypto: Crypto
  readonly random: Random
  readonly scheduler: Scheduler
  readonly nowMs: () => number
  readonly logger: Logger
  readonly limits: Pick<NetworkLimits, 'retryMs' | 'retryMaxMs'>
  /** Where this node can be reached. */
  readonly addresses: () => readonly string[]
  readonly stores: StoreRegistry
  readonly links: () => LinkTable
  readonly peerDigests: PeerDigests
  readonly troubles: TroubleBook
  readonly perform: (link: PeerLink, call: SessionCall) => Promise<SessionAnswer>
  readonly publish: (event: NetworkEvent) => void
  /** The peer says that this node was removed from a store. */
  readonly onRevoked: (peer: PublicKey, storeId: StoreId) => void
  /** The peer is still to be told of these stores. */
  readonly onUntold: (peer: PublicKey, storeIds: readonly StoreId[]) => void
  /** A store differs from what the peer holds. */
  readonly onDiffers: (peer: PublicKey, storeId: StoreId, found: { readonly again: boolean }) => void
}

/** Starts knowing nothing. */
export function createDigestRounds(deps: DigestRoundsDeps): DigestRounds {
  const { crypto, random, scheduler, logger, limits, stores, peerDigests, troubles } = deps

  const options = (peer: PublicKey): DigestOptions => ({
    crypto,
    stores: () => stores.sharedWith(peer),
    revoked: () => stores.revokedFor(peer),
    addresses: deps.addresses,
  })
  function claimed(peer: PublicKey, storeId: StoreId, digest: ClaimedDigest): void {
    if (deps.links().get(peer) === undefined || stores.get(storeId) === undefined) return
    peerDigests.note(peer, storeId, digest)
    troubles.shared(peer, storeId)
  }
  function learned(peer: PublicKey, addresses: readonly string[]): void {
    if (addresses.length > 0) deps.publish({ kind: 'addresses_learned', peer, addresses })
  }
  function exchanged(peer: PublicKey, { claims, revoked, unshared, untold, addresses }: DigestOutcome): void {
    troubles.digestsCompared(peer)
    for (const storeId of unshared) {
      troubles.unshared(peer, storeId)
      peerDigests.forgetPast(peer, storeId)
    }
    for (const { storeId, digest } of claims) claimed(peer, storeId, digest)
    for (const storeId of revoked) deps.onRevoked(peer, storeId)
    deps.onUntold(peer, untold)
    learned(peer, addresses)
  }
  async function exchangeOnce(link: PeerLink, again: boolean): Promise<void> {
    const outcome = await link.run({
      protocol: net.Protocol.DIGEST,
      machine: createDigestInitiator({ ...options(link.peer), nonce: random.bytes(DIGEST_NONCE_BYTES) }),
      perform: (call) => deps.perform(link, call),
    })
    exchanged(link.peer, outcome)
    for (const storeId of outcome.differing) deps.onDiffers(link.peer, storeId, { again })
  }

  async function again(link: PeerLink): Promise<void> {
    try {
      await exchangeOnce(link, true)
    } catch (error) {
      troubles.digestsFailed(link.peer, error)
      logger.debug('digest exchange failed', { peer: toHex(link.peer), error })
    }
  }
  return {
    options,
    exchanged,
    claimed,
    addresses: learned,
    unshared: (peer, storeId) => {
      peerDigests.forget(peer, storeId)
      troubles.unshared(peer, storeId)
    },
    exchange: async (link) => {
      const { retryMs: firstMs, retryMaxMs: maxMs } = limits
      for (let attempt = 0; !link.signal.aborted; attempt += 1) {
        try {
          await exchangeOnce(link, false)
          return
        } catch (error) {
          troubles.digestsFailed(link.peer, error)
          logger.debug('digest exchange failed', { peer: toHex(link.peer), error })
          await pause(scheduler, backoffMs(attempt, { firstMs, maxMs, random }), [link.signal])
        }
      }
    },
    again,
    doubted: createDoubts(deps, again),
  }
}

/** One comparison at a time over each connection that is in doubt. */
function createDoubts(
  { random, scheduler, nowMs, limits, links }: DigestRoundsDeps,
  again: DigestRounds['again'],
): DigestRounds['doubted'] {
  /** Until when nothing more is done about it. No task waits for that: it would keep a connection that nobody needs. */
  const quietUntilMs = new WeakMap<PeerLink, number>()
  async function settle(link: PeerLink): Promise<void> {
    const { retryMs: firstMs, retryMaxMs: maxMs } = limits
    // An epoch on its way to one of the two settles it.
    await pause(scheduler, backoffMs(0, { firstMs, maxMs, random }), [link.signal])
    if (!link.signal.aborted) await again(link)
  }
  return (peer) => {
    const link = links().get(peer)
    if (link === undefined || nowMs() < (quietUntilMs.get(link) ?? 0)) return
    quietUntilMs.set(link, nowMs() + DOUBT_PAUSE_MS)
    link.spawn('settle doubt', () => settle(link))
  }
}
