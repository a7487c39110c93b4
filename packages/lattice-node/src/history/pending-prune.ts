/**
 * The epoch by which history is to be deleted next, and what was written since the newest one.
 *
 * @module
 */
import type { EpochStatus, Kernel } from '@lattice/kernel'
import { equalBytes, type IntentionId, type OpKind } from '@lattice/model'

/** The epoch below which a prune deletes. */
export function targetOf({ id, cause }: EpochStatus): IntentionId | undefined {
  if (cause.kind !== 'prune') return undefined
  return cause.below ?? id
}

/**
 * The newest epoch for pruning whose part of the history is not gone yet; undefined where there is none. One below which
 * something counts otherwise since all have acknowledged it waits for nobody, and deletes nothing: another is to be made.
 */
export function pendingPrune(kernel: Pick<Kernel, 'base' | 'epochs'>): EpochStatus | undefined {
  const baseSeq = kernel.base()?.seq
  const epochs = kernel.epochs()
  return epochs.find((epoch) => {
    const target = epoch.fault === undefined ? targetOf(epoch) : undefined
    const below = target && epochs.find(({ id }) => equalBytes(id, target))
    if (below === undefined || (below.isSettled && !below.isUpheld)) return false
    return baseSeq === undefined || below.seq > baseSeq
  })
}

/** What says of others what was seen or decided; with nothing else there is nothing new to prune. */
const QUIET: ReadonlySet<OpKind> = new Set<OpKind>(['epoch', 'epochAck', 'ack'])
/** Records looked at: so many acks come after an epoch at most in a store of a few dozen peers. */
const LOOKED_AT = 64

/** True where something was written that an epoch has not below it. */
export function isAnythingAfter(kernel: Pick<Kernel, 'history' | 'get'>, epoch: IntentionId): boolean {
  const seq = kernel.get(epoch)?.seq ?? 0
  const latest = kernel.history(undefined, LOOKED_AT).filter((entry) => entry.seq > seq)
  return latest.length === LOOKED_AT || latest.some(({ parsed }) => !QUIET.has(parsed.op.kind))
}

/** Records that came here after the newest epoch that counts; all where there is none. */
export function countAfterNewest(kernel: Pick<Kernel, 'epochs' | 'get' | 'projection'>): number {
  const newest = kernel.epochs().find(({ fault }) => fault === undefined)
  const seq = newest && kernel.get(newest.id)?.seq
  return kernel.projection().headSeq - (seq ?? 0)
}
