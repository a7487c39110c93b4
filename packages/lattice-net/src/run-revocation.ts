/**
 * Asks peers that say this node was removed from a store by what, and tells what they showed.
 *
 * One question at a time for each peer and store, and none once the store here says so itself, or where the peer is out by what
 * history is cut above: whatever is said then is no news. Questions follow what peers say over their connections, and end with
 * them; one that something passing kept from its answer, as a full disk, is asked again at growing intervals: nobody says it
 * again over a connection that lasts.
 *
 * @module
 */
import {
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
   * other the senior's counts, and nobody else may have it.
   */
  readonly shown: (peer: PublicKey) => void
}

export function createRevocationRunner(deps: RevocationRunnerDeps): RevocationRunner {
  /** By connection, so that what runs on one that ends holds up nothing on the next. */
  const running = new WeakMap<PeerLink, Set<string>>()

  const pauses = createProofPauses(deps.nowMs)

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
    shown: (peer) => {
      const link = deps.link(peer)
      if (link === undefined) return
      for (const storeId of deps.stores.revokedFor(peer)) {
        for (const junior of deps.stores.get(storeId)?.juniorsAgainst(peer) ?? []) begin(link, storeId, junior)
      }
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
  pauses: ProofPauses,
  { link, storeId, about }: Question,
): Promise<boolean> {
  const { peer } = link
  const store = deps.stores.get(storeId)
  const view = deps.stores.forAsking(peer, storeId)
  if (store === undefined || view === undefined || isKnown(deps, store)) return false
  let proof: RemovalProof | undefined
  const openProof = (): RemovalProof | undefined => {
    // What came before it may have told it all.
    proof = isKnown(deps, store) || pauses.holds(peer, storeId) ? undefined : store.openRemovalProof(peer)
    if (proof !== undefined) pauses.begin(peer, storeId, REMOVAL_PROOF_PAUSE_MS)
    return proof
  }
  try {
    const { epochs } = await askWhatRemoved(link, {
      view,
      known: store.tipIds,
      perform: deps.perform,
      signal: deps.stores.signal(storeId),
      ...(about === undefined ? { openProof, admittedBy: store.readmittedBy(deps.self) } : { about }),
    })
    if (epochs.length === 0 || about !== undefined) return false
    const held = store.missing(epochs).length === 0 || isKnown(deps, store)
    deps.publish({ kind: 'revoked', storeId, peer, epochs, held })
    return false
  } catch (error) {
    // What was lost on the way says nothing of what was to come.
    if (proof !== undefined && !isBlamed(error)) pauses.begin(peer, storeId, REMOVAL_PROOF_LOST_MS)
    // Scored where it was run; the next connection tells again.
    if (!isLatticeError(error)) deps.logger.warn('asking for a revocation failed', { peer: toHex(peer), error })
    return isLatticeError(error) && PASSING.has(error.code)
  } finally {
    proof?.close()
  }
}

async function askUntilAnswered(deps: RevocationRunnerDeps, pauses: ProofPauses, question: Question): Promise<void> {
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

/** From whom no foundation is taken for a while: the last one showed nothing. */
interface ProofPauses {
  readonly holds: (peer: PublicKey, storeId: StoreId) => boolean
  readonly begin: (peer: PublicKey, storeId: StoreId, pauseMs: number) => void
}

function createProofPauses(nowMs: () => number): ProofPauses {
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
