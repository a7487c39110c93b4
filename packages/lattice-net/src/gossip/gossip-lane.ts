/**
 * Lanes: the outgoing gossip stream of each connection, kept open for as long as the connection lasts.
 *
 * A stream that ends early is followed by another, at growing intervals while that fails; what was on its way is
 * reconciled. When the connection gets a better path, the stream is finished and another begun there, with nothing lost.
 *
 * @module
 */
import {
  type IdKey,
  idKey,
  idKeyBytes,
  type PublicKey,
  type Random,
  type Scheduler,
  type StoreId,
  toStoreId,
} from '@lattice/model'
import { StreamLost } from '@lattice/net-types'
import { net } from '@lattice/proto'
import { backoffMs } from '../backoff.ts'
import { createDeadline, pause } from '../deadline.ts'
import type { GossipLink } from '../gossip.ts'
import { type NetworkLimits, STABLE_CONNECTION_MS } from '../limits.ts'
import type { ClaimedDigest } from '../session-call.ts'
import type { Effects } from '../session.ts'
import { createTurn } from '../turn.ts'
import type { Topic } from './gossip-topic.ts'
import {
  createGossipSender,
  type GossipQueues,
  type GossipSender,
  type Note,
  type OfferedRun,
} from './gossip-sender.ts'

/** One connection's outgoing side. */
export interface GossipLane {
  readonly peer: PublicKey
  readonly link: GossipLink
  /** Sends a run, unless the peer is known not to take it; what does not fit becomes a reconcile session. */
  readonly offer: (run: OfferedRun) => void
  readonly note: (note: Note) => void
  /** False for a store the peer says it does not have, or not for us. */
  readonly mayTake: (storeId: StoreId) => boolean
  /** While a session runs, runs of the store wait; it covers what was dropped before. */
  readonly hold: (storeId: StoreId) => void
  readonly release: (storeId: StoreId) => void
  /** The peer shows that it has the store. */
  readonly shares: (storeId: StoreId) => void
  /** Serves the connection until it ends. */
  readonly serve: () => Promise<void>
}

export interface GossipLaneDeps {
  readonly scheduler: Scheduler
  readonly nowMs: () => number
  readonly random: Random
  readonly limits: Pick<NetworkLimits, 'retryMs' | 'retryMaxMs'>
  readonly onUnshared: (storeId: StoreId) => void
  readonly onRevoked: (storeId: StoreId) => void
  readonly onDigest: (storeId: StoreId, digest: ClaimedDigest) => void
  readonly onStranger: (topic: Topic) => void
  /** Something of the store was lost on the way to the peer. */
  readonly onLost: (storeId: StoreId) => void
  /** Another stream begins: nothing said over the one before is sure to have arrived. */
  readonly onBegin: () => void
}

/** Starts without a stream. */
export function createGossipLane(link: GossipLink, deps: GossipLaneDeps): GossipLane {
  return new Lane(link, deps)
}

class Lane implements GossipLane {
  readonly peer: PublicKey
  readonly link: GossipLink
  readonly #deps: GossipLaneDeps
  readonly #held = new Set<IdKey>()
  /** Stores the peer says it does not have, or not for us. */
  readonly #unshared = new Set<IdKey>()
  /** Stores of which something was dropped: nothing more is pushed until a session that covers it begins. */
  readonly #dropped = new Set<IdKey>()
  readonly #queued = createTurn()
  /** Replaced when its stream ends: the next one starts empty. */
  #sender: GossipSender
  /** While a stream is open. */
  #drive: ((effects: Effects<void>) => void) | undefined
  /** Ends the stream that is open. */
  #cut: (() => void) | undefined

  constructor(link: GossipLink, deps: GossipLaneDeps) {
    this.peer = link.peer
    this.link = link
    this.#deps = deps
    this.#sender = this.#createSender()
  }

  offer(offered: OfferedRun): void {
    const { store: storeId } = offered.message
    const key = idKey(storeId)
    if (!this.mayTake(storeId) || this.#dropped.has(key)) return
    if (this.#sender.offer(offered)) this.#flush()
    else {
      this.#dropped.add(key)
      this.#deps.onLost(storeId)
    }
  }
  note(note: Note): void {
    if (this.#sender.note(note)) this.#flush()
    // Who takes nothing in is told all anew over another stream. Before there is one, ticks and heartbeats say it again.
    else this.#cut?.()
  }
  mayTake(storeId: StoreId): boolean {
    return !this.#unshared.has(idKey(storeId))
  }
  hold(storeId: StoreId): void {
    this.#held.add(idKey(storeId))
    this.#dropped.delete(idKey(storeId))
    this.#sender.hold(storeId)
  }
  release(storeId: StoreId): void {
    this.#held.delete(idKey(storeId))
    this.#unshared.delete(idKey(storeId))
    this.#sender.release(storeId)
    this.#flush()
  }
  shares(storeId: StoreId): void {
    this.#unshared.delete(idKey(storeId))
  }

  async serve(): Promise<void> {
    const { signal } = this.link
    const { nowMs, random, scheduler, limits } = this.#deps
    const wake = (): void => this.#queued.notify()
    signal.addEventListener('abort', wake, { once: true })
    const { retryMs: firstMs, retryMaxMs: maxMs } = limits
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      await this.#queued.wait()
      if (signal.aborted) break
      const startedMs = nowMs()
      if (await this.#serveOnce()) {
        attempt = -1
        this.#queued.notify()
        continue
      }
      if (nowMs() - startedMs >= STABLE_CONNECTION_MS) attempt = 0
      await pause(scheduler, backoffMs(attempt, { firstMs, maxMs, random }), [signal])
      if (!signal.aborted) this.#deps.onBegin()
    }
    signal.removeEventListener('abort', wake)
  }

  /** True when the stream was finished for the sake of a better path. */
  async #serveOnce(): Promise<boolean> {
    const { scheduler } = this.#deps
    const cut = createDeadline({ parents: [], scheduler, waitingFor: 'a gossip stream' })
    this.#cut = () => cut.abort(new StreamLost('the peer takes nothing in'))
    let isImproved = false
    const ignoreImprovement = this.link.onImproved(() => {
      isImproved = true
      this.#drive?.(this.#sender.retire())
    })
    let isFinished = false
    try {
      await this.link.run({
        protocol: net.Protocol.GOSSIP,
        machine: this.#sender,
        signal: cut.signal,
        onReady: (drive) => {
          this.#drive = drive
          // The stream may have begun before the path that is better.
          if (isImproved) drive(this.#sender.retire())
        },
      })
      isFinished = true
    } catch {
      // Reported and scored where it was run. What was under way is reconciled below.
    }
    ignoreImprovement()
    cut.release()
    this.#drive = undefined
    this.#cut = undefined
    if (isFinished) {
      this.#sender = this.#createSender(this.#sender.queues)
      return true
    }
    const lost = this.#sender.unsettled()
    this.#sender = this.#createSender()
    if (!this.link.signal.aborted) for (const storeId of lost) this.#deps.onLost(storeId)
    return false
  }
  #flush(): void {
    if (this.#drive === undefined) this.#queued.notify()
    else this.#drive(this.#sender.flush())
  }
  #createSender(queues?: GossipQueues): GossipSender {
    const { onDigest, onUnshared, onRevoked, onStranger } = this.#deps
    const events = {
      onDigest,
      onStranger,
      onRevoked,
      onUnshared: (storeId: StoreId) => {
        this.#unshared.add(idKey(storeId))
        onUnshared(storeId)
      },
    }
    const sender = createGossipSender(events, queues)
    for (const key of this.#held) sender.hold(toStoreId(idKeyBytes(key)))
    return sender
  }
}
