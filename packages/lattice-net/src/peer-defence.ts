/**
 * The parts of the defence, as each connection uses them: meters, memory, the ledger, and who acts on what is found.
 *
 * @module
 */
import { createHeldMemory, type HeldMemoryOptions } from './held-memory.ts'
import type { PeerConduct } from './peer-conduct.ts'
import type { PublicKey } from '@lattice/model'
import type { PeerLedger, Standing } from './peer-ledger.ts'
import type { PeerDefence } from './peer-link.ts'
import { createPeerMeters, type MeteredKind, type PeerMetersDeps } from './peer-meter.ts'

export interface PeerDefenceDeps extends PeerMetersDeps, Pick<HeldMemoryOptions, 'limitBytes' | 'isKnown'> {
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
export function createPeerDefence({ clock, ledger, conduct, limitBytes, isKnown }: PeerDefenceDeps): Defence {
  const { overused, askedWhileMuted, broke } = conduct
  const meters = createPeerMeters({ clock })
  const memory = createHeldMemory({ limitBytes, isKnown })
  return {
    meterOf: meters.of,
    memory,
    standing: ledger.standing,
    overused,
    askedWhileMuted,
    broke,
    look: (peer) => ({
      standing: ledger.standing(peer),
      score: ledger.scoreOf(peer),
      drained: meters.look(peer)?.drained() ?? [],
      heldBytes: memory.of(peer),
    }),
  }
}
