/**
 * The membership of a topic by HyParView, see `membership.ts`.
 *
 * Pure and synchronous: no clock, no I/O, randomness injected. Every view, request and trail has a bound, and nobody but a
 * candidate enters one, so that a peer can cost a node a neighbour's place and nothing else.
 *
 * @module
 */
import { assert, equalBytes, type IdKey, idKey, type PublicKey, type Random } from '@lattice/model'
import {
  ACTIVE_VIEW,
  ACTIVE_WALK,
  FORCED_PER_TICK,
  MIX_TICKS,
  MIXES_PER_TICK,
  NEIGHBOR_REQUEST_TICKS,
  NEIGHBOR_REQUESTS,
  PASSIVE_VIEW,
  PASSIVE_WALK,
  WALKS_PER_TICK,
} from '../limits.ts'
import { drawBelow, drawOne } from './draw.ts'
import { HeardOrigins } from './heard-origins.ts'
import type { Membership, MembershipEffect, MembershipEffects, MembershipMessage } from './membership.ts'
import { PassiveView } from './passive-view.ts'
import { PeerSet } from './peer-set.ts'
import { Refusals } from './refusals.ts'
import { Shuffle } from './shuffle.ts'

export interface HyParViewOptions {
  readonly self: PublicKey
  readonly random: Random
  readonly activeView?: number
  readonly passiveView?: number
  /** Ticks between two swaps of a full node, on average. */
  readonly mixTicks?: number
  /** Neighbours that make room first: those that the broadcast tree does without. By default none. */
  readonly isSpare?: (peer: PublicKey) => boolean
}

/** A peer that is asked to become a neighbour. */
interface NeighborRequest {
  readonly peer: PublicKey
  /** `swap` is asked with high priority and `offer` with low; for both a neighbour makes room when the view is full. */
  readonly ask: 'join' | 'refill' | 'offer' | 'swap'
  /** False while the connection is not up. */
  sent: boolean
  ticks: number
}

/** Starts without candidates. */
export function createHyParView(options: HyParViewOptions): Membership {
  const view = new HyParView(options)
  return {
    candidates: (peers) => view.candidates(peers),
    up: (peer) => view.up(peer),
    down: (peer) => view.down(peer),
    failed: (peer) => view.failed(peer),
    receive: (peer, message) => view.receive(peer, message),
    stranger: (peer) => view.stranger(peer),
    tick: () => view.tick(),
    rejoin: () => view.rejoin(),
    leave: () => view.leave(),
    active: () => view.active.list(),
    passive: () => view.passive.list(),
  }
}

class HyParView {
  readonly active = new PeerSet()
  readonly passive: PassiveView
  readonly #self: PublicKey
  readonly #random: Random
  readonly #activeMax: number
  readonly #mixTicks: number
  readonly #isSpare: (peer: PublicKey) => boolean
  readonly #candidates = new PeerSet()
  readonly #requests = new Map<IdKey, NeighborRequest>()
  /** Of candidates. */
  readonly #refusals = new Refusals()
  readonly #heard = new HeardOrigins()
  readonly #shuffle: Shuffle
  #walksLeft = WALKS_PER_TICK
  #forcedLeft = FORCED_PER_TICK

  constructor({ self, random, activeView, passiveView, mixTicks, isSpare }: HyParViewOptions) {
    this.#self = self
    this.#random = random
    this.#activeMax = activeView ?? ACTIVE_VIEW
    this.#mixTicks = mixTicks ?? MIX_TICKS
    this.#isSpare = isSpare ?? (() => false)
    assert(this.#activeMax > 0 && this.#mixTicks > 0, 'a view and a pause are positive')
    this.passive = new PassiveView({ random, capacity: passiveView ?? PASSIVE_VIEW })
    this.#shuffle = new Shuffle({
      self,
      random,
      active: this.active,
      passive: this.passive,
      isReplacement: (peer) => this.#isReplacement(peer),
      nextHop: (from, subject) => this.#nextHop(from, subject),
    })
  }

  candidates(peers: readonly PublicKey[]): MembershipEffects {
    const before = new PeerSet(this.#candidates.list())
    this.#candidates.clear()
    for (const peer of peers) if (!equalBytes(peer, this.#self)) this.#candidates.add(peer)
    this.#refusals.keepOnly(this.#candidates.list())
    const effects: MembershipEffect[] = []
    for (const peer of this.active.list()) {
      if (!this.#candidates.has(peer)) effects.push(...this.#drop(peer))
    }
    for (const peer of this.passive.list()) if (!this.#candidates.has(peer)) this.passive.delete(peer)
    for (const { peer } of this.#requests.values()) {
      if (!this.#candidates.has(peer)) effects.push(...this.#withdraw(peer))
    }
    const isNew = (peer: PublicKey): boolean => !before.has(peer) && !this.active.has(peer)
    this.passive.fill(this.#candidates.list().filter(isNew))
    return [...effects, ...this.#refill()]
  }

  up(peer: PublicKey): MembershipEffects {
    const request = this.#requests.get(idKey(peer))
    if (request !== undefined) {
      if (request.ask === 'refill' && this.active.size >= this.#activeMax) return this.#withdraw(peer)
      request.sent = true
      if (request.ask === 'join' && this.active.size === 0) return [send(peer, { kind: 'join' })]
      return [send(peer, { kind: 'neighbor', priority: request.ask === 'swap' ? 'high' : 'low' })]
    }
    // The peer may have begun anew, and not know that it is a neighbour.
    if (this.active.has(peer)) return [send(peer, { kind: 'neighbor', priority: 'high' })]
    // Whoever is connected anyway is the nearest replacement.
    const isAlone = this.active.size === 0
    const hasRoom = this.active.size + this.#requests.size < this.#activeMax
    if (!hasRoom || !this.#candidates.has(peer) || this.#refusals.rests(peer, isAlone)) return []
    return this.#request(peer, isAlone ? 'join' : 'refill')
  }

  down(peer: PublicKey): MembershipEffects {
    if (!this.active.delete(peer)) return this.failed(peer)
    this.#refusals.wake()
    return [{ kind: 'neighbor_down', peer }, { kind: 'release', peer }, ...this.#refill()]
  }

  failed(peer: PublicKey): MembershipEffects {
    if (!this.#requests.delete(idKey(peer))) return []
    this.passive.delete(peer)
    return [{ kind: 'release', peer }, ...this.#refill()]
  }

  receive(peer: PublicKey, message: MembershipMessage): MembershipEffects {
    if (!this.#candidates.has(peer)) return []
    // Whoever asks has room.
    if (message.kind === 'join' || message.kind === 'neighbor') this.#refusals.forget(peer)
    switch (message.kind) {
      case 'join':
        return this.#join(peer)
      case 'neighbor':
        return this.#neighbor(peer, message.priority === 'high')
      case 'neighbor_reply':
        return this.#reply(peer, message.accepted)
      case 'disconnect':
        return this.#disconnected(peer)
      case 'forward_join':
      case 'shuffle':
      case 'shuffle_reply':
        return this.#fromNeighbor(peer, message)
    }
  }

  stranger(peer: PublicKey): MembershipEffects {
    if (this.active.has(peer) || this.#requests.has(idKey(peer)) || !this.#candidates.has(peer)) return []
    return [send(peer, { kind: 'disconnect' })]
  }

  tick(): MembershipEffects {
    this.#walksLeft = WALKS_PER_TICK
    this.#forcedLeft = FORCED_PER_TICK
    this.#refusals.tick()
    this.#heard.tick()
    const effects: MembershipEffect[] = []
    for (const request of this.#requests.values()) {
      request.ticks += 1
      if (request.ticks < NEIGHBOR_REQUEST_TICKS) continue
      this.passive.delete(request.peer)
      effects.push(...this.#withdraw(request.peer))
    }
    // Where everybody is a neighbour there is nobody to tell of.
    if (this.active.size < this.#candidates.size) effects.push(...this.#shuffle.tick())
    if (this.active.size >= this.#activeMax) {
      const pause = Math.max(this.#mixTicks, Math.ceil(this.#candidates.size / MIXES_PER_TICK))
      if (drawBelow(this.#random, pause) === 0) effects.push(...this.#mix(false))
      return effects
    }
    if (this.#replacements().length === 0) this.#reseed()
    return [...effects, ...this.#refill()]
  }

  rejoin(): MembershipEffects {
    this.#refusals.forgive()
    this.#reseed()
    return [...this.#refill(), ...this.#mix(true)]
  }

  leave(): MembershipEffects {
    this.#candidates.clear()
    const effects = this.active.list().flatMap((peer) => this.#drop(peer))
    effects.push(...[...this.#requests.values()].flatMap(({ peer }) => this.#withdraw(peer)))
    this.passive.clear()
    this.#refusals.forgive()
    this.#heard.clear()
    this.#shuffle.clear()
    return effects
  }

  #join(peer: PublicKey): MembershipEffects {
    if (this.active.has(peer)) return [send(peer, { kind: 'neighbor_reply', accepted: true })]
    if (!this.#makesRoom()) return this.#refuse(peer)
    const others = this.active.list()
    const effects: MembershipEffect[] = [...this.#admit(peer), send(peer, { kind: 'neighbor_reply', accepted: true })]
    for (const other of others) {
      if (!this.active.has(other) || !this.#takeWalk()) continue
      effects.push(send(other, { kind: 'forward_join', peer, ttl: ACTIVE_WALK }))
    }
    return effects
  }

  #neighbor(peer: PublicKey, isHigh: boolean): MembershipEffects {
    const accepted = send(peer, { kind: 'neighbor_reply', accepted: true })
    if (this.active.has(peer)) return [accepted]
    const isTaken = isHigh ? this.#makesRoom() : this.active.size < this.#activeMax
    return isTaken ? [...this.#admit(peer), accepted] : this.#refuse(peer)
  }

  /** Whether a peer that insists is taken in: at the cost of a neighbour only so often. */
  #makesRoom(): boolean {
    if (this.active.size < this.#activeMax) return true
    if (this.#forcedLeft === 0) return false
    this.#forcedLeft -= 1
    return true
  }

  #refuse(peer: PublicKey): MembershipEffects {
    this.passive.add(peer)
    return [send(peer, { kind: 'neighbor_reply', accepted: false }), ...this.#release(peer)]
  }

  #reply(peer: PublicKey, accepted: boolean): MembershipEffects {
    const request = this.#requests.get(idKey(peer))
    if (this.active.has(peer)) return []
    if (!accepted) {
      if (request === undefined || !request.sent) return []
      this.#requests.delete(idKey(peer))
      this.#refusals.refused(peer)
      this.passive.add(peer)
      return [{ kind: 'release', peer }, ...this.#refill()]
    }
    // An answer to what was given up meanwhile, or no longer has room: the peer must not go on believing in it.
    const hasRoom = this.active.size < this.#activeMax
    if (request === undefined || (!hasRoom && request.ask === 'refill')) {
      this.#requests.delete(idKey(peer))
      return [send(peer, { kind: 'disconnect' }), { kind: 'release', peer }]
    }
    return [...this.#admit(peer), ...this.#refill()]
  }

  #disconnected(peer: PublicKey): MembershipEffects {
    // While it is asked anew, its goodbye is to the time before.
    if (!this.active.delete(peer)) return []
    this.passive.add(peer)
    this.#refusals.left(peer)
    return [{ kind: 'neighbor_down', peer }, ...this.#release(peer), ...this.#refill()]
  }

  /** What only neighbours say. Whoever else does believes wrongly to be one, and is told. */
  #fromNeighbor(
    peer: PublicKey,
    message: Extract<MembershipMessage, { readonly kind: 'forward_join' | 'shuffle' | 'shuffle_reply' }>,
  ): MembershipEffects {
    if (!this.active.has(peer)) return this.stranger(peer)
    if (message.kind === 'shuffle_reply') return this.#shuffle.reply(message)
    if (!this.#takeWalk()) return []
    if (message.kind === 'shuffle') this.#heard.heard(message.origin)
    return message.kind === 'shuffle' ? this.#shuffle.walk(peer, message) : this.#walkJoin(peer, message)
  }

  #walkJoin(
    from: PublicKey,
    { peer, ttl }: Extract<MembershipMessage, { readonly kind: 'forward_join' }>,
  ): MembershipEffects {
    if (equalBytes(peer, this.#self)) return []
    const hops = Math.min(ttl, ACTIVE_WALK)
    const next = hops > 0 ? this.#nextHop(from, peer) : undefined
    if (next !== undefined) {
      if (hops === PASSIVE_WALK) this.#note(peer)
      return [send(next, { kind: 'forward_join', peer, ttl: hops - 1 })]
    }
    if (this.active.has(peer)) return []
    return this.#candidates.has(peer) ? this.#request(peer, 'offer') : []
  }

  #note(peer: PublicKey): void {
    if (this.#isReplacement(peer)) this.passive.add(peer)
  }

  #isReplacement(peer: PublicKey): boolean {
    return this.#candidates.has(peer) && !this.active.has(peer)
  }

  /** A neighbour for a walk to go on with. */
  #nextHop(from: PublicKey, subject: PublicKey): PublicKey | undefined {
    const others = this.active.list().filter((peer) => !equalBytes(peer, from) && !equalBytes(peer, subject))
    return drawOne(this.#random, others)
  }

  #takeWalk(): boolean {
    if (this.#walksLeft === 0) return false
    this.#walksLeft -= 1
    return true
  }

  /** Asks replacements while neighbours lack: one alone while there is none, since it sends walks for more. */
  #refill(): MembershipEffects {
    const effects: MembershipEffect[] = []
    for (;;) {
      const isAlone = this.active.size === 0
      const lacking = (isAlone ? 1 : this.#activeMax - this.active.size) - this.#requests.size
      // Each refusal takes a slot's turn until the next tick: in a full overlay nobody is asked round in vain.
      const turns = isAlone ? lacking : lacking - this.#refusals.sinceTick
      const peer = turns > 0 ? drawOne(this.#random, this.#replacements()) : undefined
      if (peer === undefined) return effects
      effects.push(...this.#request(peer, isAlone ? 'join' : 'refill'))
    }
  }

  #replacements(): readonly PublicKey[] {
    const isAlone = this.active.size === 0
    const isBusy = (peer: PublicKey): boolean => this.#requests.has(idKey(peer)) || this.#refusals.rests(peer, isAlone)
    return this.passive.list().filter((peer) => !isBusy(peer))
  }

  /** Begins again with what is known from data. */
  #reseed(): void {
    this.passive.fill(this.#candidates.list().filter((peer) => !this.active.has(peer)))
  }

  /** Swaps a neighbour for a candidate that is none; not for one that belongs to the same overlay for certain. */
  #mix(isForced: boolean): MembershipEffects {
    const strangers = this.#candidates.list().filter((peer) => !this.active.has(peer))
    const peer = drawOne(this.#random, strangers)
    if (peer === undefined || (!isForced && this.#heard.has(peer))) return []
    return this.#request(peer, 'swap')
  }

  #request(peer: PublicKey, ask: NeighborRequest['ask']): MembershipEffects {
    if (this.#requests.size >= NEIGHBOR_REQUESTS || this.#requests.has(idKey(peer))) return []
    this.#requests.set(idKey(peer), { peer, ask, sent: false, ticks: 0 })
    return [{ kind: 'connect', peer }]
  }

  /** Gives a request up. */
  #withdraw(peer: PublicKey): MembershipEffects {
    this.#requests.delete(idKey(peer))
    return this.active.has(peer) ? [] : [{ kind: 'release', peer }]
  }

  /** Makes the peer a neighbour; when the view is full, another one makes room. */
  #admit(peer: PublicKey): MembershipEffects {
    const effects: MembershipEffect[] = []
    if (this.active.size >= this.#activeMax) {
      const spare = this.active.list().filter((neighbor) => this.#isSpare(neighbor))
      const leaving = drawOne(this.#random, spare.length > 0 ? spare : this.active.list())
      assert(leaving !== undefined, 'a full view holds someone')
      effects.push(...this.#drop(leaving))
      this.passive.add(leaving)
    }
    this.#requests.delete(idKey(peer))
    this.#refusals.forget(peer)
    this.passive.delete(peer)
    this.active.add(peer)
    assert(this.active.size <= this.#activeMax, 'the active view stays within its bound')
    effects.push({ kind: 'neighbor_up', peer })
    return effects
  }

  /** Ends being a neighbour, and says so. */
  #drop(peer: PublicKey): MembershipEffects {
    this.active.delete(peer)
    return [{ kind: 'neighbor_down', peer }, send(peer, { kind: 'disconnect' }), ...this.#release(peer)]
  }

  /** The connection may go, unless the peer is being asked. */
  #release(peer: PublicKey): MembershipEffects {
    return this.#requests.has(idKey(peer)) ? [] : [{ kind: 'release', peer }]
  }
}

function send(peer: PublicKey, message: MembershipMessage): MembershipEffect {
  return { kind: 'send', peer, message }
}
