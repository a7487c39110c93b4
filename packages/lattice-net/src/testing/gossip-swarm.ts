/**
 * Many gossip machines in virtual time: thousands of nodes in one process, every run repeated by its seed.
 *
 * The machines are the real ones; stores, connections and reconciliation are models. A connection is there while one of
 * both sides needs it; a crashed or cut-off peer is noticed after a while of silence. Messages of one direction stay in
 * order unless the swarm reorders, and none is lost unless it loses.
 *
 * @module
 */
import {
  assert,
  type IdKey,
  idKey,
  type IntentionId,
  type PublicKey,
  toIntentionId,
  toPublicKey,
  toStoreId,
} from '@lattice/model'
import { createSeededRandom, type SeededRandom } from '@lattice/model/testing'
import type { TreeEffect } from '../gossip/broadcast-tree.ts'
import type { MembershipEffect } from '../gossip/membership.ts'
import { DEFAULT_TREE_DELAYS, type TreeDelays } from '../gossip/plumtree.ts'
import { MIX_TICKS } from '../limits.ts'
import { EventQueue } from './event-queue.ts'
import { createTraffic, type Traffic, type TrafficCounts } from './swarm-traffic.ts'
import { type SwarmLink, type SwarmMessage, SwarmNode, type SwarmPayload, type Taken } from './swarm-node.ts'

export interface SwarmOptions {
  readonly seed: number | string
  readonly nodes: number
  readonly latencyMs: { readonly min: number; readonly max: number }
  /** What a store takes to verify and commit. */
  readonly verifyMs: number
  /** Between two ticks of a node's membership. */
  readonly tickMs: number
  /** How long the silence of a peer goes unnoticed. */
  readonly silenceMs: number
  /** Of messages, on average; none by default. */
  readonly loseOneIn?: number
  /** Messages overtake each other. */
  readonly reorder?: boolean
  /** Neighbours compare what they hold so often, and reconcile; never by default. */
  readonly heartbeatMs?: number
  readonly delays?: TreeDelays
  readonly mixTicks?: number
}

/** A living node as seen from outside. */
export interface SwarmView {
  readonly active: readonly number[]
  readonly passive: readonly number[]
  readonly eager: readonly number[]
  readonly lazy: readonly number[]
  readonly links: readonly number[]
}

const NO_PAYLOAD: SwarmPayload = { bytes: 0, valid: false }

export class GossipSwarm {
  readonly traffic: Traffic = createTraffic()
  readonly #options: SwarmOptions
  readonly #queue = new EventQueue()
  readonly #random: SeededRandom
  readonly #keys: readonly PublicKey[]
  readonly #numbers: ReadonlyMap<IdKey, number>
  readonly #nodes: (SwarmNode | undefined)[]
  /** When the last message of each direction arrives. */
  readonly #arrivals = new Map<number, number>()
  readonly #group: number[]
  readonly #store = toStoreId(new Uint8Array(32).fill(0x57))
  #messages = 0
  #connections = 0
  /** A hash over all effects so far. */
  #trace = 0x811c9dc5

  constructor(options: SwarmOptions) {
    this.#options = options
    this.#random = createSeededRandom(options.seed)
    this.#keys = Array.from({ length: options.nodes }, (_, number) => toPublicKey(numbered(number, 0x50)))
    this.#numbers = new Map(this.#keys.map((key, number) => [idKey(key), number]))
    this.#nodes = this.#keys.map(() => undefined)
    this.#group = this.#keys.map(() => 0)
  }

  get nowMs(): number {
    return this.#queue.nowMs
  }
  get trace(): number {
    return this.#trace >>> 0
  }
  /** Lets time pass. */
  run(ms: number): void {
    this.#queue.advance(ms)
  }
  /** Starts a node that is not running, without memory, and with all nodes as candidates unless told otherwise. */
  start(number: number, candidates: readonly number[] = [...this.#keys.keys()]): void {
    assert(this.#nodes[number]?.alive !== true, 'a node runs once')
    const { verifyMs, tickMs, heartbeatMs, delays, mixTicks } = this.#options
    const node = new SwarmNode(
      {
        self: this.#key(number),
        random: this.#random.fork(`node ${number} at ${this.nowMs}`),
        verifyMs,
        delays: delays ?? DEFAULT_TREE_DELAYS,
        mixTicks: mixTicks ?? MIX_TICKS,
        store: this.#store,
        ports: {
          after: (delayMs, run) => this.#queue.after(delayMs, run),
          send: (to, message) => this.#send(node, to, message),
          dial: (to) => this.#dial(node, to),
          release: (to) => this.#release(node, to),
          reconcile: (peer) => this.#queue.after(this.#latency(), () => this.#reconcile(node, peer)),
          onEffect: (effect) => this.#note(number, effect),
        },
      },
      () => this.nowMs,
    )
    this.#nodes[number] = node
    node.manage(node.membership.candidates(candidates.map((candidate) => this.#key(candidate))))
    this.#repeat(node, tickMs, () => node.manage(node.membership.tick()))
    if (heartbeatMs === undefined) return
    this.#repeat(node, heartbeatMs, () => {
      for (const peer of node.membership.active()) this.#reconcile(node, peer)
    })
  }
  startAll(): void {
    for (const number of this.#keys.keys()) this.start(number)
  }
  /** Ends nodes without a goodbye. */
  crash(numbers: readonly number[]): void {
    for (const number of numbers) {
      const node = this.#node(number)
      node.alive = false
      for (const link of node.links.values()) this.#cut(link, this.#options.silenceMs)
      node.links.clear()
    }
  }
  /** Nodes of different groups no longer reach each other; those not named form one. None: all reach all. */
  partition(groups: readonly (readonly number[])[]): void {
    this.#group.fill(0)
    for (const [index, group] of groups.entries()) for (const number of group) this.#group[number] = index + 1
    for (const node of this.#living()) {
      for (const link of node.links.values()) {
        if (!this.#reaches(...link.ends)) this.#cut(link, this.#options.silenceMs)
      }
    }
  }
  /** Both ends lose their connection, now. */
  disconnect(a: number, b: number): void {
    const link = this.#node(a).links.get(idKey(this.#key(b)))
    if (link !== undefined) this.#cut(link, 0)
  }
  /** A node writes; answers the id. */
  broadcast(number: number, bytes = 1_000): IntentionId {
    this.#messages += 1
    const id = toIntentionId(numbered(this.#messages, 0x1d))
    this.#node(number).broadcast(id, { bytes, valid: true })
    return id
  }
  /** Something arrives that no machine sent. */
  inject(from: number, to: number, message: SwarmMessage): void {
    const node = this.#node(to)
    if (node.alive) node.receive(this.#key(from), message)
  }
  /** A broadcast that no store accepts, under the id that is used next. */
  forge(from: number, to: number): void {
    const id = toIntentionId(numbered(this.#messages + 1, 0x1d))
    const message = { kind: 'gossip', store: this.#store, id, round: 1, payload: NO_PAYLOAD } as const
    this.inject(from, to, { layer: 'tree', message })
  }

  view(number: number): SwarmView {
    const { membership, tree, links } = this.#node(number)
    const numbersOf = (keys: readonly PublicKey[]): number[] => keys.map((key) => this.#numberOf(key))
    return {
      active: numbersOf(membership.active()),
      passive: numbersOf(membership.passive()),
      eager: numbersOf(tree.eager()),
      lazy: numbersOf(tree.lazy()),
      links: [...links.keys()].map((key) => this.#numbers.get(key) ?? -1),
    }
  }
  living(): readonly number[] {
    return this.#living().map(({ self }) => this.#numberOf(self))
  }
  taken(number: number, id: IntentionId): Taken | undefined {
    return this.#node(number).taken.get(idKey(id))
  }
  /** The number of each message a node took in, sorted. */
  held(number: number): readonly number[] {
    return [...this.#node(number).taken.values()].map(({ id }) => messageNumber(id)).toSorted((a, b) => a - b)
  }
  /** Sizes of the parts of the overlay that are connected by active views, the largest first. */
  components(): readonly number[] {
    const rest = new Set(this.living())
    const sizes: number[] = []
    for (const first of rest) {
      const part = [first]
      rest.delete(first)
      for (const number of part) {
        for (const next of this.view(number).active) if (rest.delete(next)) part.push(next)
      }
      sizes.push(part.length)
    }
    return sizes.toSorted((a, b) => b - a)
  }
  /** Connections made so far. */
  connections(): number {
    return this.#connections
  }
  counts(): TrafficCounts {
    return this.traffic.counts()
  }

  #send(node: SwarmNode, to: PublicKey, message: SwarmMessage): void {
    this.traffic.add(message)
    const link = node.links.get(idKey(to))
    if (link === undefined || this.#isLost()) return
    const direction = this.#numberOf(node.self) * this.#keys.length + this.#numberOf(to)
    const soonestMs = this.#options.reorder === true ? 0 : (this.#arrivals.get(direction) ?? 0)
    const atMs = Math.max(this.nowMs + this.#latency(), soonestMs)
    this.#arrivals.set(direction, atMs)
    this.#queue.after(atMs - this.nowMs, () => {
      const target = this.#livingNode(to)
      if (target?.links.get(idKey(node.self)) === link && this.#reaches(node.self, to)) {
        target.receive(node.self, message)
      }
    })
  }
  #dial(node: SwarmNode, to: PublicKey): void {
    if (node.links.has(idKey(to))) {
      this.#queue.after(0, () => this.#isUp(node, to))
      return
    }
    const target = this.#livingNode(to)
    const answers = target !== undefined && this.#reaches(node.self, to)
    this.#queue.after(answers ? 2 * this.#latency() : this.#options.silenceMs, () => {
      const peer = this.#livingNode(to)
      if (!node.alive) return
      if (peer === undefined || !this.#reaches(node.self, to)) {
        node.manage(node.membership.failed(to))
        return
      }
      if (!node.links.has(idKey(to))) {
        const link: SwarmLink = { ends: [node.self, to] }
        this.#connections += 1
        node.links.set(idKey(to), link)
        peer.links.set(idKey(node.self), link)
        peer.manage(peer.membership.up(node.self))
      }
      this.#isUp(node, to)
    })
  }
  #isUp(node: SwarmNode, peer: PublicKey): void {
    if (!node.alive) return
    if (node.links.has(idKey(peer))) node.manage(node.membership.up(peer))
    else node.manage(node.membership.failed(peer))
  }
  /** The connection ends when neither side needs it once what is on its way has arrived. */
  #release(node: SwarmNode, to: PublicKey): void {
    this.#queue.after(4 * this.#options.latencyMs.max, () => {
      const peer = this.#livingNode(to)
      if (node.needed.has(idKey(to)) || peer?.needed.has(idKey(node.self)) === true) return
      const link = node.links.get(idKey(to))
      if (link !== undefined) this.#cut(link, 0)
    })
  }
  /** Both sides notice, after a while, that their connection is gone. */
  #cut(link: SwarmLink, delayMs: number): void {
    this.#queue.after(delayMs, () => {
      const [a, b] = link.ends
      for (const [side, peer] of [
        [a, b],
        [b, a],
      ] as const) {
        const node = this.#livingNode(side)
        if (node?.links.get(idKey(peer)) !== link) continue
        node.links.delete(idKey(peer))
        node.manage(node.membership.down(peer))
      }
    })
  }
  /** Both sides get what the other has. */
  #reconcile(node: SwarmNode, other: PublicKey): void {
    const peer = this.#livingNode(other)
    if (peer === undefined || !node.alive || !node.links.has(idKey(other)) || !this.#reaches(node.self, other)) return
    const isEqual = peer.taken.size === node.taken.size && [...peer.taken.keys()].every((key) => node.taken.has(key))
    if (isEqual) return
    this.traffic.reconciled()
    for (const { id } of peer.taken.values()) node.obtain(id)
    for (const { id } of node.taken.values()) peer.obtain(id)
  }
  #repeat(node: SwarmNode, everyMs: number, task: () => void): void {
    const turn = (): void => {
      if (!node.alive) return
      task()
      this.#queue.after(everyMs, turn)
    }
    this.#queue.after(this.#random.below(everyMs), turn)
  }
  #latency(): number {
    const { min, max } = this.#options.latencyMs
    return min + this.#random.below(max - min + 1)
  }
  #isLost(): boolean {
    const { loseOneIn } = this.#options
    return loseOneIn !== undefined && this.#random.below(loseOneIn) === 0
  }
  #reaches(a: PublicKey, b: PublicKey): boolean {
    return this.#group[this.#numberOf(a)] === this.#group[this.#numberOf(b)]
  }
  #note(number: number, effect: MembershipEffect | TreeEffect<SwarmPayload>): void {
    const peer = 'peer' in effect ? this.#numberOf(effect.peer) : -1
    const what = effect.kind === 'send' ? effect.message.kind : effect.kind
    const values = [this.nowMs, number, peer, what.length, what.charCodeAt(0), what.charCodeAt(what.length - 1)]
    for (const value of values) this.#trace = Math.imul(this.#trace ^ value, 0x01000193)
  }
  #living(): readonly SwarmNode[] {
    return this.#nodes.filter((node) => node !== undefined).filter(({ alive }) => alive)
  }
  #livingNode(peer: PublicKey): SwarmNode | undefined {
    const node = this.#nodes[this.#numberOf(peer)]
    return node?.alive === true ? node : undefined
  }
  #node(number: number): SwarmNode {
    const node = this.#nodes[number]
    assert(node !== undefined, 'the node was started')
    return node
  }
  #key(number: number): PublicKey {
    const key = this.#keys[number]
    assert(key !== undefined, 'the swarm has so many nodes')
    return key
  }
  #numberOf(key: PublicKey): number {
    const number = this.#numbers.get(idKey(key))
    assert(number !== undefined, 'the key is that of a node')
    return number
  }
}

function numbered(number: number, kind: number): Uint8Array {
  const bytes = new Uint8Array(32).fill(kind)
  new DataView(bytes.buffer).setUint32(0, number)
  return bytes
}

function messageNumber(id: IntentionId): number {
  return new DataView(id.buffer, id.byteOffset).getUint32(0)
}
