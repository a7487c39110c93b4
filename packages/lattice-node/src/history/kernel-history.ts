/** Stands in for what the kernel tells of a pruned log, until it does. */
import type { Kernel } from '@lattice/kernel'
import type { IntentionId } from '@lattice/model'

export interface LogBase {
  readonly epoch: IntentionId
  readonly seq: bigint
  readonly fromSeq: number
  readonly goneCount: number
}

export interface PruningProgress {
  readonly state: 'idle' | 'waiting' | 'pruning' | 'failed'
  readonly epoch?: IntentionId
  readonly done?: number
  readonly total?: number
  readonly failure?: unknown
}

export function baseOf(_kernel: Pick<Kernel, 'storeId'>): LogBase | undefined {
  return undefined
}

export function progressOf(_kernel: Pick<Kernel, 'storeId'>): PruningProgress {
  return { state: 'idle' }
}
