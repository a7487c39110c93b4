/**
 * Asks peers by what this node was removed from a store that it was still fetching.
 *
 * Whoever was removed is served nothing else, so without it a fetch would be repeated for ever. What is shown is taken in
 * as from anybody: the store itself says in the end whether this node is out.
 *
 * @module
 */
import { type AbortSignal, isLatticeError, type Logger, type PublicKey, toHex } from '@lattice/model'
import type { RemovalProof, ReplicatedStore } from '@lattice/net-types'
import { net } from '@lattice/proto'
import { REVOCATION_KNOWN_MAX } from './limits.ts'
import type { PeerLink } from './peer-link.ts'
import { createRevocationAsker, type RevocationOutcome, type RevocationQuestion } from './revocation.ts'
import type { PeerHint, SessionAnswer, SessionCall, SessionStore } from './session-call.ts'
import { viewFor } from './store-registry.ts'

export interface RemovalRequest {
  /** Need not be registered: the caller vouches for `peers`. */
  readonly store: ReplicatedStore
  /** Asked one after another, until the store says so itself. */
  readonly peers: readonly PeerHint[]
  readonly signal: AbortSignal
}

export interface AskRemovalDeps {
  readonly self: PublicKey
  readonly logger: Logger
  readonly connect: (hint: PeerHint, signal: AbortSignal) => Promise<PeerLink>
  readonly perform: (link: PeerLink, call: SessionCall) => Promise<SessionAnswer>
}

/** Resolves with whether the store says now that this node is out. Rejects with `signal.reason` alone. */
export async function askRemoval({ store, peers, signal }: RemovalRequest, deps: AskRemovalDeps): Promise<boolean> {
  for (const hint of peers) {
    signal.throwIfAborted()
    let proof: RemovalProof | undefined
    const openProof = (): RemovalProof | undefined =>
      (proof = store.access(deps.self) === 'revoked' ? undefined : store.openRemovalProof(hint.peer))
    try {
      const link = await deps.connect(hint, signal)
      const view = viewFor(store, hint.peer, () => true)
      await askWhatRemoved(link, { view, known: store.tipIds, openProof, perform: deps.perform, signal })
    } catch (error) {
      signal.throwIfAborted()
      const peer = toHex(hint.peer)
      // A peer that is away, or knows of no removal.
      if (isLatticeError(error)) deps.logger.debug('removal.not_shown', { peer, code: error.code })
      else deps.logger.warn('removal.failed', { peer, error })
    } finally {
      proof?.close()
    }
    if (store.access(deps.self) === 'revoked') return true
  }
  return false
}

export interface RemovalQuestion extends Pick<RevocationQuestion, 'about' | 'admittedBy' | 'openProof'> {
  readonly view: SessionStore
  readonly known: ReplicatedStore['tipIds']
  readonly perform: (link: PeerLink, call: SessionCall) => Promise<SessionAnswer>
  readonly signal: AbortSignal
}

/** One question over a connection. Rejects as a session does. */
export function askWhatRemoved(
  link: PeerLink,
  { view, known, perform, signal, ...question }: RemovalQuestion,
): Promise<RevocationOutcome> {
  return link.run({
    protocol: net.Protocol.REVOCATION,
    machine: createRevocationAsker(view, { known: known(REVOCATION_KNOWN_MAX), ...question }),
    perform: (call) => perform(link, call),
    signal,
  })
}
