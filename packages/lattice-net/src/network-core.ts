/**
 * The parts of the network service, wired together.
 *
 * @module
 */
import {
  type Broadcast,
  createBroadcast,
  createScope,
  equalBytes,
  type IngestOutcome,
  type PublicKey,
  type Scope,
  type StoreId,
  toHex,
} from '@lattice/model'
import type { CloseReason, Connection, ReplicatedStore } from '@lattice/net-types'
import { net } from '@lattice/proto'
import { backoffMs } from './backoff.ts'
import { pause } from './deadline.ts'
import { createDialer, type Dialer } from './dialer.ts'
import { createDigestInitiator, type DigestOptions, type DigestOutcome } from './digest-exchange.ts'
import { createDirectGossip } from './direct-gossip.ts'
import { BootstrapFailed, NetworkClosed, PeerViolation } from './errors.ts'
import type { Gossip, SyncReason } from './gossip.ts'
import { DEFAULT_LIMITS, DIGEST_NONCE_BYTES, EVENT_CAPACITY, type NetworkLimits } from './limits.ts'
import { createLinkTable, type LinkTable } from './link-table.ts'
import type { NetworkEvent, SyncOutcome } from './network-event.ts'
import type { NetworkServiceOptions } from './network-options.ts'
import { createPeerClocks, type PeerClocks } from './peer-clocks.ts'
import { createPeerDigests, type PeerDigests } from './peer-digests.ts'
import { createPeerFinder, type PeerFinder } from './peer-finder.ts'
import { createPeerLedger, type PeerLedger } from './peer-ledger.ts'
import { createTroubleBook, type TroubleBook } from './peer-troubles.ts'
import { createPeerLink, type PeerLink, type PeerLinkDeps } from './peer-link.ts'
import { performCall } from './perform-call.ts'
import type { ClaimedDigest, SessionAnswer, SessionCall } from './session-call.ts'
import { createSessionSlots, type SessionSlots } from './session-slots.ts'
import { showsLife } from './settle-crossing.ts'
import { createStoreRegistry, type StoreRegistry } from './store-registry.ts'
import { createStreamAcceptor } from './stream-acceptor.ts'
import { createSyncRunner, type SyncRunner } from './sync-runner.ts'
import { createSyncScheduler, type SyncScheduler } from './sync-scheduler.ts'

type OnAdvance = (call: Extract<SessionCall, { kind: 'advance' }>) => Promise<void>

/** What one service is made of. Not exported from the package: `network-service.ts` is its face. */
export class NetworkCore {
  readonly limits: NetworkLimits
  readonly events: Broadcast<NetworkEvent> = createBroadcast({ capacity: EVENT_CAPACITY })
  readonly stores: StoreRegistry
  readonly links: LinkTable
  readonly ledger: PeerLedger
  readonly clocks: PeerClocks
  readonly dialer: Dialer
  readonly runner: SyncRunner
  readonly peerDigests: PeerDigests = createPeerDigests()
  readonly slots: SessionSlots
  readonly troubles: TroubleBook
  readonly #options: NetworkServiceOptions
  readonly #scope: Scope
  readonly #schedule: SyncScheduler
  readonly #gossip: Gossip
  readonly #linkDeps: PeerLinkDeps
  readonly #finder: PeerFinder
  // Connections that are asked for a sign of life, each for the sake of one other.
  readonly #crossings = new Set<PeerLink>()

  constructor(options: NetworkServiceOptions) {
    const { transport, clock, random, scheduler, logger } = options
    const { monotonicMs: nowMs } = clock
    const limits = { ...DEFAULT_LIMITS, ...options.limits }
    this.limits = limits
    this.#options = options
    this.#scope = createScope('network', undefined, {
      onFailure: (error, task) => logger.error('network task failed', { task, error }),
    })
    this.ledger = createPeerLedger({ clock, limits })
    this.troubles = createTroubleBook({ clock })
    this.clocks = createPeerClocks({ clock, onSkew: (skew) => this.#publish({ kind: 'clock_skew', ...skew }) })
    this.stores = createStoreRegistry((store, batch) => this.#gossip.publish(store, batch))
    this.slots = createSessionSlots(transport.id, {
      onBegin: (peer, storeId) => this.#gossip.hold(peer, storeId),
      onEnd: (peer, storeId) => this.#gossip.release(peer, storeId),
    })
    this.#gossip = (options.gossip ?? createDirectGossip)({
      requestSync: (peer, storeId, reason) => this.#requestSync(peer, storeId, reason),
      onDigest: (peer, storeId, digest) => this.#onDigest(peer, storeId, digest),
      onUnshared: (peer, storeId) => {
        this.peerDigests.forget(peer, storeId)
        this.troubles.unshared(peer, storeId)
      },
      resolve: this.stores.resolve,
    })
    this.runner = createSyncRunner({
      slots: this.slots,
      stores: this.stores,
      scheduler,
      nowMs,
      limits,
      perform: (link, call) => this.perform(link, call),
      onOutcome: (outcome) => this.#onOutcome(outcome),
    })
    this.#schedule = createSyncScheduler({
      scheduler,
      random,
      limits,
      running: this.slots.countHere,
      start: (peer, storeId) => this.#startSync(peer, storeId),
    })
    const { signal, spawn } = this.#scope
    this.#finder = createPeerFinder({ discovery: options.discovery, transport, scheduler, signal, spawn })
    this.dialer = this.#createDialer()
    this.links = createLinkTable({
      self: transport.id,
      scheduler,
      nowMs,
      limits,
      isKnown: (peer) => this.dialer.isWanted(peer) || this.stores.sharesWith(peer),
      close: (link, message) => this.#closeLater(link, message),
    })
    this.#linkDeps = this.#createLinkDeps()
    this.#scope.spawn('incoming', () => this.#acceptConnections())
  }

  register(store: ReplicatedStore): void {
    if (this.closed()) throw new NetworkClosed()
    this.stores.register(store)
    for (const { peer } of this.links.all()) {
      if (store.access(peer) === 'full') this.#schedule.request(peer, store.id, this.limits.gapDelayMs)
    }
  }

  async unregister(storeId: StoreId): Promise<void> {
    this.#schedule.forgetStore(storeId)
    const running = this.slots.ofStore(storeId)
    if (!this.stores.unregister(storeId)) return
    this.peerDigests.forgetStore(storeId)
    await Promise.all(running.map((slot) => slot.outcome))
  }

  perform(link: PeerLink, call: SessionCall, onAdvance?: OnAdvance): Promise<SessionAnswer> {
    return performCall(call, {
      onIngested: (_, outcomes) => this.#countInvalid(link, outcomes),
      ...(onAdvance === undefined ? {} : { onAdvance }),
    })
  }

  closed(): boolean {
    return this.#scope.signal.aborted
  }

  async close(): Promise<void> {
    // Aborts first: what closes below finds nobody who would start anew.
    const scope = this.#scope.close(new NetworkClosed())
    this.dialer.close()
    this.#schedule.close()
    this.stores.clear()
    const links = this.links.all().map((link) => link.close('the node closes'))
    await Promise.all([scope, this.#finder.close(), this.#options.transport.close(), ...links])
    this.events.close()
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
      onConnection: (connection) => this.#adopt(connection),
      spawn: this.#scope.spawn,
      onFailure: (peer, error) => logger.debug('dial failed', { peer: toHex(peer), error }),
    })
  }

  #createLinkDeps(): PeerLinkDeps {
    const { clock, scheduler, logger, crypto, joinHandler } = this.#options
    const accept = createStreamAcceptor({
      crypto,
      joinHandler,
      gossip: this.#gossip,
      syncs: this.runner,
      resolve: this.stores.resolve,
      digests: (peer) => this.#digests(peer),
      onAddresses: (peer, addresses) => this.#onAddresses(peer, addresses),
      onDigests: (peer, outcome) => this.#onDigests(peer, outcome),
      perform: (link, call) => this.perform(link, call),
    })
    return {
      scheduler,
      logger,
      limits: this.limits,
      nowMs: clock.monotonicMs,
      wallMs: this.#options.wallMs ?? clock.wallMs,
      accept,
      onPeerWall: (link, wallMs) => {
        this.ledger.heard(link.peer)
        this.clocks.observe(link.key, wallMs)
      },
      onError: (link, error) => this.#onSessionError(link, error),
      onClosed: (link, reason) => this.#onLinkClosed(link, reason),
    }
  }

  async #acceptConnections(): Promise<void> {
    const { transport, logger } = this.#options
    try {
      for await (const connection of transport.incoming) this.#adopt(connection)
    } catch (error) {
      logger.error('the transport stopped accepting', { error })
    }
  }

  /** Takes a new connection in, or closes it. */
  #adopt(connection: Connection): void {
    const { peer, outgoing } = connection
    const isWelcome =
      !this.closed() && !equalBytes(peer, this.#options.transport.id) && this.ledger.mutedForMs(peer) === 0
    const admission = isWelcome ? this.links.admit(peer, outgoing) : 'refuse'
    const current = this.links.get(peer)
    if (admission === 'take') this.#takeIn(connection)
    else if (admission === 'refuse' || current === undefined || this.#crossings.has(current)) this.#turnAway(connection)
    else this.#scope.spawn('crossing', () => this.#settleCrossing(current, connection))
  }

  /** Closes the new connection if the one that goes first lives, else lets it take its place. */
  async #settleCrossing(current: PeerLink, connection: Connection): Promise<void> {
    const { crypto, transport, scheduler, random } = this.#options
    this.#crossings.add(current)
    const isAlive = await showsLife(current, {
      scheduler,
      deadlineMs: this.limits.signOfLifeMs,
      digests: { crypto, addresses: () => transport.addresses() },
      nonce: random.bytes(DIGEST_NONCE_BYTES),
      perform: (call) => this.perform(current, call),
    })
    this.#crossings.delete(current)
    const present = this.links.get(connection.peer)
    const isFree = present === undefined || (present === current && !isAlive)
    if (isFree && !this.closed() && this.ledger.mutedForMs(connection.peer) === 0) this.#takeIn(connection)
    else this.#turnAway(connection)
  }

  #turnAway(connection: Connection): void {
    this.#scope.spawn('turn away', () => connection.close('not taken in'))
  }

  #takeIn(connection: Connection): void {
    const { peer, outgoing } = connection
    const isNew = this.links.get(peer) === undefined
    const link = createPeerLink(connection, this.#scope, this.#linkDeps)
    this.links.add(link)
    this.peerDigests.forgetPeer(peer)
    this.dialer.onUp(peer)
    this.ledger.online(peer, outgoing)
    if (isNew) this.#publish({ kind: 'peer_online', peer, outgoing })
    link.spawn('gossip', () =>
      this.#gossip.link({
        peer,
        signal: link.signal,
        run: (protocol, machine, onReady) =>
          link.run({ protocol, machine, onReady, perform: (call) => this.perform(link, call) }),
      }),
    )
    if (outgoing) link.spawn('digest', () => this.#exchangeDigests(link))
  }

  /** Finds out which stores differ; repeats at growing intervals while that fails and the connection lasts. */
  async #exchangeDigests(link: PeerLink): Promise<void> {
    const { random, scheduler, logger } = this.#options
    const { retryMs: firstMs, retryMaxMs: maxMs } = this.limits
    for (let attempt = 0; !link.signal.aborted; attempt += 1) {
      try {
        const nonce = random.bytes(DIGEST_NONCE_BYTES)
        const outcome = await link.run({
          protocol: net.Protocol.DIGEST,
          machine: createDigestInitiator({ ...this.#digests(link.peer), nonce }),
          perform: (call) => this.perform(link, call),
        })
        this.#onDigests(link.peer, outcome)
        for (const storeId of outcome.differing) this.#schedule.request(link.peer, storeId, 0)
        return
      } catch (error) {
        this.troubles.digestsFailed(link.peer, error)
        logger.debug('digest exchange failed', { peer: toHex(link.peer), error })
        await pause(scheduler, backoffMs(attempt, { firstMs, maxMs, random }), [link.signal])
      }
    }
  }

  #digests(peer: PublicKey): DigestOptions {
    const { crypto, transport } = this.#options
    return { crypto, stores: () => this.stores.sharedWith(peer), addresses: () => transport.addresses() }
  }

  /** Also remembered, as far as it tells of trouble. */
  #publish(event: NetworkEvent): void {
    this.troubles.takeIn(event)
    this.events.publish(event)
  }

  #onDigests(peer: PublicKey, { claims, addresses }: DigestOutcome): void {
    this.troubles.digestsCompared(peer)
    for (const storeId of this.stores.unnamedBy(peer, claims)) this.troubles.unshared(peer, storeId)
    for (const { storeId, digest } of claims) this.#onDigest(peer, storeId, digest)
    this.#onAddresses(peer, addresses)
  }

  #onDigest(peer: PublicKey, storeId: StoreId, digest: ClaimedDigest): void {
    if (this.links.get(peer) !== undefined && this.stores.get(storeId) !== undefined) {
      this.peerDigests.note(peer, storeId, digest)
      this.troubles.shared(peer, storeId)
    }
  }

  #onAddresses(peer: PublicKey, addresses: readonly string[]): void {
    if (addresses.length > 0) this.#publish({ kind: 'addresses_learned', peer, addresses })
  }

  #requestSync(peer: PublicKey, storeId: StoreId, reason: SyncReason): void {
    if (this.links.get(peer) === undefined || this.stores.get(storeId) === undefined) return
    if (reason === 'differs') this.#schedule.request(peer, storeId, this.limits.differDelayMs)
    else this.#schedule.hurry(peer, storeId, this.limits.gapDelayMs)
  }

  #startSync(peer: PublicKey, storeId: StoreId): void {
    const link = this.links.get(peer)
    const store = this.stores.resolve(peer, storeId)
    if (link === undefined || store === undefined) return
    link.spawn('sync', async () => {
      await this.runner.run(link, store)
    })
  }

  #onOutcome(outcome: SyncOutcome): void {
    if (this.closed()) return
    const { peer, storeId } = outcome
    if (outcome.kind === 'done') {
      this.ledger.heard(peer)
      this.#onDigest(peer, storeId, outcome.theirs)
    }
    // What it said before it let go of the store is so no more.
    if (outcome.kind === 'failed' && outcome.error.code === 'STORE_NOT_FOUND') this.peerDigests.forget(peer, storeId)
    if (outcome.kind === 'done' && outcome.synced) this.ledger.behaved(peer)
    this.#publish({ kind: 'sync_result', outcome })
    const isRepeatable = this.links.get(peer) !== undefined && this.stores.get(storeId) !== undefined
    if (isRepeatable) this.#schedule.ended(outcome)
    else this.#schedule.dropped()
  }

  #countInvalid(link: PeerLink, outcomes: readonly IngestOutcome[]): void {
    const invalid = outcomes.filter((outcome) => outcome.kind === 'invalid')
    const [first] = invalid
    if (first === undefined) return
    const tooMany = this.ledger.invalid(link.peer, invalid.length)
    this.#report(link, first.code, `sent ${invalid.length} invalid intentions`)
    if (tooMany) this.#closeLater(link, 'too many invalid intentions')
  }

  #onSessionError(link: PeerLink, error: unknown): void {
    if (!(error instanceof PeerViolation) && !(error instanceof BootstrapFailed)) {
      this.#options.logger.debug('session failed', { peer: toHex(link.peer), error })
      return
    }
    this.ledger.strike(link.peer)
    this.#report(link, error.detail.why, error.message)
    this.#closeLater(link, 'protocol violation')
  }

  #report({ peer }: PeerLink, code: string, message: string): void {
    this.#options.logger.warn('peer misbehaves', { peer: toHex(peer), code, message })
    this.#publish({ kind: 'misbehaviour', peer, code, message })
  }

  /** Closes a connection from within one of its own tasks, which its end waits for. */
  #closeLater(link: PeerLink, message: string): void {
    this.#scope.spawn('close connection', () => link.close(message))
  }

  #onLinkClosed(link: PeerLink, { by, message: reason }: CloseReason): void {
    if (!this.links.remove(link)) return
    const { peer } = link
    this.#schedule.forgetPeer(peer)
    this.peerDigests.forgetPeer(peer)
    this.clocks.forget(link.key)
    const { lastSeenMs } = this.ledger.offline(peer)
    this.#publish({ kind: 'peer_offline', peer, lastSeenMs, reason, by })
    this.dialer.onDown(peer, this.#options.clock.monotonicMs() - link.sinceMs)
  }
}
