/**
 * What of a kernel's history was cut, as the network sees it.
 *
 * Only a state that enough peers signed is served: who makes the store anew can prove it then. It is the one at the epoch
 * where the log was cut, so that all have the same history; where there is none it is a later one, and the foundation is
 * given at the epoch of that.
 *
 * @module
 */
import { encodeFoundationItem, type Kernel, type LogBase } from '@lattice/kernel'
import { equalBytes, type IntentionId, isLatticeError } from '@lattice/model'
import type { FoundationRead, PrunedReplica, ReplicaBase, ServedSnapshot, SnapshotRead } from '@lattice/net-types'

export function createPrunedReplica(kernel: Kernel): PrunedReplica {
  return {
    base: () => toBase(kernel.base()),
    over: kernel.over,
    readFoundation: (base, after, maxBytes) => readFoundation(kernel, base, { after, maxBytes }),
    snapshot: () => servedSnapshot(kernel),
    readSnapshot: (epoch, after, maxBytes) =>
      readSnapshot(kernel, { epoch, maxBytes, ...(after === undefined ? {} : { after }) }),
    onPruned: (listener) =>
      kernel.onEvent((event) => {
        if (event.kind === 'pruned') listener()
      }),
  }
}

function toBase(base: LogBase | undefined): ReplicaBase | undefined {
  return base && { epoch: base.epoch, seq: base.seq, goneCount: base.goneCount }
}

function readFoundation(
  kernel: Kernel,
  base: IntentionId,
  { after, maxBytes }: { readonly after: number; readonly maxBytes: number },
): FoundationRead | undefined {
  const foundation = kernel.foundation(base)
  if (foundation === undefined) return undefined
  const total = foundation.items
  const items = after < total ? foundation.read(after, maxBytes).map(encodeFoundationItem) : []
  return { items, total }
}

function servedSnapshot(kernel: Kernel): ServedSnapshot | undefined {
  const { base, settled, divergences } = kernel.snapshot()
  // Where others signed another state later, or fewer of them did, what is proved is still so.
  const isWrong = (epoch: IntentionId): boolean =>
    divergences.some((each) => each.isOutvoted && equalBytes(each.epoch, epoch))
  const served = [base, settled].find((info) => info && !isWrong(info.epoch) && isProvable(kernel, info.epoch))
  return served && { epoch: served.epoch, root: served.root, rows: served.rows.system + served.rows.app }
}

/** Enough peers signed the state there, what it stands on can be given, and who begins there can take in all that is here. */
function isProvable(kernel: Kernel, epoch: IntentionId): boolean {
  const isOver = kernel.epoch(epoch)?.mayBegin === true && kernel.over(epoch, true) !== undefined
  return isOver && kernel.foundation(epoch) !== undefined
}

function readSnapshot(kernel: Kernel, options: Parameters<Kernel['readSnapshot']>[0]): SnapshotRead | undefined {
  try {
    return kernel.readSnapshot(options)
  } catch (error) {
    // Another was made meanwhile, or there is none any more.
    if (isLatticeError(error) && (error.code === 'SNAPSHOT_GONE' || error.code === 'WRONG_STATE')) return undefined
    throw error
  }
}
