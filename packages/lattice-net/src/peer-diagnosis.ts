/**
 * What is known of why a peer is not there, or not in step: for people who ask.
 *
 * @module
 */
import type { PublicKey, StoreId } from '@lattice/model'
import type { DialState } from './dialer.ts'
import type { NetworkCore } from './network-core.ts'
import type { PeerStanding } from './peer-defence.ts'
import type { PeerTroubles, SessionTrouble } from './peer-troubles.ts'

export interface PeerDiagnosis extends PeerTroubles, PeerStanding {
  /** Undefined for a peer that is not wanted. */
  readonly dial: DialState | undefined
  /** Milliseconds it is still shut out for after misbehaving; 0 when it is welcome. */
  readonly mutedForMs: number
}

/** How reconciling one store with one peer goes. */
export interface ExchangeDiagnosis {
  /** A session is under way. */
  readonly isRunning: boolean
  readonly lastFailure: SessionTrouble | undefined
}

export function diagnosePeer(core: NetworkCore, peer: PublicKey): PeerDiagnosis {
  return {
    ...core.troubles.of(peer),
    ...core.defence.look(peer),
    dial: core.dialer.state(peer),
    mutedForMs: core.ledger.mutedForMs(peer),
  }
}

export function diagnoseExchange(core: NetworkCore, peer: PublicKey, storeId: StoreId): ExchangeDiagnosis {
  return {
    isRunning: core.agenda.slots.current(peer, storeId) !== undefined,
    lastFailure: core.troubles.ofSession(peer, storeId),
  }
}
