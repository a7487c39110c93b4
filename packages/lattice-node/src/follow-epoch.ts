/**
 * Follows an epoch until everybody who has to has acknowledged it, or nobody can any more.
 *
 * @module
 */
import { type EpochStatus, KernelClosed } from '@lattice/kernel'
import { type AbortSignal, createBroadcast, type IntentionId, toHex } from '@lattice/model'
import { mayComeToCount } from '@lattice/store-base'
import { NodeError, shortId } from './errors.ts'
import type { OpenStore } from './open-store.ts'
import { findEpoch } from './revoke-peer.ts'

/** One wake-up is as good as many. */
const WAKE_UPS = 1

/** The epoch now, and whenever it changed; ends with the one that is settled, or stays without effect. */
export function followEpoch(store: OpenStore, id: IntentionId, signal: AbortSignal): AsyncIterable<EpochStatus> {
  if (findEpoch(store, id) === undefined) {
    throw new NodeError('INTENTION_NOT_FOUND', `the store has no epoch ${shortId(id)}: list its epochs`)
  }
  return follow(store, id, signal)
}

/** True where it does not count, and nothing that is waited for changes that. */
export function isWithoutEffect({ fault }: Pick<EpochStatus, 'fault'>): boolean {
  return fault !== undefined && !mayComeToCount(fault)
}

async function* follow(store: OpenStore, id: IntentionId, signal: AbortSignal): AsyncIterable<EpochStatus> {
  const { kernel, closed } = store
  const wakeUps = createBroadcast<true>({ capacity: WAKE_UPS })
  const wake = (): void => wakeUps.publish(true)
  const news = wakeUps.subscribe(AbortSignal.any([signal, closed]))
  const cancels = [kernel.onWitnessed(wake), kernel.onEvent(wake), kernel.onProjected(wake)]
  try {
    let shown = ''
    wake()
    for await (const _ of news) {
      const epoch = findEpoch(store, id)
      if (epoch === undefined) return
      const seen = [
        epoch.fault,
        epoch.isSettled,
        epoch.isFinal,
        ...epoch.acked.map(toHex),
        ...epoch.waitingFor.map(toHex),
      ]
      if (seen.join(' ') !== shown) yield epoch
      shown = seen.join(' ')
      if (epoch.isSettled || isWithoutEffect(epoch)) return
    }
    signal.throwIfAborted()
    throw new KernelClosed(store.id)
  } finally {
    for (const cancel of cancels) cancel()
  }
}
