/**
 * Acknowledges an epoch, once its state is here, to those who wait for this node to have seen it.
 *
 * The ack carries the root of the state at the epoch where one is known; without it, it settles and vouches for nothing.
 * One is made per epoch, by whoever the epoch names, and by its author where it has a root to sign: which there are
 * follows from the log, so nothing is remembered over a restart. Of several heads none is acknowledged before they are
 * joined: whoever acknowledges the join has seen them all. Acks call for nothing.
 *
 * @module
 */
import { type Cancel, equalBytes, type Hash, type IntentionId } from '@lattice/model'
import { countingAcks } from './counting-acks.ts'
import type { Core } from './core.ts'
import type { BookEpoch } from './epoch-book.ts'
import { createFollowUp } from './follow-up.ts'
import { requiredOf } from './settlement.ts'
import { isConcerned, type Submit, submitEpochAck } from './submit-epoch-ack.ts'

export interface EpochAcknowledger {
  readonly start: () => void
  /** See `AutomaticWrites`. */
  readonly reconsider: () => void
  readonly close: () => Promise<void>
}

export interface EpochAcknowledgerDeps {
  readonly core: Core
  readonly submit: Submit
  /** See `KernelOptions.rootOf`. */
  readonly rootOf: (epoch: IntentionId) => Promise<Hash | undefined>
}

/** Long enough that what arrives together is looked at together: an epoch and the one that joins it. */
export const EPOCH_ACK_DELAY_MS = 500

export function createEpochAcknowledger({ core, submit, rootOf }: EpochAcknowledgerDeps): EpochAcknowledger {
  const { log, options } = core
  const self = options.signer.publicKey
  const cancels: Cancel[] = []

  /** The one head, where there is one. A write waits until it is projected. */
  function pending(): BookEpoch | undefined {
    const heads = log.book.heads()
    const [head] = heads
    return head === undefined || heads.length > 1 ? undefined : log.book.epochOf(head)
  }

  /** Whether an ack with this root says something that this node has not said. */
  function isDue(epoch: BookEpoch, root: Hash | undefined): boolean {
    const said = log.book.acks.by(epoch.record.id, self, countingAcks(log))
    if (root !== undefined) return said === undefined || said.states.length === 0
    return said === undefined && requiredOf(epoch).some((key) => equalBytes(key, self))
  }

  async function acknowledge(): Promise<void> {
    let epoch = pending()
    if (epoch === undefined || !core.admits(self)) return
    let root = await rootOf(epoch.record.id)
    // What the root was waited for may have been followed by another meanwhile.
    for (let now = pending(); now !== epoch; now = pending()) {
      if (now === undefined) return
      epoch = now
      root = await rootOf(epoch.record.id)
    }
    // One that ends may have the state later; what it says now would not vouch for it.
    if (followUp.isClosed() || !isDue(epoch, root)) return
    const { id } = epoch.record
    const isWritten = await submitEpochAck({ core, submit }, { epoch, root }, () => isStillDue(id, root))
    // Another epoch came, or this node has said it already: seen then.
    if (!isWritten) followUp.arm(EPOCH_ACK_DELAY_MS)
  }

  /** The epoch may have been joined meanwhile, and the join is what is acknowledged then. */
  function isStillDue(id: IntentionId, root: Hash | undefined): boolean {
    const epoch = pending()
    return epoch !== undefined && equalBytes(epoch.record.id, id) && isDue(epoch, root)
  }

  const followUp = createFollowUp(options, { name: 'acknowledging an epoch', act: acknowledge })
  const arm = (): void => {
    const epoch = pending()
    if (epoch !== undefined && isConcerned(epoch, self)) followUp.arm(EPOCH_ACK_DELAY_MS)
  }

  return {
    start: () => {
      cancels.push(
        core.projected.add(({ ops }) => {
          // This node may be admitted by what is no epoch.
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
