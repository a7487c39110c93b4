/**
 * Which reconcile sessions are due, when they start, and those under way.
 *
 * Whoever finds a difference says so here, with its reason; when a session runs follows from that alone.
 *
 * @module
 */
import type { PublicKey, StoreId } from '@lattice/model'
import type { ReplicatedStore } from '@lattice/net-types'
import { jitterMs } from './backoff.ts'
import { comparedWith } from './claimed-digest.ts'
import { BasesDiffer } from './errors.ts'
import type { Gossip, SyncReason } from './gossip.ts'
import type { NetworkLimits } from './limits.ts'
import type { LinkTable } from './link-table.ts'
import type { SyncOutcome } from './network-event.ts'
import type { NetworkServiceOptions } from './network-options.ts'
import type { PeerDigests } from './peer-digests.ts'
import type { PeerLink } from './peer-link.ts'
import { sameSet } from './reconcile.ts'
import { createReturningBook, type ReturningBook } from './returning-book.ts'
import type { SessionAnswer, SessionCall } from './session-call.ts'
import { createSessionSlots, type SessionSlots } from './session-slots.ts'
import type { StoreRegistry } from './store-registry.ts'
import { createSyncRunner, type SyncRunner } from './sync-runner.ts'
import { createSyncScheduler, type SyncScheduler } from './sync-scheduler.ts'

export interface SessionAgendaDeps {
  readonly options: NetworkServiceOptions
  readonly limits: NetworkLimits
  readonly stores: StoreRegistry
  readonly links: () => Pick<LinkTable, 'get' | 'all'>
  readonly peerDigests: PeerDigests
  readonly gossip: () => Pick<Gossip, 'hold' | 'release'>
  readonly perform: (link: PeerLink, call: SessionCall) => Promise<SessionAnswer>
  /** Told of each session's end once, whoever started it. */
  readonly onOutcome: (outcome: SyncOutcome) => void
}

/** Starts with nothing due. */
export class SessionAgenda {
  readonly slots: SessionSlots
  readonly runner: SyncRunner
  readonly #deps: SessionAgendaDeps
  readonly #schedule: SyncScheduler
  readonly #returning: ReturningBook

  constructor(deps: SessionAgendaDeps) {
    const { options, limits, stores, peerDigests, gossip, perform, onOutcome } = deps
    const { transport, clock, random, scheduler } = options
    this.#deps = deps
    this.slots = createSessionSlots(transport.id, {
      onBegin: (peer, storeId) => gossip().hold(peer, storeId),
      onEnd: (peer, storeId) => gossip().release(peer, storeId),
    })
    const { slots } = this
    this.#returning = createReturningBook({ store: stores.get, claim: peerDigests.get })
    const nowMs = clock.monotonicMs
    this.runner = createSyncRunner({ slots, stores, scheduler, nowMs, limits, perform, onOutcome })
    this.#schedule = createSyncScheduler({
      scheduler,
      random,
      limits,
      running: slots.countHere,
      isEqual: (peer, storeId) => {
        const claim = peerDigests.get(peer, storeId)
        const store = stores.get(storeId)
        const ours = claim === undefined || store === undefined ? undefined : comparedWith(store, claim)
        return claim !== undefined && ours !== undefined && sameSet(claim, ours)
      },
      start: (peer, storeId) => this.#start(peer, storeId),
    })
  }

  /** A connected peer should be reconciled with; of any other, and of a store that is not here, nothing comes. */
  request(peer: PublicKey, storeId: StoreId, reason: SyncReason): void {
    const { links, stores, limits } = this.#deps
    if (links().get(peer) === undefined || stores.get(storeId) === undefined) return
    if (this.#returning.holds(peer, storeId)) return
    if (reason === 'differs') this.#schedule.request(peer, storeId, this.#spreadMs())
    else this.#schedule.hurry(peer, storeId, limits.gapDelayMs)
  }
  /** A comparison of digests shows a difference. One made anew finds pauses in place that were meant for the time before. */
  differs(peer: PublicKey, storeId: StoreId, isAnew: boolean): void {
    if (this.#returning.holds(peer, storeId)) return
    if (isAnew) this.#schedule.hurry(peer, storeId, this.#spreadMs())
    else this.#schedule.request(peer, storeId, this.#spreadMs())
  }
  /** Whoever is connected and may use the store may differ in it. */
  registered(store: ReplicatedStore): void {
    const { links, limits } = this.#deps
    for (const { peer } of links().all()) {
      if (store.access(peer) === 'full') this.#schedule.request(peer, store.id, limits.gapDelayMs)
    }
  }
  /** To be told of each outcome. */
  ended(outcome: SyncOutcome): void {
    const { links, stores } = this.#deps
    if (outcome.kind === 'failed' && outcome.error instanceof BasesDiffer) this.returning(outcome, outcome.error)
    const isRepeatable = links().get(outcome.peer) !== undefined && stores.get(outcome.storeId) !== undefined
    if (isRepeatable) this.#schedule.ended(outcome)
    else this.#schedule.dropped()
  }
  /** Requests for sessions with the peer that wait, and sessions under way. */
  waiting(peer: PublicKey): number {
    return this.#schedule.pending(peer)
  }
  /** Sessions with the peer over the store bring nothing until one of the two has fetched it anew. */
  returning(
    { peer, storeId }: Pick<SyncOutcome, 'peer' | 'storeId'>,
    error: Pick<BasesDiffer, 'detail' | 'base'>,
  ): void {
    this.#returning.note(peer, storeId, error)
  }
  forgetPeer(peer: PublicKey): void {
    this.#returning.forgetPeer(peer)
    this.#schedule.forgetPeer(peer)
  }
  forgetStore(storeId: StoreId): void {
    this.#returning.forgetStore(storeId)
    this.#schedule.forgetStore(storeId)
  }
  close(): void {
    this.#schedule.close()
  }

  /** When to start what a whole mesh may be about to start, too. */
  #spreadMs(): number {
    const { links, limits, options } = this.#deps
    const { connectSpreadMs, connectSpreadMaxMs } = limits
    const mostMs = Math.min(connectSpreadMaxMs, connectSpreadMs * links().all().length)
    return jitterMs(mostMs, options.random)
  }
  #start(peer: PublicKey, storeId: StoreId): void {
    const { links, stores } = this.#deps
    const link = links().get(peer)
    const store = stores.resolve(peer, storeId)
    if (link === undefined || store === undefined) return
    link.spawn('sync', async () => {
      await this.runner.run(link, store)
    })
  }
}
