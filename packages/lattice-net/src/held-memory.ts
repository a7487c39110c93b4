/**
 * What peers make this node hold in memory, over all their sessions and streams, within a bound for each and one for all.
 *
 * Each session says how much it holds of its peer's as that changes: frames that are not whole yet, those that wait to be
 * taken in, those that wait until the peer takes them. What each may hold by itself is bounded too, but a peer has many. And
 * keys cost nothing: a stranger, whom no store here knows, has far less held, but for what this node asked of it. Where all
 * peers together hold too much, the one that holds most makes room: a session of its own is refused or ended.
 *
 * Pure but for what it is told of peers.
 *
 * @module
 */
import { assert, type IdKey, idKey, type PublicKey } from '@lattice/model'
import { PEER_HELD_BYTES, STRANGER_HELD_BYTES } from './defence-limits.ts'

export interface HeldMemory {
  /** The part of one session, with nothing in it. */
  readonly begin: (session: HeldSession) => HeldShare
  /** Bytes held of the peer's. */
  readonly of: (peer: PublicKey) => number
  /** Bytes held of all peers'. */
  readonly total: () => number
}

export interface HeldSession {
  readonly peer: PublicKey
  /** This node asked for what comes: a stranger may have as much of it held as anybody. */
  readonly isAsked: boolean
  /** Another needs the room, and the peer holds most: the session is to end, and to `keep` what it cannot let go of. */
  readonly onRecalled: () => void
}

/** `too_much`: the peer may not have so much held. `no_room`: it may, and holds most of all that share what there is. */
export type HeldVerdict = 'held' | 'too_much' | 'no_room'

export interface HeldShare {
  /** The session would hold so much now. Any answer but `held` changes nothing: the session is to end. */
  readonly set: (bytes: number) => HeldVerdict
  /** It is over, and holds so much at most until it is told again. With 0 it is forgotten. Idempotent. */
  readonly keep: (bytes: number) => void
}

export interface HeldMemoryOptions {
  /** Bytes of all peers together. */
  readonly limitBytes: number
  /** True for a peer that a store here knows. Asked rarely: only of one that holds more than a stranger may. */
  readonly isKnown: (peer: PublicKey) => boolean
  /** {@link PEER_HELD_BYTES} and {@link STRANGER_HELD_BYTES} by default. */
  readonly peerBytes?: number
  readonly strangerBytes?: number
}

interface PeerPart {
  readonly peer: PublicKey
  readonly shares: Set<Share>
  total: number
  /** What this node did not ask for. */
  unbidden: number
  /** Bytes that may be added to it until it is asked again whether the peer is known. */
  vouched: number
}

interface Share extends HeldSession {
  readonly part: PeerPart
  bytes: number
  isRecalled: boolean
}

/** Starts with nothing held. */
export function createHeldMemory(options: HeldMemoryOptions): HeldMemory {
  const memory = new Memory(options)
  return {
    begin: (session) => memory.begin(session),
    of: (peer) => memory.of(peer),
    total: () => memory.total,
  }
}

class Memory {
  total = 0
  readonly #options: Required<HeldMemoryOptions>
  readonly #parts = new Map<IdKey, PeerPart>()

  constructor(options: HeldMemoryOptions) {
    this.#options = { peerBytes: PEER_HELD_BYTES, strangerBytes: STRANGER_HELD_BYTES, ...options }
  }

  of(peer: PublicKey): number {
    return this.#parts.get(idKey(peer))?.total ?? 0
  }
  begin(session: HeldSession): HeldShare {
    const { peer } = session
    const key = idKey(peer)
    const part = this.#parts.get(key) ?? { peer, shares: new Set(), total: 0, unbidden: 0, vouched: 0 }
    const share: Share = { ...session, part, bytes: 0, isRecalled: false }
    this.#parts.set(key, part)
    part.shares.add(share)
    return {
      set: (bytes) => this.#set(share, bytes),
      keep: (bytes) => {
        if (bytes < share.bytes) this.#change(share, bytes)
        if (bytes > 0) return
        part.shares.delete(share)
        if (part.shares.size === 0 && this.#parts.get(key) === part) this.#parts.delete(key)
      },
    }
  }

  #set(share: Share, bytes: number): HeldVerdict {
    assert(bytes >= 0, 'what is held is not negative')
    const growth = bytes - share.bytes
    if (growth > 0) {
      const isAllowed =
        share.part.total + growth <= this.#options.peerBytes && (share.isAsked || this.#isVouched(share.part, growth))
      if (!isAllowed) return 'too_much'
      if (!this.#makeRoom(share.part, growth)) return 'no_room'
    }
    this.#change(share, bytes)
    return 'held'
  }
  #change(share: Share, bytes: number): void {
    const { part, isAsked } = share
    const growth = bytes - share.bytes
    share.bytes = bytes
    part.total += growth
    this.total += growth
    if (!isAsked) part.unbidden += growth
    if (part.unbidden <= this.#options.strangerBytes) part.vouched = 0
    assert(
      this.total >= part.total && part.total >= part.unbidden && part.unbidden >= 0,
      'what is held is counted once',
    )
  }
  /** Whether the peer may have so much more held that this node did not ask for. It may become a stranger meanwhile. */
  #isVouched(part: PeerPart, growth: number): boolean {
    const { strangerBytes, isKnown } = this.#options
    if (part.unbidden + growth <= strangerBytes) return true
    if (part.vouched < growth) {
      if (!isKnown(part.peer)) return false
      part.vouched = Math.max(strangerBytes, growth)
    }
    part.vouched -= growth
    return true
  }
  /** False where nobody holds more than the peer would. */
  #makeRoom(part: PeerPart, growth: number): boolean {
    while (this.total + growth > this.#options.limitBytes) {
      const largest = this.#largestOf(part.total + growth)
      if (largest === undefined) return false
      largest.isRecalled = true
      largest.onRecalled()
    }
    return true
  }
  /** The largest session of the peer that holds most, and more than so much. */
  #largestOf(least: number): Share | undefined {
    let [most, found]: [number, Share | undefined] = [least, undefined]
    for (const { total, shares } of this.#parts.values()) {
      if (total <= most) continue
      let largest: Share | undefined
      for (const share of shares) if (!share.isRecalled && share.bytes > (largest?.bytes ?? 0)) largest = share
      if (largest !== undefined) [most, found] = [total, largest]
    }
    return found
  }
}
