/**
 * Lets go of what is only there to say that something is gone, such as the tombstones of deleted keys.
 *
 * Whoever had history cut does it, once it is cut here: what lies below an epoch that everybody who writes has seen is known to
 * all that will be written. It is written as operations that take it out of the state everywhere alike. Nothing is remembered:
 * what a crash or a refusal leaves is found after the next prune.
 *
 * @module
 */
import type { Kernel } from '@lattice/kernel'
import { equalBytes, idKey, type IdKey, type IntentionId } from '@lattice/model'
import { readSchema } from '@lattice/systemstore'
import { toFailure } from '../failure.ts'
import type { NodeContext } from '../node-context.ts'
import type { OpenStore } from '../open-store.ts'
import type { TablesOf } from '../store-peers.ts'
import { whyHeld } from '../write-hold.ts'
import { targetOf } from './pending-prune.ts'

export interface StorePurges {
  /** Follows a store that came into use. */
  readonly follow: (store: OpenStore) => void
  /** Nothing more is written. */
  readonly close: () => void
}

export interface StorePurgesOptions {
  readonly tablesOf: TablesOf
  /** Whether a store is still the one that was followed. */
  readonly isInUse: (store: OpenStore) => boolean
}

export function createStorePurges(context: NodeContext, { tablesOf, isInUse }: StorePurgesOptions): StorePurges {
  const { scheduler, logger } = context
  const running = new Set<IdKey>()
  let isOver = false

  async function purge(store: OpenStore): Promise<void> {
    const { kernel, machine: { purge: purging } = {} } = store
    if (purging === undefined || readSchema(kernel.tables().system) < purging.schema) return
    if (whyHeld(context, kernel, tablesOf) !== undefined) return
    let writes = 0
    for (const payload of purging.plan(kernel.tables().app, kernel.seenByAll())) {
      if (payload === undefined) await new Promise<void>((resolve) => void scheduler.soon(resolve))
      else {
        await kernel.submit({ kind: 'appData', schema: purging.schema, value: payload })
        writes += 1
      }
      if (isOver || !isInUse(store)) return
    }
    if (writes > 0) logger.info('store.purged', { storeId: store.id, writes })
  }

  return {
    follow: (store) => {
      const key = idKey(store.id)
      store.kernel.onEvent((event) => {
        if (event.kind !== 'pruned' || running.has(key) || !isPrunedBy(store.kernel, event.epoch, context.id)) return
        running.add(key)
        purge(store)
          .catch((error: unknown) => logger.warn('store.not_purged', { storeId: store.id, ...toFailure(error) }))
          .finally(() => running.delete(key))
      })
    },
    close: () => {
      isOver = true
    },
  }
}

/** True for the author of the epoch that had history cut at `base`: one of all the nodes. */
function isPrunedBy(kernel: Pick<Kernel, 'epochs'>, base: IntentionId, self: NodeContext['id']): boolean {
  const asking = kernel.epochs().find((epoch) => {
    const target = epoch.fault === undefined ? targetOf(epoch) : undefined
    return target !== undefined && equalBytes(target, base)
  })
  return asking !== undefined && equalBytes(asking.author, self)
}
