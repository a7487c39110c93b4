/**
 * The parts of the defence, as each connection uses them: meters, the ledger, and who acts on what is found.
 *
 * @module
 */
import type { PeerConduct } from './peer-conduct.ts'
import type { PublicKey } from '@lattice/model'
import type { PeerLedger, Standing } from './peer-ledger.ts'
import type { PeerDefence } from './peer-link.ts'
import { createPeerMeters, type MeteredKind, type PeerMetersDeps } from './peer-meter.ts'

export interface PeerDefenceDeps extends PeerMetersDeps {
  readonly ledger: PeerLedger
  readonly conduct: PeerConduct
}

/** How a peer stands here, and what it is held back for: for people who ask. */
export interface PeerStanding {
  readonly standing: Standing
  /** Points for what it did wrong: half of them are forgiven with time. From 50 on it is not served, at 100 shut out. */
  readonly score: number
  /** What it used up: more of it waits, or is refused. */
  readonly drained: readonly MeteredKind[]
  /** Bytes of its frames in memory. */
  readonly heldBytes: number
}

export interface Defence extends PeerDefence {
  readonly look: (peer: PublicKey) => PeerStanding
}

/** Starts with nothing counted. */
export function createPeerDefence({ clock, ledger, conduct }: PeerDefenceDeps): Defence {
  const { overused, askedWhileMuted, broke } = conduct
  const meters = createPeerMeters({ clock })
  return {
    meterOf: meters.of,
    standing: ledger.standing,
    overused,
    askedWhileMuted,
    broke,
    look: (peer) => {
      const meter = meters.look(peer)
      return {
        standing: ledger.standing(peer),
        score: ledger.scoreOf(peer),
        drained: meter?.drained() ?? [],
        heldBytes: meter?.held.total() ?? 0,
      }
    },
  }
}
