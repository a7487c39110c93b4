/**
 * Discovery on the local network: says where this node is, asks who is there, and listens for the peers that are looked for.
 *
 * It sends when something changes and when it is asked, at most once a second each; it asks while a peer is looked for that
 * is away, at growing intervals. Questions go to everybody and name nobody, so that nobody learns whom this node knows. Of
 * all others nothing is kept: memory is bounded by the peers looked for, work by the budget of packets.
 *
 * No sockets and no clock of its own: the wire and time come in as ports.
 *
 * @module
 */
import {
  type AbortSignal,
  type Broadcast,
  type Cancel,
  type Clock,
  createBroadcast,
  equalBytes,
  type IdKey,
  idKey,
  type Logger,
  type PublicKey,
  type Random,
  type Scheduler,
} from '@lattice/model'
import { type Discovery, type DiscoveryEvent, MAX_SOUGHT_PEERS } from '@lattice/net-types'
import {
  decodeMessage,
  encodeAnnouncement,
  encodeGoodbye,
  encodeQuery,
  fittingAddresses,
  type LanMessage,
} from './lan-message.ts'
import type { LanWire, OpenLanWire } from './lan-wire.ts'
import { isLoopbackSource, namesThisHost } from './loopback-address.ts'
import { createPacketBudget, type PacketBudget } from './packet-budget.ts'
import { createSoughtPeer, type SoughtPeer } from './sought-peer.ts'

/** A packet of a kind is sent no more often (RFC 6762, 6). */
export const LEAST_PAUSE_MS = 1_000
/** What many send at the same moment is spread over this (RFC 6762, 5.2 and 6). */
const SPREAD_MS: readonly [min: number, max: number] = [20, 120]
/** The second question comes after this, the next after twice as long, and so on up to `MAX_ASK_PAUSE_MS`. */
export const FIRST_ASK_PAUSE_MS = 1_000
/** The longest pause between two questions: a node whose announcements were lost is found within a minute. */
export const MAX_ASK_PAUSE_MS = 60_000
/** An announcement is said again after this: a single packet may be lost. */
export const REPEAT_ANNOUNCEMENT_MS = 1_000
/** Events kept for a slow subscriber before it is told that it lagged. */
const EVENT_CAPACITY = 1024

export interface LanDiscoveryOptions {
  readonly id: PublicKey
  readonly openWire: OpenLanWire
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly random: Random
  readonly logger: Logger
}

/** Listens from now on. */
export function createLanDiscovery(options: LanDiscoveryOptions): Discovery {
  const lan = new Lan(options)
  return {
    name: 'lan',
    announce: (addresses) => lan.announce(addresses),
    find: (peer, signal) => lan.find(peer, signal),
    events: lan.events.subscribe,
    close: () => lan.close(),
  }
}

interface Search {
  readonly peer: PublicKey
  readonly signals: Set<AbortSignal>
  readonly known: SoughtPeer
  isFound: boolean
  cancelExpiry: Cancel | undefined
}

/** One kind of packet that is sent on occasion: what is due later gives way to what is due sooner. */
interface Duty {
  sentAtMs: number
  dueAtMs: number
  cancel: Cancel | undefined
}

class Lan {
  readonly events: Broadcast<DiscoveryEvent> = createBroadcast({ capacity: EVENT_CAPACITY })
  readonly #options: LanDiscoveryOptions
  readonly #budget: PacketBudget
  readonly #wire: LanWire
  readonly #searches = new Map<IdKey, Search>()
  readonly #telling = createDuty()
  readonly #asking = createDuty()
  #addresses: readonly string[] = []
  #askPauseMs = FIRST_ASK_PAUSE_MS
  #repeats = 0
  #closing: Promise<void> | undefined

  constructor(options: LanDiscoveryOptions) {
    this.#options = options
    this.#budget = createPacketBudget(options.clock.monotonicMs)
    this.#wire = options.openWire({
      onPacket: (bytes, source) => this.#onPacket(bytes, source),
      onLinksChanged: () => this.#startAnew(),
    })
  }

  announce(addresses: readonly string[]): void {
    if (this.#closing !== undefined) return
    const fitting = fittingAddresses(addresses)
    if (fitting.length < addresses.length) {
      this.#options.logger.debug('lan.addresses_left_out', { announced: fitting, count: addresses.length })
    }
    const hadSome = this.#addresses.length > 0
    this.#addresses = fitting
    this.#repeats = 1
    if (fitting.length > 0) this.#tellWithin(0)
    else {
      this.#putOff(this.#telling)
      if (hadSome) this.#wire.send(encodeGoodbye(this.#options.id))
    }
  }

  find(peer: PublicKey, signal: AbortSignal): void {
    if (this.#closing !== undefined || signal.aborted || equalBytes(peer, this.#options.id)) return
    const key = idKey(peer)
    const current = this.#searches.get(key)
    if (current === undefined && this.#searches.size >= MAX_SOUGHT_PEERS) return
    const search = current ?? {
      peer,
      signals: new Set(),
      known: createSoughtPeer(),
      isFound: false,
      cancelExpiry: undefined,
    }
    this.#searches.set(key, search)
    search.signals.add(signal)
    signal.addEventListener('abort', () => this.#endSearch(key, search, signal), { once: true })
    const addresses = search.known.addresses()
    if (addresses.length > 0) this.events.publish({ kind: 'found', peer, addresses })
    this.#askSoon()
  }

  close(): Promise<void> {
    this.#closing ??= this.#shutDown()
    return this.#closing
  }

  async #shutDown(): Promise<void> {
    for (const duty of [this.#telling, this.#asking]) duty.cancel?.()
    for (const search of this.#searches.values()) search.cancelExpiry?.()
    this.#searches.clear()
    if (this.#addresses.length > 0) this.#wire.send(encodeGoodbye(this.#options.id))
    this.events.close()
    await this.#wire.close()
  }

  #endSearch(key: IdKey, search: Search, signal: AbortSignal): void {
    search.signals.delete(signal)
    if (search.signals.size > 0 || this.#searches.get(key) !== search) return
    search.cancelExpiry?.()
    this.#searches.delete(key)
    if (this.#searches.size === 0) this.#putOff(this.#asking)
  }

  /** Nobody on new links has heard of this node, and it has heard of nobody. */
  #startAnew(): void {
    if (this.#closing !== undefined) return
    this.#repeats = 1
    if (this.#addresses.length > 0) this.#tellWithin(0)
    if (this.#searches.size > 0) this.#askSoon()
  }

  #onPacket(bytes: Uint8Array, source: string): void {
    if (this.#closing !== undefined || !this.#budget.allows(source)) return
    const message = decodeMessage(bytes)
    if (message?.kind === 'query') this.#onQuery(message.known)
    else if (message?.kind === 'announcement') this.#onAnnouncement(message, source)
  }

  #onQuery(known: readonly PublicKey[]): void {
    const isMine = known.some((peer) => equalBytes(peer, this.#options.id))
    if (!isMine && this.#addresses.length > 0) this.#tellWithin(this.#spreadMs())
  }

  #onAnnouncement(
    { peer, addresses: said, ttlS }: Extract<LanMessage, { kind: 'announcement' }>,
    source: string,
  ): void {
    const search = this.#searches.get(idKey(peer))
    if (search === undefined) return
    const { known } = search
    if (ttlS === 0) {
      known.leave(source)
      return this.#settle(search)
    }
    const addresses = isLoopbackSource(source) ? said : said.filter((address) => !namesThisHost(address))
    if (addresses.length === 0) return
    const isNews = known.hear(source, { addresses, ttlMs: ttlS * 1_000 }, this.#options.clock.monotonicMs())
    search.isFound = true
    this.#settle(search)
    if (isNews) this.events.publish({ kind: 'found', peer, addresses: known.addresses() })
  }

  /** Tells when nothing is left of what was found, and looks again when the next of it expires. */
  #settle(search: Search): void {
    const { clock, scheduler } = this.#options
    const nowMs = clock.monotonicMs()
    search.cancelExpiry?.()
    search.cancelExpiry = undefined
    search.known.expire(nowMs)
    const nextMs = search.known.nextExpiryMs()
    if (nextMs !== undefined) {
      search.cancelExpiry = scheduler.after(nextMs - nowMs, () => this.#settle(search))
    } else if (search.isFound) {
      search.isFound = false
      this.events.publish({ kind: 'gone', peer: search.peer })
    }
  }

  #tellWithin(delayMs: number): void {
    this.#do(this.#telling, delayMs, () => {
      this.#wire.send(encodeAnnouncement(this.#options.id, this.#addresses))
      if (this.#repeats === 0) return
      this.#repeats -= 1
      this.#tellWithin(REPEAT_ANNOUNCEMENT_MS)
    })
  }

  #askSoon(): void {
    this.#askPauseMs = FIRST_ASK_PAUSE_MS
    this.#askWithin(this.#spreadMs())
  }

  #askWithin(delayMs: number): void {
    this.#do(this.#asking, delayMs, () => {
      this.#wire.send(encodeQuery(this.#addresses.length > 0 ? this.#options.id : undefined))
      const pauseMs = this.#askPauseMs
      this.#askPauseMs = Math.min(2 * pauseMs, MAX_ASK_PAUSE_MS)
      this.#askWithin(pauseMs + this.#spreadMs())
    })
  }

  /** Does it after `delayMs`, or sooner when it is due sooner; never within the least pause after the last time. */
  #do(duty: Duty, delayMs: number, act: () => void): void {
    const { clock, scheduler } = this.#options
    const nowMs = clock.monotonicMs()
    const atMs = Math.max(nowMs + delayMs, duty.sentAtMs + LEAST_PAUSE_MS)
    if (duty.cancel !== undefined && duty.dueAtMs <= atMs) return
    duty.cancel?.()
    duty.dueAtMs = atMs
    duty.cancel = scheduler.after(atMs - nowMs, () => {
      duty.cancel = undefined
      duty.sentAtMs = clock.monotonicMs()
      act()
    })
  }

  #putOff(duty: Duty): void {
    duty.cancel?.()
    duty.cancel = undefined
  }

  #spreadMs(): number {
    const [min, max] = SPREAD_MS
    const [byte = 0] = this.#options.random.bytes(1)
    return min + Math.round((byte / 255) * (max - min))
  }
}

function createDuty(): Duty {
  return { sentAtMs: Number.NEGATIVE_INFINITY, dueAtMs: 0, cancel: undefined }
}
