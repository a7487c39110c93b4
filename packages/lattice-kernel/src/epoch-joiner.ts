/**
 * Joins epochs that were made at the same time, so that there is one again.
 *
 * Every node that might do it waits for its turn, in the order of keys: the first soon, each next one a deadline later,
 * so that a join comes although those before are away, and most often only one is made. Several are joined in turn.
 *
 * @module
 */
import { type Cancel, equalBytes, type IntentionId, isLatticeError } from '@lattice/model'
import type { EpochWish } from '@lattice/store-base'
import type { Core } from './core.ts'
import { createFollowUp } from './follow-up.ts'

export interface EpochJoiner {
  readonly start: () => void
  /** See `AutomaticWrites`. */
  readonly reconsider: () => void
  readonly close: () => Promise<void>
}

export interface EpochJoinerDeps {
  readonly core: Core
  readonly submitEpoch: (wish: EpochWish) => Promise<IntentionId>
}

/** Long enough that what arrives together is looked at together: two epochs and the one that joins them. */
export const JOIN_DELAY_MS = 1000
/** How long a peer waits for the one before it: a join takes some rounds of gossip to get about. */
export const JOIN_DEADLINE_MS = 15_000
/** Peers that wait for their turn at most: the others leave it to these. */
const TURNS_MAX = 240

export function createEpochJoiner({ core, submitEpoch }: EpochJoinerDeps): EpochJoiner {
  const { log, options } = core
  const { book } = log
  const cancels: Cancel[] = []
  const isForked = (): boolean => book.heads().length > 1

  /** How many come before this node; undefined where it is not among those that join. */
  function turn(): number | undefined {
    const index = book
      .view()
      .active()
      .findIndex((key) => equalBytes(key, options.signer.publicKey))
    return index < 0 || index >= TURNS_MAX ? undefined : index
  }

  async function join(): Promise<void> {
    if (!isForked() || turn() === undefined) return
    try {
      await submitEpoch({ kind: 'join_of_epochs' })
    } catch (error) {
      // Another was quicker.
      if (!(isLatticeError(error) && error.code === 'WRONG_STATE' && !isForked())) throw error
    }
  }

  const followUp = createFollowUp(options, { name: 'joining epochs', act: join })
  const arm = (): void => {
    if (!isForked()) return
    const before = turn()
    if (before !== undefined) followUp.arm(JOIN_DELAY_MS + before * JOIN_DEADLINE_MS)
  }

  return {
    start: () => {
      cancels.push(
        core.projected.add(({ ops }) => {
          if (ops.some(({ kind }) => kind === 'epoch' || kind === 'system')) arm()
        }),
        core.events.add(({ kind }) => {
          if (kind === 'resumed' || kind === 'rebuilt') arm()
        }),
      )
      arm()
    },
    reconsider: arm,
    close: async () => {
      for (const cancel of cancels.splice(0)) cancel()
      await followUp.close()
    },
  }
}
