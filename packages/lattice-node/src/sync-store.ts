/**
 * Reconciles a store with each of its peers at a person's wish, and says of every one of them what came of it.
 *
 * Peers that are not connected are dialled. Those that take no part are listed with the reason, so that nobody looks for
 * them; a peer that is away by agreement and is not reached is one of them. "Synced" is said of equal digests only.
 *
 * @module
 */
import { type AbortSignal, idKey, type LatticeError, type PublicKey } from '@lattice/model'
import { PeerMuted, PeerRefused, type SyncOutcome } from '@lattice/net'
import { system } from '@lattice/proto'
import type { NodeContext } from './node-context.ts'
import { type ViewedStore, viewPeers } from './store-views.ts'
import type { PeerEntry, PeerSyncReport, PeerSyncResult, StoreFailure } from './store-types.ts'

/** One report per peer, this node left out, as they end. Throws `signal.reason`, or that the store is not open any more. */
export async function* syncStore(
  context: NodeContext,
  { store, tablesOf }: ViewedStore,
  signal: AbortSignal,
): AsyncIterable<PeerSyncReport> {
  signal.throwIfAborted()
  const others = viewPeers(context, { store, tablesOf }).filter(({ self }) => !self)
  const reportOf = createReports(store.id, others)
  const taking = others.filter(isTakingPart)
  for (const peer of others) if (!isTakingPart(peer)) yield reportOf(peer.publicKey, inactive(peer))
  const network = context.network()
  if (network === undefined) {
    for (const { publicKey } of taking) yield reportOf(publicKey, WITHOUT_NETWORK)
    return
  }
  const { addresses } = context.meta
  const hints = taking.map(({ publicKey: peer }) => ({ peer, addresses: addresses(peer) }))
  for await (const outcome of network.sync(store.id, signal, hints)) {
    yield reportOf(outcome.peer, judgeOutcome(outcome, addresses(outcome.peer)))
  }
}

/** What came of it, without whose it is. */
type Judged = Pick<PeerSyncReport, 'result' | 'sent' | 'received' | 'failure'>

const NOTHING = { sent: 0, received: 0 }

const WITHOUT_NETWORK: Judged = {
  ...NOTHING,
  result: 'unreachable',
  failure: { code: 'PEER_UNREACHABLE', message: 'this node is offline: start it with a network' },
}

function createReports(
  storeId: PeerSyncReport['storeId'],
  peers: readonly PeerEntry[],
): (peer: PublicKey, judged: Judged) => PeerSyncReport {
  const entries = new Map(peers.map((entry) => [idKey(entry.publicKey), entry]))
  return (peer, judged) => {
    const entry = entries.get(idKey(peer))
    const isAway = entry?.status === system.PeerStatus.DORMANT && judged.result === 'unreachable'
    return { storeId, peer, name: entry?.name ?? '', ...judged, ...(isAway ? { result: 'inactive' } : {}) }
  }
}

function isTakingPart({ status }: PeerEntry): boolean {
  return status === system.PeerStatus.ACTIVE || status === system.PeerStatus.DORMANT
}

function inactive({ status }: PeerEntry): Judged {
  const message =
    status === system.PeerStatus.REVOKED
      ? 'it was revoked and takes no part any more'
      : 'it was invited and has not joined yet'
  return { ...NOTHING, result: 'inactive', failure: { code: 'NOT_ADMITTED', message } }
}

/** What a session's outcome, or the lack of one, is called. Exported for whoever tells of sessions elsewhere. */
export function resultOf(outcome: SyncOutcome): PeerSyncResult {
  if (outcome.kind === 'done') return outcome.synced ? 'synced' : 'differs'
  const { error, unreached } = outcome
  if (error instanceof PeerMuted) return 'muted'
  if (unreached === true && isUnreachable(error)) return 'unreachable'
  return error instanceof PeerRefused && !error.busy ? 'refused' : 'failed'
}

function isUnreachable({ code }: StoreFailure): boolean {
  return code === 'PEER_UNREACHABLE' || code === 'DEADLINE_EXCEEDED'
}

function judgeOutcome(outcome: SyncOutcome, addresses: readonly string[]): Judged {
  const result = resultOf(outcome)
  if (outcome.kind === 'done') {
    const { sent, received } = outcome
    return { result, sent, received, failure: undefined }
  }
  const { error } = outcome
  const message = result === 'unreachable' ? unreachableText(error, addresses) : error.message
  return { ...NOTHING, result, failure: { code: error.code, message } }
}

/** Where it was looked for, and what happened there. */
function unreachableText({ code, cause }: LatticeError, addresses: readonly string[]): string {
  const why = cause instanceof Error ? cause.message : 'nobody answered'
  const found = code === 'DEADLINE_EXCEEDED' ? 'no answer in time' : why
  return addresses.length === 0
    ? `no address of it is known, and it was not found by its key: ${found}`
    : `not reached at ${addresses.join(', ')}: ${found}`
}
