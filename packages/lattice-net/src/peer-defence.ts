/**
 * The parts of the defence, as each connection uses them: meters, the ledger, and who acts on what is found.
 *
 * @module
 */
import type { PeerConduct } from './peer-conduct.ts'
import type { PeerLedger } from './peer-ledger.ts'
import type { PeerDefence } from './peer-link.ts'
import { createPeerMeters, type PeerMetersDeps } from './peer-meter.ts'

export interface PeerDefenceDeps extends PeerMetersDeps {
  readonly ledger: PeerLedger
  readonly conduct: PeerConduct
}

/** Starts with nothing counted. */
export function createPeerDefence({ clock, ledger, conduct }: PeerDefenceDeps): PeerDefence {
  const { overused, askedWhileMuted, broke } = conduct
  return { meterOf: createPeerMeters({ clock }).of, standing: ledger.standing, overused, askedWhileMuted, broke }
}
