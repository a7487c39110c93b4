/**
 * Broadcast in a topic by PlumTree, see `broadcast-tree.ts`.
 *
 * Pure and synchronous: no clock, no I/O, no randomness; timers are effects. What a peer can make it hold is bounded: ids
 * waited for by neighbour, messages to be verified and messages kept in all. Beyond a bound nothing is lost unsaid: the
 * message waits as an announced one, or the store is reconciled.
 *
 * @module
 */
import { assert, equalBytes, type IdKey, idKey, type IntentionId, type PublicKey } from '@lattice/model'
import {
  GRAFT_IDS_MAX,
  IHAVE_IDS_MAX,
  MAX_ROUND,
  OPTIMIZE_EVERY,
  OPTIMIZE_HOPS,
  PENDING_MESSAGES,
  RECENT_IDS,
} from '../limits.ts'
import { type Announcer, Announcers } from './announcers.ts'
import type {
  BroadcastTree,
  MessageRef,
  OwnMessage,
  TreeEffect,
  TreeEffects,
  TreeMessage,
  TreeTimer,
} from './broadcast-tree.ts'
import { type Missing, MissingMessages } from './missing-messages.ts'
import { MessageCache, type SeenMessage } from './message-cache.ts'
import { announce, createTreeNeighbor, tellAll, type TreeNeighbor } from './tree-neighbors.ts'

export interface PlumTreeOptions<P> {
  /** Bytes that keeping a payload takes. */
  readonly sizeOf: (payload: P) => number
  /** Whether the store holds a message that is too old to be remembered here. */
  readonly isHeld: (message: MessageRef) => boolean
  readonly delays?: TreeDelays
}

/** In milliseconds. */
export interface TreeDelays {
  /** Ids are gathered so long before they are announced. */
  readonly announceMs: number
  /** How long an announced message may take to come along the tree. */
  readonly graftMs: number
  /** How long a holder that was asked may take, before the next one is. */
  readonly regraftMs: number
}

/** A path of ten hops with their commits takes less than `graftMs`, a round trip less than `regraftMs`. */
export const DEFAULT_TREE_DELAYS: TreeDelays = { announceMs: 50, graftMs: 1_000, regraftMs: 500 }

/** A delivered message whose verdict is awaited. */
interface Pending<P> extends MessageRef {
  readonly from: PublicKey
  readonly round: number
  readonly payload: P
  readonly others: Announcers
}

type Gossip<P> = Extract<TreeMessage<P>, { readonly kind: 'gossip' }>
type IHave<P> = Extract<TreeMessage<P>, { readonly kind: 'ihave' }>
type Graft<P> = Extract<TreeMessage<P>, { readonly kind: 'graft' }>

/** Starts without neighbours. */
export function createPlumTree<P>(options: PlumTreeOptions<P>): BroadcastTree<P> {
  const tree = new PlumTree(options)
  const inMode = (eager: boolean) => (): readonly PublicKey[] =>
    tree.neighbors().flatMap((neighbor) => (neighbor.eager === eager ? [neighbor.peer] : []))
  return {
    neighborUp: (peer) => tree.neighborUp(peer),
    neighborDown: (peer) => tree.neighborDown(peer),
    broadcast: (message) => tree.broadcast(message),
    receive: (peer, message) => tree.receive(peer, message),
    accepted: (id) => tree.accepted(id),
    rejected: (id) => tree.rejected(id),
    held: (message) => tree.held(message),
    timeout: (timer) => tree.timeout(timer),
    eager: inMode(true),
    lazy: inMode(false),
  }
}

class PlumTree<P> {
  readonly #isHeld: (message: MessageRef) => boolean
  readonly #delays: TreeDelays
  readonly #neighbors = new Map<IdKey, TreeNeighbor>()
  readonly #cache: MessageCache<P>
  readonly #pending = new Map<IdKey, Pending<P>>()
  readonly #missing = new MissingMessages(this.#neighbors)
  #announceArmed = false
  /** Messages accepted since the tree was changed for a shorter path. */
  #sinceOptimized = OPTIMIZE_EVERY

  constructor({ sizeOf, isHeld, delays }: PlumTreeOptions<P>) {
    this.#isHeld = isHeld
    this.#delays = delays ?? DEFAULT_TREE_DELAYS
    this.#cache = new MessageCache(sizeOf)
  }

  neighbors(): readonly TreeNeighbor[] {
    return [...this.#neighbors.values()]
  }

  neighborUp(peer: PublicKey): TreeEffects<P> {
    if (this.#neighbors.has(idKey(peer))) return []
    const neighbor = createTreeNeighbor(peer)
    this.#neighbors.set(neighbor.key, neighbor)
    // What went round while one of the two was between neighbours.
    return this.#announce(this.#cache.newest(RECENT_IDS).flatMap((message) => announce<P>(neighbor, message)))
  }

  neighborDown(peer: PublicKey): TreeEffects<P> {
    const neighbor = this.#neighbors.get(idKey(peer))
    if (neighbor === undefined) return []
    this.#neighbors.delete(neighbor.key)
    this.#cache.forget(peer)
    return this.#missing.owedBy(neighbor).flatMap((missing) => {
      if (this.#missing.passOn(missing)) return []
      const { id, holders, asked } = missing
      return [{ kind: 'cancel', timer: { kind: 'graft', id } }, ...gaveUp<P>(id, [...asked, ...holders.list()])]
    })
  }

  broadcast({ store, id, payload, holder }: OwnMessage<P>): TreeEffects<P> {
    if (this.#cache.seen(id) !== undefined) return []
    const pending = this.#pending.get(idKey(id))
    this.#pending.delete(idKey(id))
    const holders = [...(pending?.others.list() ?? []), ...(this.#missing.get(id)?.holders.list() ?? [])]
    const has = new Set(holders.map(({ peer }) => idKey(peer)))
    if (pending !== undefined) has.add(idKey(pending.from))
    if (holder !== undefined) has.add(idKey(holder))
    return [...this.#unmiss(id), ...this.#forward({ store, id, round: 0, from: undefined }, payload, has)]
  }

  receive(peer: PublicKey, message: TreeMessage<P>): TreeEffects<P> {
    const neighbor = this.#neighbors.get(idKey(peer))
    const stranger: TreeEffects<P> = neighbor === undefined ? [{ kind: 'stranger', peer }] : []
    if (message.kind === 'gossip') return [...this.#gossip(peer, message), ...stranger]
    // On its way when the two ceased to be neighbours: what it tells is told by those that took its place.
    if (neighbor === undefined) return stranger
    switch (message.kind) {
      case 'ihave':
        return this.#ihave(neighbor, message)
      case 'graft':
        return this.#graft(neighbor, message)
      case 'prune':
        neighbor.eager = false
        return []
    }
  }

  accepted(id: IntentionId): TreeEffects<P> {
    const pending = this.#pending.get(idKey(id))
    if (pending === undefined) return []
    this.#pending.delete(idKey(id))
    const { store, from, round, payload } = pending
    const others = pending.others.list()
    const effects: TreeEffect<P>[] = []
    const parent = this.#neighbors.get(idKey(from))
    if (parent !== undefined) parent.eager = true
    for (const { peer, sentCopy } of others) if (sentCopy) effects.push(...this.#prune(peer))
    const seen: SeenMessage = { store, id, round, from }
    this.#sinceOptimized += 1
    for (const { peer, round: claimed } of others) effects.push(...this.#optimize(seen, peer, claimed))
    const has = new Set([from, ...others.map(({ peer }) => peer)].map((peer) => idKey(peer)))
    return [...effects, ...this.#forward(seen, payload, has)]
  }

  rejected(id: IntentionId): TreeEffects<P> {
    const pending = this.#pending.get(idKey(id))
    if (pending === undefined) return []
    this.#pending.delete(idKey(id))
    const { from, others } = pending
    others.delete(from)
    const missing = this.#missing.add(id, others)
    return missing === undefined ? gaveUp(id, others.list()) : this.#ask(missing)
  }

  held({ store, id }: MessageRef): TreeEffects<P> {
    if (this.#cache.seen(id) !== undefined || this.#pending.has(idKey(id))) return []
    this.#cache.note({ store, id, round: 0, from: undefined })
    return this.#unmiss(id)
  }

  timeout(timer: TreeTimer): TreeEffects<P> {
    if (timer.kind === 'announce') {
      this.#announceArmed = false
      return this.neighbors().flatMap((neighbor) => tellAll<P>(neighbor))
    }
    const missing = this.#missing.get(timer.id)
    if (missing === undefined) return []
    // The tree did not bring it: whoever was followed for a shorter path did not keep its word.
    for (const neighbor of this.#neighbors.values()) {
      if (!neighbor.followed) continue
      neighbor.followed = false
      neighbor.barred = true
    }
    return this.#ask(missing)
  }

  #gossip(peer: PublicKey, { store, id, round, payload }: Gossip<P>): TreeEffects<P> {
    const key = idKey(id)
    const pending = this.#pending.get(key)
    if (pending !== undefined) {
      if (!equalBytes(pending.from, peer)) pending.others.add({ peer, store, round, sentCopy: true })
      return []
    }
    const seen = this.#cache.seen(id)
    // Sent again by the same one: no second path.
    if (seen !== undefined) return seen.from !== undefined && equalBytes(seen.from, peer) ? [] : this.#prune(peer)
    if (this.#isHeld({ store, id })) return []
    const missing = this.#missing.get(id)
    if (this.#pending.size >= PENDING_MESSAGES) {
      const neighbor = this.#neighbors.get(idKey(peer))
      // No room to verify it: it is asked for again, since it is known where it is.
      return neighbor === undefined
        ? [{ kind: 'gave_up', store, id, announcers: [peer] }]
        : this.#await(neighbor, { store, id }, round)
    }
    const others = missing?.holders ?? new Announcers()
    others.delete(peer)
    this.#pending.set(key, { store, id, from: peer, round: Math.min(round, MAX_ROUND), payload, others })
    assert(this.#pending.size <= PENDING_MESSAGES, 'messages to be verified stay within their bound')
    return [...this.#unmiss(id), { kind: 'deliver', store, id, payload, from: peer, round }]
  }

  #ihave(neighbor: TreeNeighbor, { store, entries }: IHave<P>): TreeEffects<P> {
    const effects: TreeEffect<P>[] = []
    // Once one is given up the store is reconciled, which brings the others too: they are not looked for one by one.
    let isGivenUp = false
    for (const { id, round } of entries.slice(0, IHAVE_IDS_MAX)) {
      const seen = this.#cache.seen(id)
      const pending = this.#pending.get(idKey(id))
      if (seen !== undefined) effects.push(...this.#optimize(seen, neighbor.peer, round))
      else if (pending !== undefined) pending.others.add({ peer: neighbor.peer, store, round, sentCopy: false })
      else if (isGivenUp && this.#missing.get(id) === undefined) continue
      else if (!this.#isHeld({ store, id })) {
        const awaited = this.#await(neighbor, { store, id }, round)
        isGivenUp ||= awaited.some(({ kind }) => kind === 'gave_up')
        effects.push(...awaited)
      }
    }
    return effects
  }

  #graft(neighbor: TreeNeighbor, { wanted }: Graft<P>): TreeEffects<P> {
    neighbor.eager = true
    if (wanted === undefined) return []
    return wanted.ids.slice(0, GRAFT_IDS_MAX).flatMap((id): TreeEffects<P> => {
      const kept = this.#cache.kept(id)
      if (kept === undefined || !equalBytes(kept.store, wanted.store)) {
        return [{ kind: 'unserved', peer: neighbor.peer, store: wanted.store, id }]
      }
      // Whoever asks again and again is on its way to being served already.
      if (!this.#cache.send(kept, neighbor.key)) return []
      const { store, round, payload } = kept
      return [sendTo(neighbor, { kind: 'gossip', store, id, round: nextRound(round), payload })]
    })
  }

  /** Notes that the neighbour holds a message that is not here, and waits for it. */
  #await(neighbor: TreeNeighbor, { store, id }: MessageRef, round: number): TreeEffects<P> {
    const announcer = { peer: neighbor.peer, store, round, sentCopy: false }
    const known = this.#missing.get(id)
    if (known !== undefined) {
      this.#missing.addHolder(known, announcer)
      return []
    }
    const holders = new Announcers()
    holders.add(announcer)
    return this.#missing.add(id, holders) === undefined
      ? gaveUp(id, [announcer])
      : [{ kind: 'arm', timer: { kind: 'graft', id }, delayMs: this.#delays.graftMs }]
  }

  /** Asks the next holder; without one the message is given up. */
  #ask(missing: Missing): TreeEffects<P> {
    const { id, holders, asked } = missing
    for (const holder of holders.list()) {
      holders.delete(holder.peer)
      asked.push(holder)
      const neighbor = this.#neighbors.get(idKey(holder.peer))
      if (neighbor === undefined) continue
      neighbor.eager = true
      return [
        sendTo(neighbor, { kind: 'graft', wanted: { store: holder.store, ids: [id] } }),
        { kind: 'arm', timer: { kind: 'graft', id }, delayMs: this.#delays.regraftMs },
      ]
    }
    this.#missing.delete(missing)
    return gaveUp(id, asked)
  }

  /** Ends waiting for an id. */
  #unmiss(id: IntentionId): TreeEffects<P> {
    const missing = this.#missing.get(id)
    if (missing === undefined) return []
    this.#missing.delete(missing)
    return [{ kind: 'cancel', timer: { kind: 'graft', id } }]
  }

  /** Remembers a message that is here, and sends it on: in full or by its id, to all but those that have it. */
  #forward(message: SeenMessage, payload: P, has: ReadonlySet<IdKey>): TreeEffects<P> {
    const { store, id } = message
    const kept = this.#cache.keep(message, payload)
    const round = nextRound(message.round)
    const effects: TreeEffect<P>[] = []
    const queued: TreeEffect<P>[] = []
    for (const neighbor of this.#neighbors.values()) {
      if (has.has(neighbor.key)) continue
      if (neighbor.eager) {
        this.#cache.send(kept, neighbor.key)
        effects.push(sendTo(neighbor, { kind: 'gossip', store, id, round, payload }))
      } else queued.push(...announce<P>(neighbor, message))
    }
    return [...effects, ...this.#announce(queued)]
  }

  /** Arms the timer of announcements while any wait. */
  #announce(effects: TreeEffects<P>): TreeEffects<P> {
    if (this.#announceArmed || this.neighbors().every(({ queue }) => queue.size === 0)) return effects
    this.#announceArmed = true
    return [...effects, { kind: 'arm', timer: { kind: 'announce' }, delayMs: this.#delays.announceMs }]
  }

  /** Takes the link out of the tree. */
  #prune(peer: PublicKey): TreeEffects<P> {
    const neighbor = this.#neighbors.get(idKey(peer))
    if (neighbor === undefined) return []
    neighbor.eager = false
    return [sendTo(neighbor, { kind: 'prune' })]
  }

  /** Takes the announcer's link into the tree for that by which the message came, when its path is shorter by enough. */
  #optimize({ from, round }: SeenMessage, peer: PublicKey, claimed: number): TreeEffects<P> {
    const parent = from === undefined ? undefined : this.#neighbors.get(idKey(from))
    const neighbor = this.#neighbors.get(idKey(peer))
    if (parent === undefined || neighbor === undefined) return []
    if (!parent.eager || neighbor.eager || neighbor.barred) return []
    if (claimed + OPTIMIZE_HOPS > round || this.#sinceOptimized < OPTIMIZE_EVERY) return []
    this.#sinceOptimized = 0
    neighbor.eager = true
    neighbor.followed = true
    parent.eager = false
    return [sendTo(neighbor, { kind: 'graft', wanted: undefined }), sendTo(parent, { kind: 'prune' })]
  }
}

/** One effect for each store that the message was said to belong to. */
function gaveUp<P>(id: IntentionId, holders: readonly Announcer[]): TreeEffects<P> {
  const stores = new Map(holders.map(({ store }) => [idKey(store), store]))
  return [...stores.values()].map((store) => {
    const announcers = holders.filter((holder) => equalBytes(holder.store, store)).map(({ peer }) => peer)
    return { kind: 'gave_up', store, id, announcers }
  })
}

function sendTo<P>({ peer }: TreeNeighbor, message: TreeMessage<P>): TreeEffect<P> {
  return { kind: 'send', peer, message }
}

function nextRound(round: number): number {
  return Math.min(round + 1, MAX_ROUND)
}
