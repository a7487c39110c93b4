/**
 * One topic at work: its membership and its tree, driven by connections, timers and what stores take in.
 *
 * The machines are pure; this shell carries their effects out, in order, and one event at a time: what an effect leads to
 * waits until those before it are done.
 *
 * @module
 */
import {
  type Cancel,
  equalBytes,
  type IdKey,
  idKey,
  type IntentionId,
  type PublicKey,
  type StoreId,
  toHex,
} from '@lattice/model'
import type { ReplicatedStore } from '@lattice/net-types'
import { backoffMs } from '../backoff.ts'
import { claimTo } from '../claimed-digest.ts'
import type { GossipDeps } from '../gossip.ts'
import type { MessageRef, TreeEffect, TreeMessage, TreeTimer } from './broadcast-tree.ts'
import type { GossipLane } from './gossip-lane.ts'
import { membershipNote, type ReadNote } from './gossip-notes.ts'
import type { RunMessage } from './gossip-run.ts'
import type { Topic } from './gossip-topic.ts'
import { type GossipPayload, payloadBytes, treeFrame } from './tree-frames.ts'
import { createHyParView } from './hyparview.ts'
import type { Membership, MembershipEffect } from './membership.ts'
import { createPlumTree } from './plumtree.ts'

type Effect = MembershipEffect | TreeEffect<GossipPayload>

export interface GossipCircleDeps extends Pick<
  GossipDeps,
  'self' | 'random' | 'scheduler' | 'limits' | 'stores' | 'requestSync' | 'peerDigest' | 'connector'
> {
  readonly topic: Topic
  /** Whether it has peers dialled; else its peers are those that are connected anyway. */
  readonly keepsConnected: boolean
  readonly lane: (peer: PublicKey) => GossipLane | undefined
  /** The digest of the store was told to the peer. */
  readonly onTold: (peer: PublicKey, store: ReplicatedStore) => void
}

/** The share of a tick by which ticks of different nodes drift apart. */
const TICK_JITTER = 0.2

/** One node's part in one topic. */
export class GossipCircle {
  readonly topic: Topic
  readonly #key: IdKey
  readonly #deps: GossipCircleDeps
  readonly #membership: Membership
  readonly #tree: ReturnType<typeof createPlumTree<GossipPayload>>
  readonly #timers = new Map<string, Cancel>()
  readonly #wanted = new Map<IdKey, PublicKey>()
  #isClosed = false
  #isListening = false
  #cancelTick: Cancel | undefined
  #peers = new Map<IdKey, PublicKey>()
  // Effects that wait, while one is carried out.
  #waiting: Effect[] | undefined

  constructor(deps: GossipCircleDeps) {
    const { topic, self, random, stores, limits } = deps
    this.topic = topic
    this.#key = idKey(topic)
    this.#deps = deps
    this.#tree = createPlumTree({
      sizeOf: payloadBytes,
      isHeld: ({ store, id }) => stores.get(store)?.missing([id]).length === 0,
    })
    // Neighbours that get ids only make room first.
    const isSpare = (peer: PublicKey): boolean => this.#tree.lazy().some((lazy) => equalBytes(lazy, peer))
    this.#membership = createHyParView({ self, random, isSpare, activeView: limits.activeView })
  }

  /** Who belongs to it. */
  setPeers(peers: readonly PublicKey[]): void {
    const { connector, self } = this.#deps
    this.#peers = new Map(peers.flatMap((peer) => (equalBytes(peer, self) ? [] : [[idKey(peer), peer]])))
    for (const [key, peer] of this.#wanted) if (!this.#peers.has(key)) this.#settleDial(peer)
    if (this.#isSmall()) {
      for (const [key, peer] of this.#peers) {
        if (this.#wanted.has(key)) continue
        this.#wanted.set(key, peer)
        connector.want(peer, this.#key)
      }
    }
    this.#run(this.#membership.candidates(peers))
  }
  peers(): readonly PublicKey[] {
    return [...this.#peers.values()]
  }
  has(peer: PublicKey): boolean {
    return this.#peers.has(idKey(peer))
  }
  /** True while the peer is a neighbour, or a dial for its sake is under way. */
  needs(peer: PublicKey): boolean {
    return this.#wanted.has(idKey(peer)) || this.neighbors().some((neighbor) => idKey(neighbor) === idKey(peer))
  }
  neighbors(): readonly PublicKey[] {
    return this.#membership.active()
  }

  up(peer: PublicKey): void {
    this.#settleDial(peer)
    if (this.has(peer)) this.#run(this.#membership.up(peer))
  }
  down(peer: PublicKey): void {
    this.#settleDial(peer)
    this.#run(this.#membership.down(peer))
  }
  /** The peer was not reached, or takes no part. */
  failed(peer: PublicKey): void {
    this.#settleDial(peer)
    this.#run(this.#membership.failed(peer))
  }
  rejoin(): void {
    this.#run(this.#membership.rejoin())
  }
  /** The stream to the neighbour begins anew: it may have missed any message of late. */
  resume(peer: PublicKey): void {
    this.#run([...this.#tree.neighborDown(peer)])
    if (this.neighbors().some((neighbor) => idKey(neighbor) === idKey(peer))) this.#run(this.#tree.neighborUp(peer))
    this.up(peer)
  }
  receive(peer: PublicKey, note: ReadNote): void {
    this.#run(
      note.kind === 'membership'
        ? this.#membership.receive(peer, note.message)
        : this.#tree.receive(peer, note.message),
    )
  }

  /** Sends a run that the store here holds to the neighbours; not to the peer it came from. */
  broadcast(message: MessageRef & { readonly payload: GossipPayload }, holder: PublicKey | undefined): void {
    this.#run(this.#tree.broadcast({ ...message, ...(holder === undefined ? {} : { holder }) }))
  }
  /** Whether an arrived run is to be taken in. The answer is owed by `accepted` or `rejected`. */
  arrive(peer: PublicKey, message: RunMessage): boolean {
    const effects = this.#tree.receive(peer, message)
    this.#run(effects)
    return effects.some(({ kind }) => kind === 'deliver')
  }
  accepted(id: IntentionId): void {
    this.#run(this.#tree.accepted(id))
  }
  rejected(id: IntentionId): void {
    this.#run(this.#tree.rejected(id))
  }

  /**
   * Another topic takes its place: from now on it only listens. It looks for no neighbours, and those that it has may still
   * send what they have not sent on the other one.
   */
  listen(): void {
    this.#isListening = true
    this.#cancelTick?.()
    this.#cancelTick = undefined
    for (const peer of this.#wanted.values()) this.#deps.connector.unwant(peer, this.#key)
    this.#wanted.clear()
  }

  /** Says goodbye. */
  close(): void {
    this.#run(this.#membership.leave())
    for (const peer of this.#wanted.values()) this.#deps.connector.unwant(peer, this.#key)
    this.#wanted.clear()
    this.#isClosed = true
    this.#cancelTick?.()
    for (const cancel of this.#timers.values()) cancel()
    this.#timers.clear()
  }

  /** Everybody is a neighbour, or there is nobody: nothing has to be looked after. */
  #isComplete(): boolean {
    return this.#peers.size === 0 || (this.#isSmall() && this.neighbors().length === this.#peers.size)
  }
  /** Ticks while there is something to look after: of thousands of circles most have nothing. */
  #ensureTick(): void {
    if (this.#cancelTick !== undefined || this.#isClosed || this.#isListening || this.#isComplete()) return
    const { scheduler, random, limits } = this.#deps
    const { membershipTickMs: fullMs } = limits
    // Between 1 - jitter and 1 of the full time.
    const jitterMs = fullMs * TICK_JITTER
    const delayMs = fullMs - 2 * jitterMs + backoffMs(0, { firstMs: 2 * jitterMs, maxMs: fullMs, random })
    this.#cancelTick = scheduler.after(delayMs, () => {
      this.#cancelTick = undefined
      this.#run(this.#membership.tick())
    })
  }
  /** Carries effects out, and those they lead to. */
  #run(effects: readonly Effect[]): void {
    if (this.#isClosed) return
    if (this.#waiting !== undefined) {
      this.#waiting.push(...effects)
      return
    }
    const waiting = [...effects]
    this.#waiting = waiting
    for (let effect = waiting.shift(); effect !== undefined; effect = waiting.shift()) this.#carry(effect)
    this.#waiting = undefined
    this.#ensureTick()
  }
  #carry(effect: Effect): void {
    switch (effect.kind) {
      case 'connect':
        this.#connect(effect.peer)
        break
      case 'release':
        this.#settleDial(effect.peer)
        break
      case 'neighbor_up':
        this.#run(this.#tree.neighborUp(effect.peer))
        break
      case 'neighbor_down':
        this.#run(this.#tree.neighborDown(effect.peer))
        break
      case 'send':
        this.#send(effect)
        break
      case 'stranger':
        this.#run(this.#membership.stranger(effect.peer))
        break
      case 'deliver':
        // Taken in by whoever asked `arrive`.
        break
      case 'arm':
        this.#arm(effect.timer, effect.delayMs)
        break
      case 'cancel':
        this.#cancel(effect.timer)
        break
      case 'unserved':
        // What is not here either was asked for in vain.
        if (this.#deps.stores.get(effect.store)?.missing([effect.id]).length === 0) {
          this.#deps.requestSync(effect.peer, effect.store, 'overflow')
        }
        break
      case 'gave_up':
        this.#giveUp(effect)
        break
    }
  }
  #connect(peer: PublicKey): void {
    if (this.#deps.lane(peer) !== undefined) this.#run(this.#membership.up(peer))
    else if (!this.#isListening) {
      this.#wanted.set(idKey(peer), peer)
      this.#deps.connector.want(peer, this.#key)
    }
  }
  /** Everybody fits the active view: then all are kept connected. */
  #isSmall(): boolean {
    return this.#deps.keepsConnected && !this.#isListening && this.#peers.size <= this.#deps.limits.activeView
  }
  #settleDial(peer: PublicKey): void {
    if (this.#isSmall() && this.has(peer)) return
    if (this.#wanted.delete(idKey(peer))) this.#deps.connector.unwant(peer, this.#key)
  }
  #send({ peer, message }: Extract<Effect, { kind: 'send' }>): void {
    const lane = this.#deps.lane(peer)
    if (lane === undefined) return
    const { topic } = this
    switch (message.kind) {
      case 'gossip':
        this.#push(lane, message)
        break
      case 'ihave':
      case 'graft':
      case 'prune':
        this.#tell(lane, message)
        break
      default:
        lane.note({ topic, frame: membershipNote(topic, message, this.#deps.connector.addresses) })
    }
  }
  #tell(lane: GossipLane, message: Exclude<TreeMessage<GossipPayload>, RunMessage>): void {
    const { topic } = this
    const storeId = message.kind === 'ihave' ? message.store : undefined
    if (storeId !== undefined && !(lane.mayTake(storeId) && this.#mayHave(lane.peer, storeId))) return
    lane.note({ topic, frame: treeFrame({ topic, message }), ...(storeId === undefined ? {} : { storeId }) })
  }
  #push(lane: GossipLane, message: RunMessage): void {
    const store = this.#deps.stores.get(message.store)
    if (store === undefined || !this.#mayHave(lane.peer, message.store)) return
    const digest = claimTo(store, this.#deps.peerDigest(lane.peer, store.id)?.base)
    lane.offer({ topic: this.topic, message, digest })
    this.#deps.onTold(lane.peer, store)
  }
  #mayHave(peer: PublicKey, storeId: StoreId): boolean {
    return this.#deps.stores.get(storeId)?.access(peer) === 'full'
  }
  #giveUp({ store, announcers }: Extract<Effect, { kind: 'gave_up' }>): void {
    const peer = announcers.find((announcer) => this.#deps.lane(announcer) !== undefined)
    if (peer !== undefined) this.#deps.requestSync(peer, store, 'gap')
  }
  #arm(timer: TreeTimer, delayMs: number): void {
    const key = timerKey(timer)
    this.#timers.get(key)?.()
    const cancel = this.#deps.scheduler.after(delayMs, () => {
      this.#timers.delete(key)
      this.#run(this.#tree.timeout(timer))
    })
    this.#timers.set(key, cancel)
  }
  #cancel(timer: TreeTimer): void {
    const key = timerKey(timer)
    this.#timers.get(key)?.()
    this.#timers.delete(key)
  }
}

function timerKey(timer: TreeTimer): string {
  return timer.kind === 'announce' ? timer.kind : toHex(timer.id)
}
