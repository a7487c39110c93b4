/**
 * Follows the pruning of a store until what an epoch is to delete is gone, or never will be by it.
 *
 * @module
 */
import { type EpochStatus, KernelClosed } from '@lattice/kernel'
import { type AbortSignal, createBroadcast, toHex } from '@lattice/model'
import { isWithoutEffect } from '../follow-epoch.ts'
import type { OpenStore } from '../open-store.ts'
import { findEpoch } from '../revoke-peer.ts'
import type { FollowedPruning, StorePruning } from './history-types.ts'
import { targetOf } from './pending-prune.ts'

/** One wake-up is as good as many. */
const WAKE_UPS = 1

export interface FollowPruning {
  readonly epoch: EpochStatus
  readonly look: () => StorePruning
  readonly signal: AbortSignal
}

/**
 * As it is now, and whenever it changed; ends with the one in which history begins no earlier than the epoch says, or by
 * which the epoch stays without effect.
 */
export async function* followPruning(
  store: Pick<OpenStore, 'id' | 'kernel' | 'closed'>,
  { epoch, look, signal }: FollowPruning,
): AsyncIterable<FollowedPruning> {
  const { kernel, closed } = store
  const target = targetOf(epoch)
  const seq = target && findEpoch(store, target)?.seq
  const wakeUps = createBroadcast<true>({ capacity: WAKE_UPS })
  const wake = (): void => wakeUps.publish(true)
  const news = wakeUps.subscribe(AbortSignal.any([signal, closed]))
  const cancels = [kernel.onWitnessed(wake), kernel.onEvent(wake)]
  try {
    let shown = ''
    wake()
    for await (const _ of news) {
      const pruning = look()
      const isCut = pruning.base !== undefined && seq !== undefined && pruning.base.seq >= seq
      const followed = isCut ? undefined : findEpoch(store, epoch.id)
      const ineffective = followed?.fault === undefined ? undefined : followed
      const text = `${ineffective?.fault ?? ''} ${textOf(pruning)}`
      if (text !== shown) yield { ...pruning, ineffective }
      shown = text
      if (isCut ? pruning.state === 'idle' : ineffective && isWithoutEffect(ineffective)) return
    }
    signal.throwIfAborted()
    throw new KernelClosed(store.id)
  } finally {
    for (const cancel of cancels) cancel()
  }
}

function textOf({ state, epoch, done, total, failure, waitsFor, base }: StorePruning): string {
  const ids = [epoch, base?.epoch].map((id) => (id === undefined ? '' : toHex(id)))
  return [state, ...ids, done, total, failure?.code, ...waitsFor.map(toHex)].join(' ')
}
