/**
 * Gossip by HyParView and PlumTree: a few neighbours per circle of peers, and a tree of them that each run goes along.
 *
 * What a store took in is sent on, never what it did not: a run from a peer goes to the store first, and on to others once
 * it was witnessed. What came by a session is passed on as well, as messages where it is little, and else by telling the
 * neighbours at once that there is more than they were sent. Heartbeats heal what went lost.
 *
 * @module
 */
import { assert, equalBytes, type IdKey, idKey, type IngestOutcome, type PublicKey, type StoreId } from '@lattice/model'
import type { ReplicatedStore, WitnessedBatch } from '@lattice/net-types'
import { net } from '@lattice/proto'
import { type ClaimedDigest, type ComparedStore, comparedWith, claimTo } from '../claimed-digest.ts'
import type { Frame } from '../frame.ts'
import type { Circle, Gossip, GossipDeps, GossipLink } from '../gossip.ts'
import { lacksCauses } from '../ingest-verdict.ts'
import { keepLatest } from '../keep-latest.ts'
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
import { gossipTopic, type Topic } from './gossip-topic.ts'
import { readHeartbeat } from './heartbeat-frames.ts'
import { createHeartbeats, type Heartbeats } from './heartbeats.ts'
import { createTopicBook, type TopicBook } from './topic-book.ts'
import { gossipPayload, runBytes } from './tree-frames.ts'

/** Starts without connections. */
export function createTreeGossip(deps: GossipDeps): Gossip {
  const gossip = new TreeGossip(deps)
  return {
    publish: (store, batch) => gossip.publish(store, batch),
    rebased: (storeId) => gossip.rebased(storeId),
    link: (link) => gossip.link(link),
    accept: (peer) => gossip.accept(peer),
    take: (link, store, arrived) => gossip.take(link, store, arrived),
    hold: (peer, storeId) => gossip.hold(peer, storeId),
    release: (peer, storeId) => gossip.release(peer, storeId),
    tell: (peer, storeIds) => gossip.tell(peer, storeIds),
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
  readonly #topics: TopicBook
  /** Whose peers share a store, of each store that is shared in a circle. */
  readonly #ownerOf = new Map<IdKey, StoreId>()
  readonly #heartbeats: Heartbeats
  readonly #watch: DifferWatch
  /** Messages that are being taken in, with the circle that waits for what becomes of each. */
  readonly #taking = new Map<IdKey, GossipCircle | undefined>()
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
      digest: (peer, storeId) => this.#claimTo(peer, stores.resolve(peer, storeId)),
      shared: (peer) => stores.sharedWith(peer).map(({ id }) => id),
      send: (peer, frame) => this.#lanes.get(idKey(peer))?.note({ frame }),
    })
    this.#topics = createTopicBook({
      topicOf: (owner) => gossipTopic(deps.crypto, owner, stores.get(owner)?.digest().epochHeads ?? []),
      isSettled: (owner) => stores.get(owner)?.isEpochSettled() !== false,
      open: (topic, keepsConnected) => this.#open(topic, keepsConnected),
    })
    this.#watch = createDifferWatch({
      scheduler,
      nowMs,
      limits,
      ours: (peer, storeId) => this.#compared(stores.resolve(peer, storeId), peerDigest(peer, storeId)),
      theirs: peerDigest,
      onDiffers: (peer, storeId) => requestSync(peer, storeId, 'differs'),
    })
  }

  rebased(storeId: StoreId): void {
    this.#watch.changed(storeId)
    this.#heartbeats.changed(storeId)
  }

  publish(store: ReplicatedStore, batch: WitnessedBatch): void {
    if (batch.intentions.length === 0) return
    this.#watch.changed(store.id)
    this.#heartbeats.changed(store.id)
    if (this.#lanes.size > 0) {
      this.#findPeers(store.id)
      this.#handOn(store, batch)
    }
    // After that: an epoch among it is told by the topic that those know who do not have it yet.
    this.#followEpochs(store)
  }

  #handOn(store: ReplicatedStore, batch: WitnessedBatch): void {
    const { source } = batch
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
      refusal: (storeId) => stores.refusal(peer, storeId),
      isNew: (arrived) => this.#isNew(peer, arrived),
      onTold: (store) => this.#told(peer, store),
      note: (frame) => this.#note(peer, frame),
    })
  }

  async take(link: GossipLink, store: SessionStore, arrived: ArrivedRun): Promise<readonly IngestOutcome[]> {
    const { payload, id } = arrived.message
    const { peer } = link
    const circle = this.#circleOfRun(peer, arrived)
    // A push shows that the peer has the store.
    this.#lanes.get(idKey(peer))?.shares(store.id)
    this.#taking.set(idKey(id), circle)
    let isHere = false
    try {
      const intentions = payload.kind === 'run' ? payload.intentions : await this.#fetch(link, arrived.message)
      const outcomes = intentions.length === 0 ? [] : await link.ingest(store, intentions)
      isHere = store.missing([id]).length === 0
      const isShort = intentions.length === 0 || outcomes.some(lacksCauses)
      if (isShort) this.#deps.requestSync(peer, store.id, 'gap')
      if (outcomes.some(({ kind }) => kind === 'floating')) {
        keepLatest(this.#floating, { key: idKey(id), value: peer, limit: MAX_FLOATING_RUNS })
      }
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

  tell(peer: PublicKey, storeIds: readonly StoreId[]): void {
    this.#heartbeats.tell(peer, storeIds)
  }
  registered(storeId: StoreId): void {
    this.#registered.set(idKey(storeId), storeId)
    this.#findPeers(storeId)
    const store = this.#deps.stores.get(storeId)
    if (store !== undefined) this.#followEpochs(store)
    this.#heartbeats.changed(storeId)
  }
  unregistered(storeId: StoreId): void {
    this.#registered.delete(idKey(storeId))
    this.#heartbeats.forgetStore(storeId)
    this.#watch.forgetStore(storeId)
    const owner = this.#ownerOf.get(idKey(storeId))
    this.#ownerOf.delete(idKey(storeId))
    if (owner !== undefined && ![...this.#ownerOf.values()].some((other) => equalBytes(other, owner))) {
      this.#topics.end(owner)
    }
  }

  setCircles(circles: readonly Circle[]): void {
    if (this.#isClosed) return
    this.#isTold = true
    this.#ownerOf.clear()
    for (const { owner, peers, stores } of circles) {
      const circle = this.#topics.open(owner, true)
      for (const storeId of stores) this.#ownerOf.set(idKey(storeId), owner)
      circle.setPeers(peers)
      for (const past of this.#topics.past(owner)) past.setPeers(peers)
    }
    this.#topics.keepOnly(new Set(circles.map(({ owner }) => idKey(owner))))
  }
  eachCircleOf(peer: PublicKey, act: (circle: GossipCircle) => void): void {
    for (const circle of this.#topics.all()) if (circle.has(peer)) act(circle)
  }
  needs(peer: PublicKey): boolean {
    return this.#topics.all().some((circle) => circle.needs(peer))
  }
  rejoin(): void {
    for (const circle of this.#topics.all()) circle.rejoin()
  }
  close(): void {
    this.#isClosed = true
    this.#topics.keepOnly(new Set())
    this.#heartbeats.close()
    this.#watch.close()
  }

  /** What the peer is told of a store: over the base of which it spoke last, where that is here. */
  #claimTo(peer: PublicKey, store: (ComparedStore & Pick<SessionStore, 'id'>) | undefined): ClaimedDigest | undefined {
    return store && claimTo(store, this.#deps.peerDigest(peer, store.id)?.base)
  }
  #told(peer: PublicKey, store: ComparedStore & Pick<SessionStore, 'id'>): void {
    const claim = this.#claimTo(peer, store)
    if (claim !== undefined) this.#heartbeats.told(peer, store.id, claim)
  }
  /** What is here, as it compares with a claim. One over another base says no more than that a session has to be held. */
  #compared(store: ComparedStore | undefined, claim: ClaimedDigest | undefined): ClaimedDigest | undefined {
    return store && ((claim && comparedWith(store, claim)) ?? store.digest())
  }

  #publishRun(storeId: StoreId, { id, author, intentions }: GossipRun, source: PublicKey | undefined): void {
    const key = idKey(id)
    const circle = this.#circleOf(storeId)
    const waiting = this.#taking.get(key)
    waiting?.accepted(id)
    // What comes by an earlier topic goes on by the present one, too.
    if (this.#taking.has(key) && waiting === circle) return
    const holder = this.#floating.get(key) ?? source
    this.#floating.delete(key)
    if (runBytes(intentions) > ANNOUNCED_RUN_BYTES) return
    circle?.broadcast({ store: storeId, id, payload: gossipPayload(author, intentions) }, holder)
  }
  #circleOf(storeId: StoreId): GossipCircle | undefined {
    const owner = this.#ownerOf.get(idKey(storeId))
    return owner === undefined ? undefined : this.#topics.present(owner)
  }
  /** That by whose topic it came, where it is one of the store's; else the present one. */
  #circleOfRun(peer: PublicKey, { topic, message: { store } }: ArrivedRun): GossipCircle | undefined {
    const owner = this.#ownerOf.get(idKey(store))
    const past = owner === undefined ? [] : this.#topics.past(owner)
    return past.find((circle) => equalBytes(circle.topic, topic) && circle.has(peer)) ?? this.#circleOf(store)
  }
  #isNew(peer: PublicKey, arrived: ArrivedRun): boolean {
    const { message } = arrived
    const { store, id } = message
    const circle = this.#circleOfRun(peer, arrived)
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
  #noteClaim(peer: PublicKey, storeId: StoreId, { claim }: ArrivedRun): void {
    if (claim === undefined) return
    this.#deps.onDigest(peer, storeId, claim)
    this.#watch.claimed(peer, storeId)
  }

  #note(peer: PublicKey, frame: Frame): NoteOutcome | undefined {
    if (frame.case === 'heartbeat') return this.#heartbeat(peer, frame.value)
    const read = readNote(frame)
    if (read === undefined || 'violation' in read) return read
    const circle = this.#topics.find(read.topic)
    if (circle?.has(peer) !== true) return 'stranger'
    if (read.kind === 'membership') {
      for (const hint of read.hints) if (circle.has(hint.peer)) this.#deps.connector.heard(hint)
    } else if (read.message.kind === 'ihave') {
      const { store } = read.message
      if (this.#deps.stores.resolve(peer, store) === undefined) return 'unshared'
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
      const ours = this.#compared(store, digest)
      const isUrgent = bulk && !this.#sessions.has(idKey(storeId)) && ours !== undefined && !sameSet(digest, ours)
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
    const circle = this.#topics.open(storeId, false)
    this.#ownerOf.set(idKey(storeId), storeId)
    const isSame = circle.peers().length === peers.length && peers.every((peer) => circle.has(peer))
    if (!isSame) circle.setPeers(peers)
  }
  /** Goes over to the topic of the epochs that are here. Whoever was removed is out at once, whoever says so later. */
  #followEpochs(store: ReplicatedStore): void {
    const change = this.#topics.review(store.id)
    if (change === undefined) return
    const peers = change.before.peers().filter((peer) => store.access(peer) === 'full')
    for (const circle of [change.after, ...this.#topics.past(store.id)]) circle.setPeers(peers)
  }
  #open(topic: Topic, keepsConnected: boolean): GossipCircle {
    return new GossipCircle({
      ...this.#deps,
      topic,
      keepsConnected,
      lane: (peer) => this.#lanes.get(idKey(peer)),
      onTold: (peer, store) => this.#told(peer, store),
    })
  }

  #createLane(link: GossipLink): GossipLane {
    const { scheduler, nowMs, random, limits, onDigest, onUnshared, onRevoked, onStranger, requestSync } = this.#deps
    const { peer } = link
    return createGossipLane(link, {
      scheduler,
      nowMs,
      random,
      limits,
      onUnshared: (storeId) => onUnshared(peer, storeId),
      onRevoked: (storeId) => onRevoked(peer, storeId),
      onDigest: (storeId, digest) => {
        onDigest(peer, storeId, digest)
        this.#watch.claimed(peer, storeId)
      },
      onStranger: (topic) => {
        const circle = this.#topics.find(topic)
        if (circle === undefined) return
        circle.down(peer)
        onStranger(peer)
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
