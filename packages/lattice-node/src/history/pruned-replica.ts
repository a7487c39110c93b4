/**
 * What a kernel tells the network of a history that was cut, and hands to who makes the store anew.
 *
 * What is handed out begins at the epoch of the state that is kept, which may be a later one than the log's own base: the
 * log over it is the same for all who know the epoch. Only state that is final is: of any other the newcomer would find that
 * too few vouch for it.
 *
 * @module
 */
import { encodeFoundationItem, type Kernel } from '@lattice/kernel'
import { equalBytes, isLatticeError } from '@lattice/model'
import type { PrunedReplica, ServedSnapshot } from '@lattice/net-types'

export function createPrunedReplica(kernel: Kernel): PrunedReplica {
  return {
    base: () => {
      const base = kernel.base()
      return base && { epoch: base.epoch, seq: base.seq, goneCount: base.goneCount }
    },
    over: kernel.over,
    readFoundation: (base, after, maxBytes) => {
      const foundation = kernel.base() === undefined ? undefined : kernel.foundation(base)
      if (foundation === undefined) return undefined
      return { items: foundation.read(after, maxBytes).map(encodeFoundationItem), total: foundation.items }
    },
    snapshot: () => servedOf(kernel),
    readSnapshot: (epoch, after, maxBytes) => {
      try {
        const page = kernel.readSnapshot({ epoch, ...(after && { after }), maxBytes })
        return { epoch: page.epoch, root: page.root, rows: page.rows, isLast: page.isLast }
      } catch (error) {
        if (isLatticeError(error) && (error.code === 'SNAPSHOT_GONE' || error.code === 'WRONG_STATE')) return undefined
        throw error
      }
    },
    onPruned: (listener) => {
      let known = kernel.base()?.fromSeq
      return kernel.onEvent(({ kind }) => {
        // It is decided before anything is deleted.
        if (kind !== 'pruned' && kind !== 'prune_progress') return
        const now = kernel.base()?.fromSeq
        if (now === known) return
        known = now
        listener()
      })
    },
  }
}

function servedOf(kernel: Kernel): ServedSnapshot | undefined {
  const { settled } = kernel.snapshot()
  if (settled === undefined) return undefined
  const isFinal = kernel.epochs().some(({ id, isFinal: isIt }) => isIt && equalBytes(id, settled.epoch))
  if (!isFinal) return undefined
  const { epoch, seq, root, rows } = settled
  return { epoch, seq, root, rows: rows.system + rows.app }
}
