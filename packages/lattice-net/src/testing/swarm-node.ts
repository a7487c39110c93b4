/**
 * One node of a swarm: its machines, a store that is a set of ids, and a shell that carries out their effects.
 *
 * @module
 */
import {
  assert,
  equalBytes,
  type IdKey,
  idKey,
  type IntentionId,
  type PublicKey,
  type Random,
  type StoreId,
} from '@lattice/model'
import type { BroadcastTree, TreeEffect, TreeMessage, TreeTimer } from '../gossip/broadcast-tree.ts'
import { createHyParView } from '../gossip/hyparview.ts'
import type { Membership, MembershipEffect, MembershipMessage } from '../gossip/membership.ts'
import { createPlumTree, type TreeDelays } from '../gossip/plumtree.ts'

/** What is broadcast in a swarm. */
export interface SwarmPayload {
  readonly bytes: number
  /** Whether stores accept this copy. */
  readonly valid: boolean
}

export type SwarmMessage =
  | { readonly layer: 'membership'; readonly message: MembershipMessage }
  | { readonly layer: 'tree'; readonly message: TreeMessage<SwarmPayload> }

/** What a node asks of the swarm. */
export interface SwarmPorts {
  readonly after: (delayMs: number, run: () => void) => void
  readonly send: (to: PublicKey, message: SwarmMessage) => void
  readonly dial: (to: PublicKey) => void
  /** This node needs the connection no longer. */
  readonly release: (to: PublicKey) => void
  /** The store is to be reconciled with the peer. */
  readonly reconcile: (peer: PublicKey) => void
  /** Told of every effect, in order. */
  readonly onEffect: (effect: MembershipEffect | TreeEffect<SwarmPayload>) => void
}

export interface SwarmNodeOptions {
  readonly self: PublicKey
  readonly random: Random
  readonly ports: SwarmPorts
  readonly verifyMs: number
  readonly delays: TreeDelays
  readonly mixTicks: number
  readonly store: StoreId
}

/** A connection: the same object at both ends while both have it. */
export interface SwarmLink {
  readonly ends: readonly [PublicKey, PublicKey]
}

/** A message as a node took it in. */
export interface Taken {
  readonly id: IntentionId
  readonly round: number
  readonly atMs: number
}

export class SwarmNode {
  readonly self: PublicKey
  readonly membership: Membership
  readonly tree: BroadcastTree<SwarmPayload>
  /** Everything its store took in, once each. */
  readonly taken: Map<IdKey, Taken> = new Map()
  /** By peer. */
  readonly links: Map<IdKey, SwarmLink> = new Map()
  /** Those this node needs a connection with. */
  readonly needed: Set<IdKey> = new Set()
  alive = true
  readonly #options: SwarmNodeOptions
  readonly #nowMs: () => number
  /** The latest arming of each timer: an older one that runs out is void. */
  readonly #timers = new Map<string, number>()
  #armings = 0

  constructor(options: SwarmNodeOptions, nowMs: () => number) {
    const { self, random, delays, mixTicks } = options
    this.self = self
    this.#options = options
    this.#nowMs = nowMs
    this.tree = createPlumTree<SwarmPayload>({
      sizeOf: ({ bytes }) => bytes,
      isHeld: ({ id }) => this.taken.has(idKey(id)),
      delays,
    })
    const isSpare = (peer: PublicKey): boolean => this.tree.lazy().some((lazy) => equalBytes(lazy, peer))
    this.membership = createHyParView({ self, random, mixTicks, isSpare })
  }

  broadcast(id: IntentionId, payload: SwarmPayload): void {
    this.take(id, 0)
    this.tend(this.tree.broadcast({ store: this.#options.store, id, payload }))
  }
  /** Takes a message in on another way than the tree. */
  obtain(id: IntentionId): void {
    if (this.taken.has(idKey(id))) return
    this.take(id, 0)
    this.tend(this.tree.held({ store: this.#options.store, id }))
  }
  receive(from: PublicKey, message: SwarmMessage): void {
    if (message.layer === 'membership') this.manage(this.membership.receive(from, message.message))
    else this.tend(this.tree.receive(from, message.message))
  }
  take(id: IntentionId, round: number): void {
    assert(!this.taken.has(idKey(id)), 'a message is taken in once')
    this.taken.set(idKey(id), { id, round, atMs: this.#nowMs() })
  }

  /** Carries out effects of the membership. */
  manage(effects: readonly MembershipEffect[]): void {
    const { ports } = this.#options
    for (const effect of effects) {
      ports.onEffect(effect)
      switch (effect.kind) {
        case 'connect':
          this.needed.add(idKey(effect.peer))
          ports.dial(effect.peer)
          break
        case 'send':
          ports.send(effect.peer, { layer: 'membership', message: effect.message })
          break
        case 'neighbor_up':
          this.needed.add(idKey(effect.peer))
          this.tend(this.tree.neighborUp(effect.peer))
          break
        case 'neighbor_down':
          this.tend(this.tree.neighborDown(effect.peer))
          break
        case 'release':
          this.needed.delete(idKey(effect.peer))
          ports.release(effect.peer)
      }
    }
  }

  /** Carries out effects of the tree. */
  tend(effects: readonly TreeEffect<SwarmPayload>[]): void {
    const { ports } = this.#options
    for (const effect of effects) {
      ports.onEffect(effect)
      switch (effect.kind) {
        case 'send':
          ports.send(effect.peer, { layer: 'tree', message: effect.message })
          break
        case 'deliver':
          this.#verify(effect)
          break
        case 'arm':
          this.#arm(effect.timer, effect.delayMs)
          break
        case 'cancel':
          this.#timers.delete(nameOf(effect.timer))
          break
        case 'stranger':
          this.manage(this.membership.stranger(effect.peer))
          break
        case 'unserved':
          ports.reconcile(effect.peer)
          break
        case 'gave_up':
          for (const peer of effect.announcers.slice(0, 1)) ports.reconcile(peer)
      }
    }
  }

  #verify({ id, payload, round }: Extract<TreeEffect<SwarmPayload>, { readonly kind: 'deliver' }>): void {
    this.#options.ports.after(this.#options.verifyMs, () => {
      if (!this.alive) return
      if (!payload.valid) {
        this.tend(this.tree.rejected(id))
        return
      }
      if (!this.taken.has(idKey(id))) this.take(id, round)
      this.tend(this.tree.accepted(id))
    })
  }
  #arm(timer: TreeTimer, delayMs: number): void {
    const name = nameOf(timer)
    this.#armings += 1
    const arming = this.#armings
    this.#timers.set(name, arming)
    this.#options.ports.after(delayMs, () => {
      if (!this.alive || this.#timers.get(name) !== arming) return
      this.#timers.delete(name)
      this.tend(this.tree.timeout(timer))
    })
  }
}

function nameOf(timer: TreeTimer): string {
  return timer.kind === 'announce' ? 'announce' : idKey(timer.id)
}
