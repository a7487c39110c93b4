/**
 * Gossip by HyParView and PlumTree: a few neighbours per circle of peers, and a tree of them that each run goes along.
 *
 * What a store took in is sent on, never what it did not: a run from a peer goes to the store first, and on to others once
 * it was witnessed. What came by a session is passed on as well, as messages where it is little, and else by telling the
 * neighbours at once that there is more than they were sent. Heartbeats heal what went lost.
 *
 * @module
 */
import {
  assert,
  type IdKey,
  idKey,
  type IngestOutcome,
  type IntentionId,
  type PublicKey,
  type StoreId,
} from '@lattice/model'
import type { ReplicatedStore, WitnessedBatch } from '@lattice/net-types'
import { net } from '@lattice/proto'
import type { Frame } from '../frame.ts'
import type { Circle, Gossip, GossipDeps, GossipLink } from '../gossip.ts'
import { ANNOUNCED_RUN_BYTES, MAX_FLOATING_RUNS, PASSED_ON_BYTES, PASSED_ON_RUNS } from '../limits.ts'
import { sameSet } from '../reconcile.ts'
import type { SessionStore } from '../session-call.ts'
import type { SessionMachine } from '../session.ts'
import { createDifferWatch, type DifferWatch } from './differ-watch.ts'
import { createRunFetcher } from './fetch-run.ts'
import { GossipCircle } from './gossip-circle.ts'
import { createGossipLane, type GossipLane } from './gossip-lane.ts'
import { readNote } from './gossip-notes.ts'
import { createGossipReceiver, type NoteOutcome } from './gossip-receiver.ts'
import { type ArrivedRun, type GossipRun, type RunMessage, splitRuns } from './gossip-run.ts'
import { gossipTopic } from './gossip-topic.ts'
import { readHeartbeat } from './heartbeat-frames.ts'
import { createHeartbeats, type Heartbeats } from './heartbeats.ts'
import { gossipPayload, runBytes } from './tree-frames.ts'

/** Starts without connections. */
export function createTreeGossip(deps: GossipDeps): Gossip {
  const gossip = new TreeGossip(deps)
  return {
    publish: (store, batch) => gossip.publish(store, batch),
    link: (link) => gossip.link(link),
    accept: (peer) => gossip.accept(peer),
    take: (link, store, arrived) => gossip.take(link, store, arrived),
    hold: (peer, storeId) => gossip.hold(peer, storeId),
    release: (peer, storeId) => gossip.release(peer, storeId),
    registered: (storeId) => gossip.registered(storeId),
    unregistered: (storeId) => gossip.unregistered(storeId),
    circles: (circles) => gossip.setCircles(circles),
    dialFailed: (peer) => gossip.eachCircleOf(peer, (circle) => circle.failed(peer)),
    needs: (peer) => gossip.needs(peer),
    rejoin: () => gossip.rejoin(),
    close: () => gossip.close(),
  }
}

class TreeGossip {
  readonly #deps: GossipDeps
  readonly #lanes = new Map<IdKey, GossipLane>()
  readonly #circles = new Map<IdKey, GossipCircle>()
  /** Of each store that is shared in one. */
  readonly #circleOf = new Map<IdKey, GossipCircle>()
  readonly #heartbeats: Heartbeats
  readonly #watch: DifferWatch
  /** Messages that are being taken in. */
  readonly #taking = new Set<IdKey>()
  /** Messages that were taken in and float, with who sent each; the oldest is forgotten first. */
  readonly #floating = new Map<IdKey, PublicKey>()
  /** Sessions under way, by store. */
  readonly #sessions = new Map<IdKey, number>()
  readonly #registered = new Map<IdKey, StoreId>()
  /** False until it is said who shares what. */
  #isTold = false
  #isClosed = false

  constructor(deps: GossipDeps) {
    const { scheduler, nowMs, limits, stores, requestSync, peerDigest } = deps
    this.#deps = deps
    this.#heartbeats = createHeartbeats({
      scheduler,
      limits,
      digest: (peer, storeId) => stores.resolve(peer, storeId)?.digest(),
      shared: (peer) => stores.sharedWith(peer).map(({ id }) => id),
      send: (peer, frame) => this.#lanes.get(idKey(peer))?.note({ frame }),
    })
    this.#watch = createDifferWatch({
      scheduler,
      nowMs,
      limits,
      ours: (peer, storeId) => stores.resolve(peer, storeId)?.digest(),
      theirs: peerDigest,
      onDiffers: (peer, storeId) => requestSync(peer, storeId, 'differs'),
    })
  }

  publish(store: ReplicatedStore, batch: WitnessedBatch): void {
    if (batch.intentions.length === 0) return
    const { source } = batch
    this.#watch.changed(store.id)
    this.#heartbeats.changed(store.id)
    if (this.#lanes.size === 0) return
    this.#findPeers(store.id)
    const isBulk = source !== undefined && runBytes(batch.intentions) > PASSED_ON_BYTES
    const { runs, unclosed } = isBulk ? { runs: [], unclosed: 1 } : splitRuns(batch.intentions)
    const isMany = source !== undefined && runs.length > PASSED_ON_RUNS
    for (const run of isMany ? [] : runs) this.#publishRun(store.id, run, source)
    const isTooLarge = runs.some(({ intentions }) => runBytes(intentions) > ANNOUNCED_RUN_BYTES)
    if (unclosed > 0 || isMany || isTooLarge) this.#heartbeats.changed(store.id, { source })
  }

  async link(link: GossipLink): Promise<void> {
    const { peer } = link
    const key = idKey(peer)
    const lane = this.#createLane(link)
    this.#lanes.set(key, lane)
    this.#heartbeats.begin(peer, false)
    this.eachCircleOf(peer, (circle) => circle.up(peer))
    this.#findAllPeers()
    try {
      await lane.serve()
    } finally {
      if (this.#lanes.get(key) === lane) this.#forget(peer)
    }
  }

  accept(peer: PublicKey): SessionMachine<void> {
    const { crypto, stores } = this.#deps
    return createGossipReceiver({
      crypto,
      resolve: (storeId) => stores.resolve(peer, storeId),
      isNew: ({ message }) => this.#isNew(peer, message),
      onTold: (store) => this.#heartbeats.told(peer, store.id, store.digest()),
      note: (frame) => this.#note(peer, frame),
    })
  }

  async take(link: GossipLink, store: SessionStore, arrived: ArrivedRun): Promise<readonly IngestOutcome[]> {
    const { payload, id } = arrived.message
    const { peer } = link
    const circle = this.#circleOf.get(idKey(store.id))
    // A push shows that the peer has the store.
    this.#lanes.get(idKey(peer))?.shares(store.id)
    this.#taking.add(idKey(id))
    let isHere = false
    try {
      const intentions = payload.kind === 'run' ? payload.intentions : await this.#fetch(link, arrived.message)
      const outcomes = intentions.length === 0 ? [] : await link.ingest(store, intentions)
      isHere = store.missing([id]).length === 0
      const isShort = intentions.length === 0 || outcomes.some(isGap)
      if (isShort) this.#deps.requestSync(peer, store.id, 'gap')
      if (outcomes.some(({ kind }) => kind === 'floating')) this.#noteFloating(id, peer)
      this.#noteClaim(peer, store.id, arrived)
      return outcomes
    } finally {
      this.#taking.delete(idKey(id))
      if (isHere) circle?.accepted(id)
      else circle?.rejected(id)
    }
  }

  hold(peer: PublicKey, storeId: StoreId): void {
    const key = idKey(storeId)
    this.#sessions.set(key, (this.#sessions.get(key) ?? 0) + 1)
    this.#lanes.get(idKey(peer))?.hold(storeId)
  }
  release(peer: PublicKey, storeId: StoreId): void {
    const key = idKey(storeId)
    const left = (this.#sessions.get(key) ?? 1) - 1
    if (left > 0) this.#sessions.set(key, left)
    else this.#sessions.delete(key)
    this.#lanes.get(idKey(peer))?.release(storeId)
  }

  registered(storeId: StoreId): void {
    this.#registered.set(idKey(storeId), storeId)
    this.#findPeers(storeId)
    this.#heartbeats.changed(storeId)
  }
  unregistered(storeId: StoreId): void {
    this.#registered.delete(idKey(storeId))
    this.#heartbeats.forgetStore(storeId)
    this.#watch.forgetStore(storeId)
    const circle = this.#circleOf.get(idKey(storeId))
    this.#circleOf.delete(idKey(storeId))
    if (circle !== undefined && ![...this.#circleOf.values()].includes(circle)) this.#end(circle)
  }

  setCircles(circles: readonly Circle[]): void {
    if (this.#isClosed) return
    this.#isTold = true
    this.#circleOf.clear()
    const kept = new Set<GossipCircle>()
    for (const { owner, peers, stores } of circles) {
      const circle = this.#open(owner, true)
      kept.add(circle)
      for (const storeId of stores) this.#circleOf.set(idKey(storeId), circle)
      circle.setPeers(peers)
    }
    for (const circle of this.#circles.values()) if (!kept.has(circle)) this.#end(circle)
  }
  eachCircleOf(peer: PublicKey, act: (circle: GossipCircle) => void): void {
    for (const circle of this.#circles.values()) if (circle.has(peer)) act(circle)
  }
  needs(peer: PublicKey): boolean {
    return [...this.#circles.values()].some((circle) => circle.needs(peer))
  }
  rejoin(): void {
    for (const circle of this.#circles.values()) circle.rejoin()
  }
  close(): void {
    this.#isClosed = true
    for (const circle of this.#circles.values()) this.#end(circle)
    this.#heartbeats.close()
    this.#watch.close()
  }

  #publishRun(storeId: StoreId, { id, author, intentions }: GossipRun, source: PublicKey | undefined): void {
    const key = idKey(id)
    const circle = this.#circleOf.get(idKey(storeId))
    if (this.#taking.has(key)) {
      circle?.accepted(id)
      return
    }
    const holder = this.#floating.get(key) ?? source
    this.#floating.delete(key)
    if (runBytes(intentions) > ANNOUNCED_RUN_BYTES) return
    circle?.broadcast({ store: storeId, id, payload: gossipPayload(author, intentions) }, holder)
  }
  #isNew(peer: PublicKey, message: RunMessage): boolean {
    const { store, id } = message
    const circle = this.#circleOf.get(idKey(store))
    return circle === undefined
      ? this.#deps.stores.get(store)?.missing([id]).length === 1
      : circle.arrive(peer, message)
  }
  async #fetch(link: GossipLink, { store, id, payload }: RunMessage): Promise<GossipRun['intentions']> {
    assert(payload.kind === 'announced', 'what is inline is not fetched')
    const machine = createRunFetcher({ crypto: this.#deps.crypto, storeId: store, id, announced: payload })
    try {
      return await link.run({ protocol: net.Protocol.FETCH, machine })
    } catch {
      // Reported and scored where it was run; what is lacking is reconciled.
      return []
    }
  }
  #noteFloating(id: IntentionId, peer: PublicKey): void {
    this.#floating.set(idKey(id), peer)
    const [oldest] = this.#floating.keys()
    if (this.#floating.size > MAX_FLOATING_RUNS && oldest !== undefined) this.#floating.delete(oldest)
  }
  #noteClaim(peer: PublicKey, storeId: StoreId, { claim }: ArrivedRun): void {
    if (claim === undefined) return
    this.#deps.onDigest(peer, storeId, claim)
    this.#watch.claimed(peer, storeId)
  }

  #note(peer: PublicKey, frame: Frame): NoteOutcome | undefined {
    if (frame.case === 'heartbeat') return this.#heartbeat(peer, frame.value)
    const read = readNote(frame)
    if (read === undefined || 'violation' in read) return read
    const circle = this.#circles.get(idKey(read.topic))
    if (circle?.has(peer) !== true) return 'stranger'
    if (read.kind === 'membership') {
      for (const hint of read.hints) if (circle.has(hint.peer)) this.#deps.connector.heard(hint)
    } else if (read.message.kind === 'ihave') {
      const { store } = read.message
      if (this.#deps.stores.resolve(peer, store) === undefined) return 'stranger'
      this.#lanes.get(idKey(peer))?.shares(store)
    }
    circle.receive(peer, read)
    return 'noted'
  }
  #heartbeat(peer: PublicKey, frame: net.Heartbeat): NoteOutcome {
    const { stores, onDigest, requestSync } = this.#deps
    const read = readHeartbeat(frame)
    if (!read.ok) return { violation: read.error }
    for (const { store: storeId, digest, bulk } of read.value) {
      const store = stores.resolve(peer, storeId)
      // What is not here is no news; the sender cannot tell it from what is.
      if (store === undefined) continue
      this.#lanes.get(idKey(peer))?.shares(storeId)
      onDigest(peer, storeId, digest)
      const isUrgent = bulk && !this.#sessions.has(idKey(storeId)) && !sameSet(digest, store.digest())
      if (isUrgent) requestSync(peer, storeId, 'gap')
      else this.#watch.claimed(peer, storeId)
    }
    return 'noted'
  }

  /** Of stores that nobody said who shares: whoever is connected and may. */
  #findAllPeers(): void {
    for (const storeId of this.#registered.values()) this.#findPeers(storeId)
  }
  #findPeers(storeId: StoreId): void {
    if (this.#isTold || this.#isClosed) return
    const { stores } = this.#deps
    const connected = [...this.#lanes.values()].map(({ peer }) => peer)
    const peers = connected.filter((peer) => stores.get(storeId)?.access(peer) === 'full')
    const circle = this.#open(storeId, false)
    this.#circleOf.set(idKey(storeId), circle)
    const isSame = circle.peers().length === peers.length && peers.every((peer) => circle.has(peer))
    if (!isSame) circle.setPeers(peers)
  }
  #open(owner: StoreId, keepsConnected: boolean): GossipCircle {
    const topic = gossipTopic(this.#deps.crypto, owner, this.#deps.stores.get(owner)?.digest().epochHeads ?? [])
    const key = idKey(topic)
    const known = this.#circles.get(key)
    if (known !== undefined) return known
    const circle = new GossipCircle({
      ...this.#deps,
      topic,
      keepsConnected,
      lane: (peer) => this.#lanes.get(idKey(peer)),
      onTold: (peer, store) => this.#heartbeats.told(peer, store.id, store.digest()),
    })
    this.#circles.set(key, circle)
    return circle
  }
  #end(circle: GossipCircle): void {
    circle.close()
    this.#circles.delete(idKey(circle.topic))
  }

  #createLane(link: GossipLink): GossipLane {
    const { scheduler, nowMs, random, limits, onDigest, onUnshared, requestSync } = this.#deps
    const { peer } = link
    return createGossipLane(link, {
      scheduler,
      nowMs,
      random,
      limits,
      onUnshared: (storeId) => onUnshared(peer, storeId),
      onDigest: (storeId, digest) => {
        onDigest(peer, storeId, digest)
        this.#watch.claimed(peer, storeId)
      },
      onStranger: (topic) => {
        const circle = this.#circles.get(idKey(topic))
        circle?.down(peer)
      },
      onLost: (storeId) => requestSync(peer, storeId, 'overflow'),
      onBegin: () => {
        this.#heartbeats.begin(peer, true)
        this.eachCircleOf(peer, (circle) => circle.resume(peer))
      },
    })
  }
  #forget(peer: PublicKey): void {
    this.#lanes.delete(idKey(peer))
    this.#heartbeats.end(peer)
    this.#watch.forgetPeer(peer)
    this.eachCircleOf(peer, (circle) => circle.down(peer))
    this.#findAllPeers()
  }
}

/** True when causes are lacking that nobody here has. */
function isGap(outcome: IngestOutcome): boolean {
  return outcome.kind === 'floating' && outcome.reason === 'missing_causes' && outcome.missing.length > 0
}
