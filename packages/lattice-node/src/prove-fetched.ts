/**
 * Whether others go on from where a store begins that was fetched by its state.
 *
 * A quorum of the store's peers signed the state there, and one of those who served it may still be the only one to call the
 * epoch settled: with a word of its own that it gives to nobody. Whoever began there would have a history that others
 * cannot follow. So before what was fetched is put in place it takes in what came after that epoch, by the one way in, and
 * its own log has to say that the epoch is final: then whoever syncs with it comes to the same.
 *
 * Of what lies below nobody can prove where it stood and whose it was, but for where chains end. A write that is invalid by
 * that shows that somebody lied, who gave the place or who gives the write. Of two neither is believed for a while, nor is the write held against who gave it.
 *
 * @module
 */
import type { Kernel } from '@lattice/kernel'
import { type AbortSignal, idKey, type IngestOutcome, type LatticeErrorCode, type PublicKey } from '@lattice/model'
import { BootstrapFailed, type NetworkService, type PeerHint } from '@lattice/net'
import type { ReplicatedStore } from '@lattice/net-types'
import { fetchedContradicted } from './life-errors.ts'
import type { OpenStore } from './open-store.ts'

export interface ProveFetched {
  /** As it was fetched, open. */
  readonly store: Pick<OpenStore, 'kernel' | 'replicated'>
  readonly network: Pick<NetworkService, 'bootstrap'>
  readonly peers: readonly PeerHint[]
  /** Who gave what the log begins with: it has seen what makes the epoch final, or says so and has not. */
  readonly server: PublicKey | undefined
  readonly signal: AbortSignal
}

/** `unheard`: nobody is there to ask. `contradicted`: by what this peer served, if not the server itself. */
export type Proof =
  | { readonly kind: 'proven' | 'unproven' | 'unheard' }
  | { readonly kind: 'contradicted'; readonly by: PublicKey }

/** What makes a write invalid by the places of what it cites. Its own bytes may be in order. */
const BY_PLACES: ReadonlySet<string> = new Set([
  'store_prev_foreign',
  'timestamp_not_after_causes',
  'dep_below_epoch',
  'cause_invalid',
])

/** A peer that failed in such a way may have what is lacking. */
const UNHEARD: ReadonlySet<LatticeErrorCode> = new Set(['PEER_UNREACHABLE', 'DEADLINE_EXCEEDED', 'CLOSED'])
/** It failed here. */
const OWN: ReadonlySet<LatticeErrorCode> = new Set(['DISK_FULL', 'STORAGE_FAILED'])

/** Asks one peer after another for what came after, the server first. Rejects with what fails on this node. */
export async function proveFetched({ store, network, peers, server, signal }: ProveFetched): Promise<Proof> {
  if (isProven(store.kernel)) return { kind: 'proven' }
  let kind: 'unproven' | 'unheard' = 'unheard'
  for (const hint of serverFirst(peers, server)) {
    let isContradicted = false
    const replicated = watched(store.replicated, () => (isContradicted = true))
    try {
      await network.bootstrap({ store: replicated, isApart: true, peers: [hint], signal })
      kind = 'unproven'
    } catch (error) {
      signal.throwIfAborted()
      if (isContradicted) return { kind: 'contradicted', by: hint.peer }
      if (!(error instanceof BootstrapFailed) || error.detail.codes.some((code) => OWN.has(code))) throw error
      if (!error.detail.codes.every((code) => UNHEARD.has(code))) kind = 'unproven'
    }
    // Also of a session that was cut short, what came is there.
    if (isProven(store.kernel)) return { kind: 'proven' }
  }
  return { kind }
}

/** Ends a session in which something comes that is invalid by what was fetched, before anybody is blamed. */
function watched(replicated: ReplicatedStore, onContradicted: () => void): ReplicatedStore {
  const contradicts = (outcome: IngestOutcome): boolean => outcome.kind === 'invalid' && BY_PLACES.has(outcome.code)
  return {
    ...replicated,
    ingest: async (batch, source) => {
      const outcomes = await replicated.ingest(batch, source)
      if (!outcomes.some(contradicts)) return outcomes
      onContradicted()
      throw fetchedContradicted(replicated.id)
    },
  }
}

/** As the log itself has it, whoever said what. */
function isProven(kernel: Kernel): boolean {
  const base = kernel.base()
  return base !== undefined && kernel.epoch(base.epoch)?.mayBegin === true
}

function serverFirst(peers: readonly PeerHint[], server: PublicKey | undefined): readonly PeerHint[] {
  if (server === undefined) return peers
  const isServer = ({ peer }: PeerHint): boolean => idKey(peer) === idKey(server)
  return [...peers.filter(isServer), ...peers.filter((hint) => !isServer(hint))]
}
