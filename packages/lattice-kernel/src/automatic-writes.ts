/**
 * What a node writes by itself: acks of what arrives, acks of epochs, the state where its log was cut, and the epoch that
 * joins several.
 *
 * @module
 */
import { createAcknowledger, type Acknowledger, type AcknowledgerDeps } from './acknowledger.ts'
import { type BaseVoucherDeps, createBaseVoucher } from './base-voucher.ts'
import { createEpochAcknowledger, type EpochAcknowledgerDeps } from './epoch-acknowledger.ts'
import { createEpochJoiner, type EpochJoinerDeps } from './epoch-joiner.ts'

export interface AutomaticWrites {
  readonly start: () => void
  /** Looks again whether something is due: what another store says of who may write has changed. */
  readonly reconsider: () => void
  readonly emitAck: Acknowledger['emit']
  /** Writes no more. Resolves when what is under way is done. */
  readonly close: () => Promise<void>
}

export function createAutomaticWrites(
  deps: AcknowledgerDeps & EpochAcknowledgerDeps & BaseVoucherDeps & EpochJoinerDeps,
): AutomaticWrites {
  const acknowledger = createAcknowledger(deps)
  const all = [acknowledger, createEpochAcknowledger(deps), createBaseVoucher(deps), createEpochJoiner(deps)]
  return {
    emitAck: acknowledger.emit,
    start: () => {
      for (const { start } of all) start()
    },
    reconsider: () => {
      for (const { reconsider } of all) reconsider()
    },
    close: async () => {
      await Promise.all(all.map(async ({ close }) => close()))
    },
  }
}
