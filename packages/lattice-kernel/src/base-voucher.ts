/**
 * Signs the state where the log was cut, where too few have: with their word others can begin there.
 *
 * A log may be cut below an earlier epoch, or below one that was joined with others. Of these nobody may have signed the
 * state, for it is the head that is acknowledged. Whoever has cut there has that state, and signs it once, by whoever the
 * epoch names and by its author. Where enough have signed it nothing is written, as after every prune below itself.
 *
 * @module
 */
import type { Cancel, Hash, IntentionId } from '@lattice/model'
import { countingAcks } from './counting-acks.ts'
import type { Core } from './core.ts'
import { EPOCH_ACK_DELAY_MS } from './epoch-acknowledger.ts'
import type { BookEpoch } from './epoch-book.ts'
import { statusesOf } from './epoch-status.ts'
import { createFollowUp } from './follow-up.ts'
import type { KernelEvent } from './kernel-types.ts'
import { isConcerned, type Submit, submitEpochAck } from './submit-epoch-ack.ts'

export interface BaseVoucher {
  readonly start: () => void
  /** See `AutomaticWrites`. */
  readonly reconsider: () => void
  readonly close: () => Promise<void>
}

export interface BaseVoucherDeps {
  readonly core: Core
  readonly submit: Submit
  /** The state that is kept at an epoch; undefined where none is. */
  readonly keptRoot: (epoch: IntentionId) => Hash | undefined
}

/** When the log may be cut, the state there kept, or this node able to write, and was not before. */
const MOMENTS: ReadonlySet<KernelEvent['kind']> = new Set(['pruned', 'snapshot_made', 'resumed', 'rebuilt'])

export function createBaseVoucher({ core, submit, keptRoot }: BaseVoucherDeps): BaseVoucher {
  const { log, options } = core
  const self = options.signer.publicKey
  const cancels: Cancel[] = []

  /** The base, where this node is to sign the state there. */
  function due(): BookEpoch | undefined {
    const id = log.base.epoch()
    const base = id && log.book.epochOf(id)
    if (base === undefined) return undefined
    const said = log.book.acks.by(base.record.id, self, countingAcks(log))
    if (!isConcerned(base, self) || (said?.states.length ?? 0) > 0) return undefined
    const [status] = statusesOf(core, [base])
    return status?.isSettled === true && !status.isFinal ? base : undefined
  }

  async function vouch(): Promise<void> {
    const base = due()
    const root = base && keptRoot(base.record.id)
    if (base === undefined || root === undefined || !core.admits(self)) return
    await submitEpochAck({ core, submit }, { epoch: base, root }, () => due() === base)
  }

  const followUp = createFollowUp(options, { name: 'signing the state where history was cut', act: vouch })
  const arm = (): void => {
    if (due() !== undefined) followUp.arm(EPOCH_ACK_DELAY_MS)
  }
  return {
    start: () => {
      cancels.push(
        core.events.add(({ kind }) => {
          if (MOMENTS.has(kind)) arm()
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
