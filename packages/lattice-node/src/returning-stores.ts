/**
 * Brings stores back whose history others deleted while this node was away.
 *
 * Not one whose history was cut here as well, where theirs was cut without that: it has what nobody else has, and a person
 * decides.
 *
 * The store stays in use while it is fetched beside, and is closed only to be replaced, which is short. Attempts are repeated
 * with growing pauses until one succeeds, nobody has cut anything, nobody is left, or all refuse this node as removed: whoever
 * said so and lied is out by then.
 * One at a time for each store.
 *
 * @module
 */
import {
  type AbortSignal,
  equalBytes,
  idKey,
  type IdKey,
  type IntentionId,
  isLatticeError,
  type PublicKey,
  type StoreId,
} from '@lattice/model'
import { BootstrapFailed } from '@lattice/net'
import { createDoubtedPeers, type DoubtedPeers } from './doubted-peers.ts'
import { toFailure } from './failure.ts'
import {
  adoptFetched,
  dropFetched,
  fetchPruned,
  isFetchBegun,
  type PrunedFetch,
  type PrunedFetchDeps,
} from './fetch-pruned.ts'
import type { NodeContext } from './node-context.ts'
import { createPauses, type Pauses } from './pauses.ts'
import { placedElsewhere } from './placed-elsewhere.ts'
import { longerPauseMs, RETRY_FIRST_MS } from './retry-pauses.ts'
import type { StoreEntry } from './store-entry.ts'
import type { StoreManager } from './store-manager.ts'
import { peerTable, replicaPeers, tellers } from './store-peers.ts'
import { createWakeUp, type WakeUp } from './wake-up.ts'

export interface ReturningStores {
  /** A peer says that what the store lacks was deleted. Never waits. */
  readonly told: (storeId: StoreId, peer: PublicKey) => void
  /**
   * A session brought all that the peer has, and the two do not hold the same. Where that is for want of what was deleted, and
   * the peer and others have placed, the store is fetched from where it is cut already. Never waits.
   */
  readonly differs: (storeId: StoreId, peer: PublicKey) => void
  /**
   * A peer cannot work over where history is cut here, and is to fetch the store from there. Where nobody can, since the state
   * there is not signed and others have more beside it, it is the other way round after a while: this node fetches it anew at
   * a later epoch, also from who has cut nothing. Never waits.
   */
  readonly unknown: (storeId: StoreId, peer: PublicKey) => void
  /**
   * A store came into use: what a restart broke off is gone on with, or dropped where it is not needed any more. Nobody may say
   * so again: who knows where the others cut is served over that. Never waits.
   */
  readonly resume: (storeId: StoreId) => void
}

/** Floating intentions that are looked at. */
const FLOATING_MAX = 4096
/** How long what nobody told is not looked for again, nor what cannot be taken: fetching a store takes a while. */
export const REST_MS: number = 10 * 60_000

/** How long after it was found so a store counts as cut apart: it is found again every time somebody says so after a rest. */
export const APART_MS: number = 3 * REST_MS

/** How long nobody can begin where history is cut here, before it is fetched anew. */
export const ALONE_MS: number = 2 * 60_000

type Manager = Pick<StoreManager, 'entry' | 'run' | 'closed' | 'tablesOf' | 'kernelOf'>

/** Starts with none. What runs ends with the manager. */
export function createReturningStores(context: NodeContext, manager: Manager): ReturningStores {
  return new Returning(context, manager)
}

interface Told {
  /** Who said so; undefined where it is gone on with. */
  readonly peer: PublicKey | undefined
  /** Causes whose places are looked for. */
  readonly wanted: readonly IntentionId[]
  /** From who has cut nothing as well. */
  readonly orWhole: boolean
  readonly wakeUp: WakeUp
}

class Returning implements ReturningStores {
  readonly #context: NodeContext
  readonly #manager: Manager
  readonly #running = new Map<IdKey, WakeUp>()
  /** Stores that nobody may be able to begin with where they are cut here. */
  readonly #waiting = new Set<IdKey>()
  /** By store. */
  readonly #doubts = new Map<IdKey, DoubtedPeers>()
  /** Stores that are not fetched again for what nobody told: places, or a later state. */
  readonly #rests: Pauses<IdKey>

  constructor(context: NodeContext, manager: Manager) {
    this.#context = context
    this.#manager = manager
    this.#rests = createPauses(context.clock, REST_MS)
  }

  told(storeId: StoreId, peer: PublicKey): void {
    this.#begin(storeId, { peer, wanted: [], orWhole: false })
  }

  differs(storeId: StoreId, peer: PublicKey): void {
    const kernel = this.#manager.entry(storeId)?.open?.kernel
    if (kernel?.base() === undefined || this.#rests.isPaused(idKey(storeId))) return
    const writers = kernel
      .membership()
      .active()
      .filter((key) => !equalBytes(key, this.#context.id))
    const wanted = placedElsewhere(kernel.floating(FLOATING_MAX), { by: peer, writers })
    if (wanted.length > 0) this.#begin(storeId, { peer, wanted, orWhole: false })
  }

  unknown(storeId: StoreId, peer: PublicKey): void {
    const key = idKey(storeId)
    const isCut = this.#manager.entry(storeId)?.open?.kernel.base() !== undefined
    if (!isCut || this.#rests.isPaused(key) || this.#waiting.has(key)) return
    this.#waiting.add(key)
    // Mostly somebody signs the state, or sees what is beside, a moment later.
    this.#manager
      .run((signal) => createWakeUp(this.#context.scheduler).wait(ALONE_MS, signal))
      .then(() => {
        const entry = this.#manager.entry(storeId)
        if (entry !== undefined && isAlone(entry)) this.#begin(storeId, { peer, wanted: [], orWhole: true })
      })
      .finally(() => this.#waiting.delete(key))
      .catch(() => undefined)
  }

  resume(storeId: StoreId): void {
    const hasNetwork = this.#context.network() !== undefined
    if (!hasNetwork || !isFetchBegun(this.#context, storeId)) return
    this.#begin(storeId, { peer: undefined, wanted: [], orWhole: false })
  }

  #begin(storeId: StoreId, why: Omit<Told, 'wakeUp'>): void {
    const entry = this.#manager.entry(storeId)
    const key = idKey(storeId)
    if (entry?.ready !== true || entry.repairing || this.#isApart(entry)) return
    const running = this.#running.get(key)
    if (running !== undefined) return running.nudge()
    const wakeUp = createWakeUp(this.#context.scheduler)
    this.#running.set(key, wakeUp)
    this.#bring(entry, { ...why, wakeUp })
      .finally(() => this.#running.delete(key))
      .catch(() => undefined)
  }

  /** Never rejects. */
  async #bring(entry: StoreEntry, told: Told): Promise<void> {
    const { logger } = this.#context
    const { id } = entry.record
    try {
      const isWhole = await this.#manager.run((signal) => this.#fetchUntilWhole(entry, { ...told, signal }))
      if (isWhole && entry.ready) await this.#replace(entry, told)
      else if (told.wanted.length > 0) this.#rests.begin(idKey(id))
    } catch (error) {
      // The node closes, or its disk is full: what was fetched stays, and the next time goes on there.
      logger.warn('store.return_failed', { storeId: id, ...toFailure(error) })
    }
  }

  /** False where nobody cut anything, or the store is not in use any more. */
  async #fetchUntilWhole(
    entry: StoreEntry,
    { peer, wanted, orWhole, wakeUp, signal }: Told & { readonly signal: AbortSignal },
  ): Promise<boolean> {
    await this.#awaitParent(entry, { wakeUp, signal })
    // Who was removed is served by nobody: what it had begun is of use once somebody says so again.
    const isDue = (): boolean => (orWhole ? isAlone(entry) : peer !== undefined || !entry.revoked)
    for (let pauseMs = RETRY_FIRST_MS; entry.ready && isDue(); pauseMs = longerPauseMs(pauseMs)) {
      const network = this.#context.network()
      const peers = this.#peersOf(entry, peer)
      if (peers.length === 0 && this.#arePeersKnown(entry)) return this.#giveUp(entry)
      try {
        if (network !== undefined) {
          const { id: storeId } = entry.record
          return await fetchPruned(this.#context, {
            ...this.#deps(entry, signal),
            network,
            ...aboveOf(entry, wanted),
            // Who has cut nothing has placed all that it has.
            orWhole: orWhole || wanted.length > 0,
            doubts: this.#doubtsOf(storeId),
            peers: peers.map((each) => ({ peer: each, addresses: this.#context.meta.addresses(each) })),
            onProgress: (state) => this.#context.publish({ kind: 'bootstrap_progress', storeId, ...state }),
          })
        }
      } catch (error) {
        signal.throwIfAborted()
        if (!isLatticeError(error)) throw error
        this.#context.logger.warn('store.return_retry', { storeId: entry.record.id, ...toFailure(error) })
        if (isRefused(error)) return this.#giveUp(entry)
      }
      await wakeUp.wait(pauseMs, signal)
    }
    return false
  }

  #giveUp({ record }: StoreEntry): false {
    dropFetched(this.#context, record.id)
    return false
  }

  /**
   * What a store below begins with is checked by the one above: that comes back first, where both were cut. Which of them is
   * told of first is chance.
   */
  async #awaitParent(
    entry: StoreEntry,
    { wakeUp, signal }: { readonly wakeUp: WakeUp; readonly signal: AbortSignal },
  ): Promise<void> {
    const parent = entry.parent()
    if (parent === undefined) return
    await wakeUp.wait(RETRY_FIRST_MS, signal)
    while (this.#running.has(idKey(parent.record.id))) await wakeUp.wait(RETRY_FIRST_MS, signal)
  }

  /** What was not borne out stays so when the same peer says it again. */
  #doubtsOf(storeId: StoreId): DoubtedPeers {
    const key = idKey(storeId)
    const doubts = this.#doubts.get(key) ?? createDoubtedPeers(this.#context.clock)
    this.#doubts.set(key, doubts)
    return doubts
  }

  #peersOf({ open }: StoreEntry, told: PublicKey | undefined): readonly PublicKey[] {
    const { id: self } = this.#context
    const others = open === undefined ? [] : replicaPeers(open.kernel.tables(), self, this.#manager.tablesOf)
    return tellers(told, others, (peer) => (open?.kernel.revokedBy(peer).length ?? 0) > 0)
  }

  /** Not fetched again whoever says so: what there is was cut without what was cut here. */
  #isApart({ cutApartMs }: StoreEntry): boolean {
    return cutApartMs !== undefined && this.#context.clock.monotonicMs() - cutApartMs < REST_MS
  }

  /** Those of a store below are known once the one above is open. */
  #arePeersKnown({ open }: StoreEntry): boolean {
    return open !== undefined && peerTable(open.kernel.tables(), this.#manager.tablesOf) !== undefined
  }

  #deps({ record }: StoreEntry, signal: AbortSignal): PrunedFetchDeps {
    const { tablesOf, kernelOf } = this.#manager
    return { id: record.id, storeTypeHint: record.storeType, tablesOf, kernelOf, signal }
  }

  async #replace(entry: StoreEntry, { wanted, orWhole }: Pick<Told, 'wanted' | 'orWhole'>): Promise<void> {
    const { id: storeId } = entry.record
    const adopted = await this.#manager.closed.withClosed(storeId, (closed, signal) =>
      adoptFetched(this.#context, { ...this.#deps(closed, signal), wanted }),
    )
    if (adopted === 'apart') {
      entry.cutApartMs = this.#context.clock.monotonicMs()
      this.#context.logger.warn('store.cut_apart', { storeId })
      return
    }
    if (adopted === undefined) {
      if (wanted.length > 0 || orWhole) this.#rests.begin(idKey(storeId))
      return
    }
    // What a peer once held was the log that was here: this one has fewer records.
    this.#context.meta.setReplicatedCount(storeId, undefined)
    entry.record = { ...entry.record, replicatedCount: undefined }
    entry.cutApartMs = undefined
    const { base, kept, waiting } = adopted
    if (base === undefined) return
    this.#context.publish({ kind: 'returned', storeId, base, kept, waiting })
    this.#context.logger.info('store.returned', { storeId, kept, waiting })
  }
}

/** All that were asked hold this node for removed: once one does not, its session tells of the cut again. */
function isRefused(error: unknown): boolean {
  if (!(error instanceof BootstrapFailed)) return false
  const { codes } = error.detail
  return codes.length > 0 && codes.every((code) => code === 'REVOKED')
}

/** Nobody can begin where history is cut here, nor at a later epoch that is signed: there is none, or it cannot be handed on. */
function isAlone({ open, ready }: StoreEntry): boolean {
  if (!ready || open?.kernel.base() === undefined) return false
  return open.kernel.snapshot().divergences.length === 0 && open.replicated.snapshot() === undefined
}

/** History that is cut where it is cut here needs no fetching, but for places that are not known here; nor one that is cut before. */
function aboveOf({ open }: StoreEntry, wanted: readonly IntentionId[]): Pick<PrunedFetch, 'above' | 'orSame'> {
  const above = open?.kernel.base()
  return above === undefined ? {} : { above, orSame: wanted.length > 0 }
}
