/**
 * Follows the pruning of a store until what an epoch is to delete is gone.
 *
 * @module
 */
import { type EpochStatus, KernelClosed } from '@lattice/kernel'
import { type AbortSignal, createBroadcast, toHex } from '@lattice/model'
import type { OpenStore } from '../open-store.ts'
import { findEpoch } from '../revoke-peer.ts'
import type { StorePruning } from './history-types.ts'
import { targetOf } from './pending-prune.ts'

/** One wake-up is as good as many. */
const WAKE_UPS = 1

export interface FollowPruning {
  readonly epoch: EpochStatus
  readonly look: () => StorePruning
  readonly signal: AbortSignal
}

/** As it is now, and whenever it changed; ends with the one in which history begins no earlier than the epoch says. */
export async function* followPruning(
  store: Pick<OpenStore, 'id' | 'kernel' | 'closed'>,
  { epoch, look, signal }: FollowPruning,
): AsyncIterable<StorePruning> {
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
      const now = look()
      const text = textOf(now)
      if (text !== shown) yield now
      shown = text
      if (now.state === 'idle' && now.base !== undefined && seq !== undefined && now.base.seq >= seq) return
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
