/**
 * Who is there: of each peer, whether it is online and when it was last heard of.
 *
 * A connected peer is online while something of it was heard within a window. One that is not connected, because others
 * are this node's neighbours, is online while it answered a probe within a longer window: it went by agreement, and ages
 * out unless it is heard of again. One whose connection was lost, or that did not answer, is offline at once.
 *
 * What is told as an event is damped: a peer whose connections end again and again as soon as they are made is told to be
 * online only once one has lasted. What is shown when asked is always what is so.
 *
 * Ages are taken by the monotonic clock, so a wall clock that is set ages nobody. Wall times are for people. The book holds
 * a bounded number of peers and forgets the one touched longest ago.
 *
 * @module
 */
import { type Clock, type IdKey, idKey, type PublicKey } from '@lattice/model'
import { MAX_KNOWN_PEERS, type NetworkLimits, SHORT_CONNECTIONS_TOLD, STABLE_CONNECTION_MS } from './limits.ts'
import type { PeerPresence } from './network-event.ts'

export interface PresenceBook {
  /** A connection is there. */
  readonly up: (peer: PublicKey, outgoing: boolean) => void
  /** It ended. `released`: by agreement, as it was of no more use; the peer may well be there. */
  readonly down: (
    peer: PublicKey,
    end: { readonly heardMs: number; readonly lastedMs: number; readonly released: boolean },
  ) => PeerPresence
  /** The peer did not answer where it was looked for. */
  readonly missed: (peer: PublicKey) => void
  readonly presence: (peer: PublicKey) => PeerPresence | undefined
  /** How long ago the peer was last heard of; undefined when it never was, or did not answer since. */
  readonly quietForMs: (peer: PublicKey) => number | undefined
  /** Compares with the time: tells who aged out, and who has become steady. */
  readonly review: () => void
  /** The wall clock was set back by so much: what it said before moves with it. */
  readonly setBack: (byMs: number) => void
}

export interface PresenceBookOptions {
  readonly clock: Clock
  readonly limits: Pick<NetworkLimits, 'presenceMs' | 'awayPresenceMs'>
  /** Monotonic time at which a connected peer was last heard of. */
  readonly heardMs: (peer: PublicKey) => number | undefined
  /** Told of each change that is worth an event. */
  readonly onChange: (presence: PeerPresence) => void
}

interface Entry {
  readonly peer: PublicKey
  connected: boolean
  outgoing: boolean
  /** Monotonic, of the last connection's begin; of the last sign of life, undefined once it did not answer. */
  sinceMs: number
  heardMs: number | undefined
  /** Wall times, for people. */
  sinceWallMs: number
  seenWallMs: number
  /** What events say. */
  isTold: boolean
  /** Connections in a row that did not last. */
  short: number
}

/** Starts without peers. */
export function createPresenceBook(options: PresenceBookOptions): PresenceBook {
  const book = new Book(options)
  return {
    up: (peer, outgoing) => book.up(peer, outgoing),
    down: (peer, end) => book.down(peer, end),
    missed: (peer) => book.missed(peer),
    presence: (peer) => book.presence(peer),
    quietForMs: (peer) => book.quietForMs(peer),
    review: () => book.review(),
    setBack: (byMs) => book.setBack(byMs),
  }
}

class Book {
  readonly #options: PresenceBookOptions
  readonly #entries = new Map<IdKey, Entry>()

  constructor(options: PresenceBookOptions) {
    this.#options = options
  }

  up(peer: PublicKey, outgoing: boolean): void {
    const { clock } = this.#options
    const entry = this.#touch(peer)
    entry.connected = true
    entry.outgoing = outgoing
    entry.sinceMs = clock.monotonicMs()
    entry.sinceWallMs = clock.wallMs()
    this.#heard(entry, entry.sinceMs)
    this.#tell(entry)
  }
  down(
    peer: PublicKey,
    {
      heardMs,
      lastedMs,
      released,
    }: { readonly heardMs: number; readonly lastedMs: number; readonly released: boolean },
  ): PeerPresence {
    const entry = this.#touch(peer)
    this.#heard(entry, heardMs)
    entry.connected = false
    if (lastedMs >= STABLE_CONNECTION_MS || released) entry.short = 0
    else entry.short += 1
    if (!released) entry.heardMs = undefined
    this.#tell(entry)
    return this.#show(entry)
  }
  missed(peer: PublicKey): void {
    const entry = this.#entries.get(idKey(peer))
    if (entry === undefined || entry.connected) return
    entry.heardMs = undefined
    this.#tell(entry)
  }
  presence(peer: PublicKey): PeerPresence | undefined {
    const entry = this.#entries.get(idKey(peer))
    if (entry === undefined) return undefined
    this.#refresh(entry)
    return this.#show(entry)
  }
  quietForMs(peer: PublicKey): number | undefined {
    const entry = this.#entries.get(idKey(peer))
    if (entry === undefined) return undefined
    this.#refresh(entry)
    return entry.heardMs === undefined ? undefined : this.#options.clock.monotonicMs() - entry.heardMs
  }
  review(): void {
    for (const entry of this.#entries.values()) {
      this.#refresh(entry)
      this.#tell(entry)
    }
  }
  setBack(byMs: number): void {
    for (const entry of this.#entries.values()) {
      entry.seenWallMs -= Math.round(byMs)
      entry.sinceWallMs -= Math.round(byMs)
    }
  }

  #refresh(entry: Entry): void {
    const heardMs = entry.connected ? this.#options.heardMs(entry.peer) : undefined
    if (heardMs !== undefined) this.#heard(entry, heardMs)
  }
  #heard(entry: Entry, atMs: number): void {
    if (entry.heardMs !== undefined && atMs <= entry.heardMs) return
    const { wallMs, monotonicMs } = this.#options.clock
    entry.heardMs = atMs
    // A monotonic clock counts in fractions, a time for people does not.
    entry.seenWallMs = Math.round(wallMs() - (monotonicMs() - atMs))
  }
  #isOnline({ connected, heardMs }: Entry): boolean {
    const { clock, limits } = this.#options
    if (heardMs === undefined) return false
    return clock.monotonicMs() - heardMs < (connected ? limits.presenceMs : limits.awayPresenceMs)
  }
  /** A peer that comes and goes has to stay a while before that is news. */
  #isSteady({ connected, short, sinceMs }: Entry): boolean {
    if (short < SHORT_CONNECTIONS_TOLD) return true
    return connected && this.#options.clock.monotonicMs() - sinceMs >= STABLE_CONNECTION_MS
  }
  #tell(entry: Entry): void {
    const isOnline = this.#isOnline(entry)
    if (isOnline === entry.isTold || (isOnline && !this.#isSteady(entry))) return
    entry.isTold = isOnline
    this.#options.onChange(this.#show(entry))
  }
  #show(entry: Entry): PeerPresence {
    const { peer, connected, outgoing, sinceWallMs, seenWallMs } = entry
    const nowMs = this.#options.clock.wallMs()
    const online = this.#isOnline(entry)
    return { peer, online, connected, outgoing, sinceMs: sinceWallMs, lastSeenMs: Math.min(seenWallMs, nowMs) }
  }
  #touch(peer: PublicKey): Entry {
    const key = idKey(peer)
    const entry = this.#entries.get(key) ?? blank(peer)
    // Maps keep the order of insertion: put at the end, the first is the one touched longest ago.
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    if (this.#entries.size > MAX_KNOWN_PEERS) {
      for (const [oldest, { connected }] of this.#entries) {
        if (connected) continue
        this.#entries.delete(oldest)
        break
      }
    }
    return entry
  }
}

function blank(peer: PublicKey): Entry {
  return {
    peer,
    connected: false,
    outgoing: false,
    sinceMs: 0,
    heardMs: undefined,
    sinceWallMs: 0,
    seenWallMs: 0,
    isTold: false,
    short: 0,
  }
}
