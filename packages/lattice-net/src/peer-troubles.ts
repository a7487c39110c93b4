/**
 * Why things do not go with a peer, as far as this side was told: what it refused, how it misbehaved, how the last
 * connection ended.
 *
 * It is for people who ask, and decides nothing. One entry per peer and one per peer and store, each the latest; a success
 * clears it. Both books are bounded and forget what is oldest, so a peer that fails in many ways costs no more than one
 * that fails in one.
 *
 * @module
 */
import { type Clock, type IdKey, idKey, type LatticeErrorCode, type PublicKey, type StoreId } from '@lattice/model'
import type { CloseReason } from '@lattice/net-types'
import { PeerRefused, printable } from './errors.ts'
import { MAX_KNOWN_PEERS, MAX_REMEMBERED_FAILURES } from './limits.ts'
import type { NetworkEvent, SyncOutcome } from './network-event.ts'
import { pairKey } from './session-slots.ts'
import { keepLatest } from './keep-latest.ts'

/** Something that went wrong. `atMs` is wall time. */
export interface Trouble {
  readonly code: string
  readonly message: string
  readonly atMs: number
}

/** The last session over a store failed, and none has gone well since. */
export interface SessionTrouble extends Trouble {
  readonly code: LatticeErrorCode
  /** The peer said no; otherwise something broke on the way. */
  readonly refused: boolean
}

export interface PeerTroubles {
  /** The peer refuses to say what it holds; until it does. */
  readonly refusal: Trouble | undefined
  /** What it last broke; `code` names the rule. */
  readonly misbehaviour: Trouble | undefined
  /** How its last connection ended, while there is no other. */
  readonly ended: { readonly by: CloseReason['by']; readonly message: string; readonly atMs: number } | undefined
}

export interface TroubleBook {
  /** What the network tells of itself. */
  readonly takeIn: (event: NetworkEvent) => void
  /** The digests of a connection could not be compared. */
  readonly digestsFailed: (peer: PublicKey, error: unknown) => void
  readonly digestsCompared: (peer: PublicKey) => void
  /** The peer says that it does not have the store, or not for this node. */
  readonly unshared: (peer: PublicKey, storeId: StoreId) => void
  /** The peer speaks of the store. */
  readonly shared: (peer: PublicKey, storeId: StoreId) => void
  readonly of: (peer: PublicKey) => PeerTroubles
  readonly ofSession: (peer: PublicKey, storeId: StoreId) => SessionTrouble | undefined
}

const NO_TROUBLES: PeerTroubles = { refusal: undefined, misbehaviour: undefined, ended: undefined }

/** Starts without troubles. */
export function createTroubleBook({ clock }: { readonly clock: Clock }): TroubleBook {
  const peers = new Map<IdKey, PeerTroubles>()
  const sessions = new Map<string, SessionTrouble>()

  function change(peer: PublicKey, changes: Partial<PeerTroubles>): void {
    const key = idKey(peer)
    const next = { ...(peers.get(key) ?? NO_TROUBLES), ...changes }
    const isBlank = next.refusal === undefined && next.misbehaviour === undefined && next.ended === undefined
    peers.delete(key)
    if (!isBlank) keepLatest(peers, { key, value: next, limit: MAX_KNOWN_PEERS })
  }
  function failed(peer: PublicKey, storeId: StoreId, trouble: Omit<SessionTrouble, 'atMs'>): void {
    const key = pairKey(peer, storeId)
    keepLatest(sessions, { key, value: { ...trouble, atMs: clock.wallMs() }, limit: MAX_REMEMBERED_FAILURES })
  }
  function ended(outcome: SyncOutcome): void {
    const { peer, storeId } = outcome
    if (outcome.kind === 'done') {
      sessions.delete(pairKey(peer, storeId))
      return
    }
    const { error } = outcome
    failed(peer, storeId, { code: error.code, message: error.message, refused: error instanceof PeerRefused })
  }

  return {
    takeIn: (event) => {
      if (event.kind === 'sync_result') ended(event.outcome)
      else if (event.kind === 'misbehaviour') {
        const { code, message } = event
        change(event.peer, { misbehaviour: { code, message, atMs: clock.wallMs() } })
      } else if (event.kind === 'revoked' && !event.held) {
        const message = 'the peer says that this node was removed from the store, by what has no effect here'
        failed(event.peer, event.storeId, { code: 'REVOKED', message, refused: true })
      } else if (event.kind === 'peer_disconnected') {
        const message = printable(event.reason)
        change(event.peer, { ended: { by: event.by, message, atMs: clock.wallMs() }, refusal: undefined })
      } else if (event.kind === 'peer_connected') change(event.peer, { ended: undefined })
    },
    digestsFailed: (peer, error) => {
      if (!(error instanceof PeerRefused) || error.busy) return
      change(peer, { refusal: { code: error.code, message: error.message, atMs: clock.wallMs() } })
    },
    digestsCompared: (peer) => change(peer, { refusal: undefined }),
    unshared: (peer, storeId) =>
      failed(peer, storeId, { code: 'STORE_NOT_FOUND', message: 'the peer refused: no such store', refused: true }),
    shared: (peer, storeId) => {
      const key = pairKey(peer, storeId)
      if (sessions.get(key)?.code === 'STORE_NOT_FOUND') sessions.delete(key)
    },
    of: (peer) => peers.get(idKey(peer)) ?? NO_TROUBLES,
    ofSession: (peer, storeId) => sessions.get(pairKey(peer, storeId)),
  }
}
