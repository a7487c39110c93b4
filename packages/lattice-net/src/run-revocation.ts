/**
 * Asks peers that say this node was removed from a store by what, and tells what they showed. Those that were removed here, and
 * say that they were admitted again, are asked for that.
 *
 * One question at a time for each peer and store, and none once the store here says so itself, or where the peer is out by what
 * history is cut above: whatever is said then is no news. Questions follow what peers say over their connections, and end with
 * them; one that something passing kept from its answer, as a full disk, is asked again at growing intervals: nobody says it
 * again over a connection that lasts.
 *
 * @module
 */
import {
  equalBytes,
  idKey,
  isLatticeError,
  type LatticeErrorCode,
  type Logger,
  type PublicKey,
  type Random,
  type Scheduler,
  type StoreId,
  toHex,
} from '@lattice/model'
import type { RemovalProof, ReplicatedStore } from '@lattice/net-types'
import { askWhatRemoved } from './ask-removal.ts'
import { backoffMs } from './backoff.ts'
import { pause } from './deadline.ts'
import { BootstrapFailed, PeerViolation } from './errors.ts'
import {
  type NetworkLimits,
  REMOVAL_PROOF_LOST_MS,
  REMOVAL_PROOF_PAUSE_MS,
  REMOVAL_PROOF_PAUSES_MAX,
} from './limits.ts'
import type { NetworkEvent } from './network-event.ts'
import type { PeerLink } from './peer-link.ts'
import type { SessionAnswer, SessionCall } from './session-call.ts'
import { pairKey } from './session-slots.ts'
import type { StoreRegistry } from './store-registry.ts'
import { keepLatest } from './keep-latest.ts'

export interface RevocationRunnerDeps {
  readonly self: PublicKey
  readonly logger: Logger
  readonly stores: Pick<StoreRegistry, 'get' | 'forAsking' | 'signal' | 'revokedFor'>
  readonly link: (peer: PublicKey) => PeerLink | undefined
  readonly nowMs: () => number
  readonly scheduler: Scheduler
  readonly random: Random
  readonly limits: Pick<NetworkLimits, 'retryMs' | 'retryMaxMs'>
  readonly perform: (link: PeerLink, call: SessionCall) => Promise<SessionAnswer>
  readonly publish: (event: NetworkEvent) => void
}

/** Never throws, never waits. */
export interface RevocationRunner {
  /** A peer says so, in whatever protocol. */
  readonly told: (peer: PublicKey, storeId: StoreId) => void
  /**
   * A peer was shown what removed it. Where that was by its juniors it is asked what removed them: of two that removed each
   * other the senior's counts, and nobody else may have it. Where it claims to have been admitted again it is asked for that,
   * for whoever let it in may be gone.
   */
  readonly shown: (peer: PublicKey, claim?: AdmissionClaim) => void
}

/** Of a peer that was removed from a store: it was admitted again, by these. */
export interface AdmissionClaim {
  readonly storeId: Uint8Array
  readonly admittedBy: readonly PublicKey[]
}

/** What keeps questions apart that follow each other. */
interface Pauses {
  /** For a foundation: the last one of the peer showed nothing. */
  readonly proofs: PeerPauses
  /** For an admission: the peer was asked for it. */
  readonly admissions: PeerPauses
}

export function createRevocationRunner(deps: RevocationRunnerDeps): RevocationRunner {
  /** By connection, so that what runs on one that ends holds up nothing on the next. */
  const running = new WeakMap<PeerLink, Set<string>>()

  const pauses: Pauses = { proofs: createPeerPauses(deps.nowMs), admissions: createPeerPauses(deps.nowMs) }

  function begin(link: PeerLink, storeId: StoreId, about?: PublicKey): void {
    const key = `${idKey(storeId)} ${about === undefined ? '' : idKey(about)}`
    const asked = running.get(link) ?? new Set<string>()
    running.set(link, asked)
    if (asked.has(key)) return
    asked.add(key)
    link.spawn('revocation', async () => {
      try {
        await askUntilAnswered(deps, pauses, { link, storeId, about })
      } finally {
        asked.delete(key)
      }
    })
  }

  return {
    told: (peer, storeId) => {
      const link = deps.link(peer)
      const store = deps.stores.get(storeId)
      if (link === undefined || store === undefined || isKnown(deps, store) || store.isOutForGood(peer)) return
      begin(link, storeId)
    },
    shown: (peer, claim) => {
      const link = deps.link(peer)
      if (link === undefined) return
      for (const storeId of deps.stores.revokedFor(peer)) {
        for (const junior of deps.stores.get(storeId)?.juniorsAgainst(peer) ?? []) begin(link, storeId, junior)
      }
      const store = claim !== undefined && claim.admittedBy.length > 0 ? deps.stores.get(claim.storeId) : undefined
      const isDue = store?.access(peer) === 'revoked' && !pauses.admissions.holds(peer, store.id)
      if (store !== undefined && isDue) begin(link, store.id, peer)
    },
  }
}

/** What is asked whom. */
interface Question {
  readonly link: PeerLink
  readonly storeId: StoreId
  readonly about: PublicKey | undefined
}

/** Answers whether to ask again. */
async function askOnce(
  deps: RevocationRunnerDeps,
  { proofs, admissions }: Pauses,
  { link, storeId, about }: Question,
): Promise<boolean> {
  const { peer } = link
  const store = deps.stores.get(storeId)
  const view = deps.stores.forAsking(peer, storeId)
  // What removed others may void what removed this node.
  if (store === undefined || view === undefined || (about === undefined && isKnown(deps, store))) return false
  let proof: RemovalProof | undefined
  const openProof = (): RemovalProof | undefined => {
    // What came before it may have told it all.
    proof = isKnown(deps, store) || proofs.holds(peer, storeId) ? undefined : store.openRemovalProof(peer)
    if (proof !== undefined) proofs.begin(peer, storeId, REMOVAL_PROOF_PAUSE_MS)
    return proof
  }
  try {
    const { epochs, witnessed } = await askWhatRemoved(link, {
      view,
      known: store.tipIds,
      perform: deps.perform,
      signal: deps.stores.signal(storeId),
      ...(about === undefined ? { openProof, admittedBy: store.readmittedBy(deps.self) } : { about }),
    })
    if (about !== undefined && equalBytes(about, peer)) {
      // More may follow what was new. One that has nothing can feed this node with nothing.
      admissions.begin(peer, storeId, witnessed > 0 ? REMOVAL_PROOF_LOST_MS : REMOVAL_PROOF_PAUSE_MS)
    }
    if (epochs.length === 0 || about !== undefined) return false
    const held = store.missing(epochs).length === 0 || isKnown(deps, store)
    deps.publish({ kind: 'revoked', storeId, peer, epochs, held })
    return false
  } catch (error) {
    // What was lost on the way says nothing of what was to come.
    if (proof !== undefined && !isBlamed(error)) proofs.begin(peer, storeId, REMOVAL_PROOF_LOST_MS)
    // Scored where it was run; the next connection tells again.
    if (!isLatticeError(error)) deps.logger.warn('asking for a revocation failed', { peer: toHex(peer), error })
    return isLatticeError(error) && PASSING.has(error.code)
  } finally {
    proof?.close()
  }
}

async function askUntilAnswered(deps: RevocationRunnerDeps, pauses: Pauses, question: Question): Promise<void> {
  const { retryMs: firstMs, retryMaxMs: maxMs } = deps.limits
  const { scheduler, random } = deps
  const { signal } = question.link
  for (let attempt = 0; !signal.aborted && (await askOnce(deps, pauses, question)); attempt += 1) {
    await pause(scheduler, backoffMs(attempt, { firstMs, maxMs, random }), [signal])
  }
}

/** The store says so itself. */
function isKnown({ self }: Pick<RevocationRunnerDeps, 'self'>, store: ReplicatedStore): boolean {
  return store.access(self) === 'revoked'
}

/** What may be otherwise a while later: this node's disk, a stream that was lost on the way. */
const PASSING: ReadonlySet<LatticeErrorCode> = new Set([
  'DISK_FULL',
  'STORAGE_FAILED',
  'PEER_UNREACHABLE',
  'DEADLINE_EXCEEDED',
])

/** By peer and store, until when something is not asked for. */
interface PeerPauses {
  readonly holds: (peer: PublicKey, storeId: StoreId) => boolean
  readonly begin: (peer: PublicKey, storeId: StoreId, pauseMs: number) => void
}

function createPeerPauses(nowMs: () => number): PeerPauses {
  /** The oldest first. */
  const until = new Map<string, number>()
  return {
    holds: (peer, storeId) => (until.get(pairKey(peer, storeId)) ?? 0) > nowMs(),
    begin: (peer, storeId, pauseMs) => {
      keepLatest(until, { key: pairKey(peer, storeId), value: nowMs() + pauseMs, limit: REMOVAL_PROOF_PAUSES_MAX })
    },
  }
}

function isBlamed(error: unknown): boolean {
  return error instanceof BootstrapFailed || error instanceof PeerViolation
}
