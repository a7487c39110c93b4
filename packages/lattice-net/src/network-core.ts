/**
 * The parts of the network service, wired together.
 *
 * @module
 */
import {
  type AbortSignal,
  type Broadcast,
  createBroadcast,
  createScope,
  type IntentionId,
  type PublicKey,
  type Scope,
  type StoreId,
  toHex,
} from '@lattice/model'
import type { CloseReason, Connection, ReplicatedStore } from '@lattice/net-types'
import { type Aftermath, createAftermath } from './aftermath.ts'
import { createClockVoices } from './clock-voices.ts'
import { type ConnectionIntake, createConnectionIntake } from './connection-intake.ts'
import { createDialer, type Dialer } from './dialer.ts'
import { createDigestRounds, type DigestRounds } from './digest-rounds.ts'
import type { ConnectionWishes } from './connection-wishes.ts'
import { BasesDiffer, type BootstrapFailed, NetworkClosed } from './errors.ts'
import type { Gossip, SyncReason } from './gossip.ts'
import { DEFAULT_LIMITS, EVENT_CAPACITY, isOrderlyEnd, type NetworkLimits } from './limits.ts'
import { createLinkTable, type LinkTable } from './link-table.ts'
import type { NetworkEvent, SyncOutcome } from './network-event.ts'
import { createNeighborhood, type Neighborhood } from './neighborhood.ts'
import type { NetworkServiceOptions } from './network-options.ts'
import { createPeerClocks, type PeerClocks } from './peer-clocks.ts'
import { createPeerConduct, type PeerConduct } from './peer-conduct.ts'
import { createPeerDefence, type Defence } from './peer-defence.ts'
import { createPeerDigests, type PeerDigests } from './peer-digests.ts'
import { createPeerFinder, type PeerFinder } from './peer-finder.ts'
import { createPeerLedger, type PeerLedger } from './peer-ledger.ts'
import { createTroubleBook, type TroubleBook } from './peer-troubles.ts'
import { createPeerLink, type PeerLink, type PeerLinkDeps } from './peer-link.ts'
import { performCall } from './perform-call.ts'
import { createPresenceBook, type PresenceBook } from './presence-book.ts'
import type { SessionAnswer, SessionCall } from './session-call.ts'
import type { GapRunner } from './run-gap-filler.ts'
import { SessionAgenda } from './session-agenda.ts'
import { showsLife } from './sign-of-life.ts'
import { createStoreGaps } from './store-gaps.ts'
import { createStoreRegistry, type StoreRegistry } from './store-registry.ts'
import { createStreamAcceptor } from './stream-acceptor.ts'
import { createTurnQueue, type TurnQueue } from './turn-queue.ts'

/** What one service is made of. Not exported from the package: `network-service.ts` is its face. */
export class NetworkCore {
  readonly limits: NetworkLimits
  readonly events: Broadcast<NetworkEvent> = createBroadcast({ capacity: EVENT_CAPACITY })
  readonly stores: StoreRegistry
  readonly links: LinkTable
  readonly ledger: PeerLedger
  readonly defence: Defence
  readonly presenceBook: PresenceBook
  readonly clocks: PeerClocks
  readonly dialer: Dialer
  readonly peerDigests: PeerDigests = createPeerDigests()
  readonly agenda: SessionAgenda
  readonly troubles: TroubleBook
  readonly wishes: ConnectionWishes
  readonly gossip: Gossip
  readonly #options: NetworkServiceOptions
  readonly #scope: Scope
  readonly #linkDeps: PeerLinkDeps
  readonly #gossipLink: Neighborhood['linkOf']
  readonly #rounds: DigestRounds
  readonly #conduct: PeerConduct
  readonly #intake: ConnectionIntake
  readonly #gaps: GapRunner
  readonly #aftermath: Aftermath
  readonly #finder: PeerFinder
  readonly #turns: TurnQueue

  constructor(options: NetworkServiceOptions) {
    const { transport, clock, scheduler, logger } = options
    const { monotonicMs: nowMs } = clock
    const limits = { ...DEFAULT_LIMITS, ...options.limits }
    this.limits = limits
    this.#options = options
    this.#scope = createScope('network', undefined, {
      onFailure: (error, task) => logger.error('network task failed', { task, error }),
    })
    this.ledger = createPeerLedger({ clock, limits })
    this.presenceBook = this.#createPresenceBook()
    this.troubles = createTroubleBook({ clock })
    this.#conduct = createPeerConduct({
      ledger: this.ledger,
      logger,
      publish: (event) => this.#publish(event),
      close: (link, message) => this.closeLater(link, message),
    })
    this.defence = this.#createDefence()
    this.stores = createStoreRegistry({
      onWitnessed: (store, batch) => this.gossip.publish(store, batch),
      onPruned: (store) => this.gossip.rebased(store.id),
    })
    this.clocks = this.#createClocks()
    this.agenda = new SessionAgenda({
      options,
      limits,
      stores: this.stores,
      links: () => this.links,
      peerDigests: this.peerDigests,
      gossip: () => this.gossip,
      perform: (link, call) => this.perform(link, call),
      onOutcome: (outcome) => this.#onOutcome(outcome),
    })
    this.#aftermath = this.#createAftermath()
    this.#rounds = this.#createRounds()
    const { wishes, gossip, linkOf } = this.#createNeighborhood()
    this.wishes = wishes
    this.gossip = gossip
    this.#gossipLink = linkOf
    this.#gaps = createStoreGaps({
      options,
      limits,
      stores: this.stores,
      links: () => this.links,
      peerDigests: this.peerDigests,
      conduct: this.#conduct,
      perform: (link, call) => this.perform(link, call),
      requestSync: (peer, storeId, reason) => this.#requestSync(peer, storeId, reason),
      onReturning: (peer, storeId, base) => this.#returning(peer, storeId, base),
    })
    const { signal, spawn } = this.#scope
    this.#turns = createTurnQueue(scheduler)
    this.#finder = createPeerFinder({ discovery: options.discovery, transport, scheduler, signal, spawn })
    this.dialer = this.#createDialer()
    this.links = createLinkTable({
      self: transport.id,
      scheduler,
      nowMs,
      limits,
      isSharing: this.stores.sharesWith,
      isNeeded: (peer) => this.needs(peer),
      close: (link, message) => this.closeLater(link, message),
    })
    this.#linkDeps = this.#createLinkDeps()
    this.#intake = this.#createIntake()
  }

  register(store: ReplicatedStore): void {
    if (this.closed()) throw new NetworkClosed()
    this.stores.register(store)
    this.clocks.review()
    this.gossip.registered(store.id)
    this.agenda.registered(store)
  }

  async unregister(storeId: StoreId): Promise<void> {
    this.agenda.forgetStore(storeId)
    this.#gaps.forgetStore(storeId)
    this.#aftermath.forgetStore(storeId)
    const running = this.agenda.slots.ofStore(storeId)
    if (!this.stores.unregister(storeId)) return
    this.clocks.review()
    this.gossip.unregistered(storeId)
    this.peerDigests.forgetStore(storeId)
    await Promise.all(running.map((slot) => slot.outcome))
  }

  perform(link: PeerLink, call: SessionCall, drain?: () => Promise<void>): Promise<SessionAnswer> {
    return performCall(call, {
      takeRun: ({ store, arrived }) => this.gossip.take(this.#gossipLink(link), store, arrived),
      onIngested: (ingest, outcomes) => {
        this.#conduct.ingested(link, outcomes)
        this.#gaps.ingested(link.peer, ingest, outcomes)
      },
      nextTurn: this.#turns.next,
      ...(drain === undefined ? {} : { drain }),
    })
  }

  /** The peer sent what it should not have. */
  blame(link: PeerLink, error: BootstrapFailed): void {
    this.#conduct.failed(link, error)
  }

  /** True for a peer that this node stays connected to in any case. */
  needs(peer: PublicKey): boolean {
    return this.wishes.isWanted(peer) || this.gossip.needs(peer)
  }

  /** Keeps a connection to the peer. One that is there may be older than what it is wanted for. */
  want(peer: PublicKey, addresses: readonly string[]): void {
    this.wishes.call(peer, addresses)
    const link = this.links.get(peer)
    link?.spawn('compare again', () => this.compareAgain(link))
  }

  /** Looks for neighbours anew, whatever kept this node from them. */
  rejoin(): void {
    this.wishes.wake()
    this.gossip.rejoin()
  }

  spawn(name: string, task: () => Promise<void>): void {
    this.#scope.spawn(name, task)
  }

  /** Aborts when the service closes. */
  signal(): AbortSignal {
    return this.#scope.signal
  }

  /** Requests for sessions with the peer that wait, and sessions under way. */
  waiting(peer: PublicKey): number {
    return this.agenda.waiting(peer)
  }

  /** True when the peer answers over this connection in time. Never rejects. */
  showsLife(link: PeerLink, deadlineMs: number): Promise<boolean> {
    const { scheduler } = this.#options
    return showsLife(link, { scheduler, deadlineMs, perform: (call) => this.perform(link, call) })
  }

  /** Compares all stores over a connection once more. Never rejects. */
  compareAgain(link: PeerLink): Promise<void> {
    return this.#rounds.again(link)
  }

  /** Closes a connection from within one of its own tasks, which its end waits for. */
  closeLater(link: PeerLink, message: string): void {
    this.#scope.spawn('close connection', () => link.close(message))
  }

  closed(): boolean {
    return this.#scope.signal.aborted
  }

  async close(): Promise<void> {
    // Aborts first: what closes below finds nobody who would start anew.
    const scope = this.#scope.close(new NetworkClosed())
    this.gossip.close()
    this.dialer.close()
    this.agenda.close()
    this.#gaps.close()
    this.#aftermath.close()
    this.stores.clear()
    const links = this.links.all().map((link) => link.close('the node closes'))
    await Promise.all([scope, this.#finder.close(), this.#options.transport.close(), ...links])
    this.events.close()
  }

  #createDefence(): Defence {
    return createPeerDefence({
      clock: this.#options.clock,
      ledger: this.ledger,
      conduct: this.#conduct,
      limitBytes: this.limits.heldBytes,
      isKnown: (peer) => this.stores.knows(peer),
    })
  }

  #createPresenceBook(): PresenceBook {
    return createPresenceBook({
      clock: this.#options.clock,
      limits: this.limits,
      heardMs: (peer) => this.links.get(peer)?.heardMs(),
      onChange: ({ peer, online, lastSeenMs }) =>
        this.#publish(online ? { kind: 'peer_online', peer } : { kind: 'peer_offline', peer, lastSeenMs }),
    })
  }

  #createClocks(): PeerClocks {
    return createPeerClocks({
      clock: this.#options.clock,
      voices: createClockVoices(this.stores),
      onSkew: (skew) => this.#publish({ kind: 'clock_skew', ...skew }),
    })
  }

  #createDialer(): Dialer {
    const { transport, clock, scheduler, random, logger } = this.#options
    return createDialer({
      transport,
      finder: this.#finder,
      clock,
      scheduler,
      random,
      limits: this.limits,
      signal: this.#scope.signal,
      isConnected: (peer) => this.links.get(peer) !== undefined,
      mutedForMs: this.ledger.mutedForMs,
      onConnection: (connection) => this.#intake.adopt(connection),
      spawn: this.#scope.spawn,
      addressesOf: this.wishes.known,
      onFailure: (peer, error) => {
        logger.debug('dial failed', { peer: toHex(peer), error })
        this.wishes.dialFailed(peer)
      },
    })
  }

  #createNeighborhood(): Neighborhood {
    return createNeighborhood({
      options: this.#options,
      limits: this.limits,
      stores: this.stores,
      rounds: this.#rounds,
      peerDigests: this.peerDigests,
      dialer: () => this.dialer,
      isConnected: (peer) => this.links.get(peer) !== undefined,
      requestSync: (peer, storeId, reason) => this.#requestSync(peer, storeId, reason),
      perform: (link, call) => this.perform(link, call),
      onRevoked: this.#aftermath.revocations.told,
    })
  }

  #createRounds(): DigestRounds {
    const { crypto, random, scheduler, clock, logger, transport } = this.#options
    return createDigestRounds({
      crypto,
      random,
      scheduler,
      nowMs: clock.monotonicMs,
      logger,
      limits: this.limits,
      addresses: () => transport.addresses(),
      stores: this.stores,
      links: () => this.links,
      peerDigests: this.peerDigests,
      troubles: this.troubles,
      perform: (link, call) => this.perform(link, call),
      publish: (event) => this.#publish(event),
      onRevoked: this.#aftermath.revocations.told,
      onUntold: (peer, storeIds) => this.gossip.tell(peer, storeIds),
      onDiffers: (peer, storeId, { again }) => this.agenda.differs(peer, storeId, again),
    })
  }

  #createAftermath(): Aftermath {
    const { limits, stores, peerDigests } = this
    return createAftermath({
      options: this.#options,
      limits,
      stores,
      links: () => this.links,
      slots: this.agenda.slots,
      peerDigests,
      perform: (link, call) => this.perform(link, call),
      publish: (event) => this.#publish(event),
      requestSync: (peer, storeId, reason) => this.#requestSync(peer, storeId, reason),
    })
  }

  #createIntake(): ConnectionIntake {
    const { transport, logger } = this.#options
    return createConnectionIntake({
      transport,
      links: this.links,
      ledger: this.ledger,
      scope: this.#scope,
      logger,
      count: (peer) => this.defence.meterOf(peer).connection(),
      takeIn: (connection) => this.#takeIn(connection),
      showsLife: (link) => this.showsLife(link, this.limits.signOfLifeMs),
    })
  }

  #createLinkDeps(): PeerLinkDeps {
    const { clock, scheduler, logger, crypto, joinHandler } = this.#options
    const accept = createStreamAcceptor({
      crypto,
      joinHandler,
      gossip: this.gossip,
      syncs: this.agenda.runner,
      stores: this.stores,
      onAsked: this.#aftermath.revocations.shown,
      digests: this.#rounds.options,
      onAddresses: this.#rounds.addresses,
      onDigests: this.#rounds.exchanged,
      perform: (link, call) => this.perform(link, call),
    })
    return {
      scheduler,
      logger,
      limits: this.limits,
      nowMs: clock.monotonicMs,
      wallMs: this.#options.wallMs ?? clock.wallMs,
      accept,
      onPeerWall: (link, wallMs) => this.clocks.observe(link.peer, wallMs),
      defence: this.defence,
      onError: this.#conduct.failed,
      onClosed: (link, reason) => this.#onLinkClosed(link, reason),
    }
  }

  #takeIn(connection: Connection): void {
    const { peer, outgoing } = connection
    const isNew = this.links.get(peer) === undefined
    const link = createPeerLink(connection, this.#scope, this.#linkDeps)
    this.links.add(link)
    this.peerDigests.forgetPeer(peer)
    this.dialer.onUp(peer)
    if (isNew) this.#publish({ kind: 'peer_connected', peer, outgoing })
    this.presenceBook.up(peer, outgoing)
    link.spawn('gossip', () => this.gossip.link(this.#gossipLink(link)))
    if (outgoing) link.spawn('digest', () => this.#rounds.exchange(link))
  }

  /** Also remembered, as far as it tells of trouble. */
  #publish(event: NetworkEvent): void {
    this.troubles.takeIn(event)
    this.events.publish(event)
  }

  #requestSync(peer: PublicKey, storeId: StoreId, reason: SyncReason): void {
    const isFilled = reason === 'gap' && this.links.get(peer) !== undefined && this.#gaps.fill(peer, storeId)
    if (!isFilled) this.agenda.request(peer, storeId, reason)
  }

  #returning(peer: PublicKey, storeId: StoreId, base: IntentionId): void {
    const error = new BasesDiffer({ returning: 'us', base })
    this.agenda.returning({ peer, storeId }, error)
    this.#publish({ kind: 'returning', storeId, peer, base })
  }

  #onOutcome(outcome: SyncOutcome): void {
    if (this.closed()) return
    const { peer, storeId } = outcome
    if (outcome.kind === 'done') this.#rounds.claimed(peer, storeId, outcome.theirs)
    // What it said before it let go of the store is so no more.
    if (outcome.kind === 'failed' && outcome.error.code === 'STORE_NOT_FOUND') this.peerDigests.forget(peer, storeId)
    this.#gaps.reconciled(outcome)
    this.#publish({ kind: 'sync_result', outcome })
    this.agenda.ended(outcome)
    this.#aftermath.ended(outcome)
  }

  #onLinkClosed(link: PeerLink, { by, message: reason }: CloseReason): void {
    if (!this.links.remove(link)) return
    const { peer } = link
    this.agenda.forgetPeer(peer)
    this.#gaps.forgetPeer(peer)
    this.peerDigests.leave(peer)
    this.clocks.forget(peer)
    const lastedMs = this.#options.clock.monotonicMs() - link.sinceMs
    this.#publish({ kind: 'peer_disconnected', peer, reason, by })
    // Of a connection that was let go in silence nobody knows whether its peer was there.
    const isFresh = this.#options.clock.monotonicMs() - link.heardMs() < this.limits.silentMs
    const released = isOrderlyEnd(reason) && (by === 'remote' || (by === 'local' && isFresh))
    this.presenceBook.down(peer, { heardMs: link.heardMs(), lastedMs, released })
    this.wishes.ended(peer, lastedMs)
    this.dialer.onDown(peer, lastedMs)
  }
}
