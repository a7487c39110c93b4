/**
 * Looks after the peers that this node is not connected to, one at a time.
 *
 * In a large mesh a node has few neighbours. Of the others it would know nothing but what they write, so each is visited
 * now and then: connected to, its digests compared, its stores reconciled where they differ, let go. Whoever was heard of
 * meanwhile is not visited, one that is not there is visited less and less often, and the visits of a mesh are spread by
 * chance. A visit to one peer at a time, at the pace of the network's tick, is what all of it can cost.
 *
 * @module
 */
import { type IdKey, idKey, type PublicKey, type Random } from '@lattice/model'
import { backoffMs, jitterMs } from './backoff.ts'
import type { NetworkLimits } from './limits.ts'

export interface Prober {
  /** Starts a visit if one is due. */
  readonly review: () => void
  /** What kept peers from being reached may be gone: each is visited again in its turn. */
  readonly hurry: () => void
}

export interface ProberOptions {
  /** All peers of stores that are here. */
  readonly peers: () => readonly PublicKey[]
  /** True for one that is connected, or dialled in any case. */
  readonly isLookedAfter: (peer: PublicKey) => boolean
  readonly mutedForMs: (peer: PublicKey) => number
  /** How long ago the peer was heard of; undefined when it never was. */
  readonly quietForMs: (peer: PublicKey) => number | undefined
  /** Connects and says whether the peer is there. Never rejects. */
  readonly visit: (peer: PublicKey) => Promise<boolean>
  readonly nowMs: () => number
  readonly random: Random
  readonly limits: Pick<NetworkLimits, 'probeEveryMs' | 'probeRoundMs' | 'probeBackoffMs' | 'probeBackoffMaxMs'>
  readonly spawn: (name: string, task: () => Promise<void>) => void
}

interface Turn {
  readonly peer: PublicKey
  attempts: number
  /** Monotonic time of the next visit. */
  dueMs: number
}

/** Starts without visits. Remembered is one turn per peer of `peers`. */
export function createProber(options: ProberOptions): Prober {
  const { peers, isLookedAfter, mutedForMs, quietForMs, visit, nowMs, random, limits, spawn } = options
  let turns = new Map<IdKey, Turn>()
  let nextMs = 0
  let isVisiting = false

  function newTurn(peer: PublicKey): Turn {
    return { peer, attempts: 0, dueMs: nowMs() + jitterMs(limits.probeEveryMs, random) }
  }
  /** Those to be looked after from here, each with its turn; of peers that are none any more nothing is kept. */
  function candidates(): readonly Turn[] {
    const found = peers()
      .filter((peer) => !isLookedAfter(peer))
      .map((peer) => turns.get(idKey(peer)) ?? newTurn(peer))
    turns = new Map(found.map((turn) => [idKey(turn.peer), turn]))
    return found
  }
  function isDue({ peer, dueMs }: Turn): boolean {
    const quietMs = quietForMs(peer)
    const isFresh = quietMs !== undefined && quietMs < limits.probeRoundMs
    return dueMs <= nowMs() && !isFresh && mutedForMs(peer) === 0
  }
  async function look(turn: Turn): Promise<void> {
    isVisiting = true
    const isThere = await visit(turn.peer)
    isVisiting = false
    const { probeBackoffMs: firstMs, probeBackoffMaxMs: maxMs } = limits
    turn.dueMs = nowMs() + (isThere ? limits.probeRoundMs : backoffMs(turn.attempts, { firstMs, maxMs, random }))
    turn.attempts = isThere ? 0 : turn.attempts + 1
  }

  return {
    review: () => {
      if (isVisiting || nowMs() < nextMs) return
      // Half of the pause is chance, so that the visits of nodes that started together drift apart.
      nextMs = nowMs() + limits.probeEveryMs / 2 + jitterMs(limits.probeEveryMs, random)
      const [first] = candidates()
        .filter(isDue)
        .toSorted((a, b) => a.dueMs - b.dueMs)
      if (first !== undefined) spawn('visit', () => look(first))
    },
    hurry: () => {
      turns = new Map()
      nextMs = 0
    },
  }
}
