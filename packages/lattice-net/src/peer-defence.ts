/**
 * What a connection needs to know of the defence of this node.
 *
 * @module
 */
import type { PublicKey } from '@lattice/model'
import type { PeerConduct } from './peer-conduct.ts'
import type { PeerLedger } from './peer-ledger.ts'
import { createPeerMeters, type PeerMeter, type PeerMetersDeps } from './peer-meter.ts'

export interface PeerDefence extends Pick<PeerConduct, 'overused' | 'askedWhileMuted'>, Pick<PeerLedger, 'standing'> {
  /** What the peer has used of late, over all its connections. */
  readonly meterOf: (peer: PublicKey) => PeerMeter
}

export interface PeerDefenceDeps extends PeerMetersDeps {
  readonly ledger: PeerLedger
  readonly conduct: PeerConduct
}

export function createPeerDefence({ clock, ledger, conduct }: PeerDefenceDeps): PeerDefence {
  const meters = createPeerMeters({ clock })
  return {
    meterOf: meters.of,
    standing: ledger.standing,
    overused: conduct.overused,
    askedWhileMuted: conduct.askedWhileMuted,
  }
}
