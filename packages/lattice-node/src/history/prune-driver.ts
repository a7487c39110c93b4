/**
 * Prunes stores by their policy, without anybody asking.
 *
 * One node does it: the first active admin in the order of keys, or the next where that one is away for long. What is due
 * follows from the records and the policy alone, looked at now and then and when the policy changes; nothing is remembered,
 * so a crash at any point leaves no more than a look that comes later. The epoch tells all nodes what to delete, and each
 * does it when it is settled and final.
 *
 * History is cut at epochs only. Where none lies at the age that is kept, one is made that will in time: so many of them
 * that what is kept beyond the policy is a small part of it. No epoch is made that frees too little to be worth the state
 * that every node makes at it.
 *
 * @module
 */
import type { Kernel, PrunePlan } from '@lattice/kernel'
import { type Cancel, equalBytes, idKey, type IdKey, type StoreId, toHex } from '@lattice/model'
import type { EpochWish } from '@lattice/store-base'
import { toFailure } from '../failure.ts'
import type { NodeContext } from '../node-context.ts'
import type { OpenStore } from '../open-store.ts'
import { kernelAbove, type TablesOf } from '../store-peers.ts'
import { createTurns } from '../turns.ts'
import { whyHeld } from '../write-hold.ts'
import { submitCuttable } from './cuttable-epoch.ts'
import type { PruneKeep } from './history-types.ts'
import { countAfterNewest, pendingPrune } from './pending-prune.ts'
import { keepOf, keepOptions } from './prune-keep.ts'
import { policyOf } from './prune-store.ts'

/** Between two looks at all stores: history is kept by days, and a look costs little. */
export const PRUNE_LOOK_MS = 600_000
/** After a policy was set, or a store came into use: what else comes with it is looked at together. */
export const PRUNE_SOON_MS = 5_000
/** How long an admin waits for the one before it. That one may be looking only now, and its epoch takes a while to get about. */
export const PRUNE_DEADLINE_MS: number = 3 * PRUNE_LOOK_MS
/** Fewer are never worth an epoch: it is acknowledged by every peer and stays for ever, as does each of its acks for a time. */
export const PRUNE_MIN_INTENTIONS = 1000
/** The part of the log that has to go. With less the state that all nodes make costs more than the room it frees. */
export const PRUNE_MIN_PART = 0.25
/** So many are worth it whatever else there is: at about 200 bytes each they are 20 MB and more. */
export const PRUNE_MANY_INTENTIONS = 100_000
/** Epochs made per period that is kept: an eighth is what is kept beyond it at most. */
export const MARKS_PER_PERIOD = 8

export interface PruneDriver {
  /** Follows a store that came into use, in place of an earlier one of its id. */
  readonly follow: (store: OpenStore) => void
  readonly close: () => void
}

export interface PruneDriverOptions {
  readonly tablesOf: TablesOf
  /** The kernel of an open store. */
  readonly kernelOf: (id: StoreId) => Kernel | undefined
  /** Whether a store is still the one that was followed. */
  readonly isInUse: (store: OpenStore) => boolean
}

export function createPruneDriver(
  context: NodeContext,
  { tablesOf, kernelOf, isInUse }: PruneDriverOptions,
): PruneDriver {
  const { scheduler, clock, logger } = context
  const stores = new Map<IdKey, OpenStore>()
  const running = new Set<IdKey>()
  const turns = createTurns({ scheduler, deadlineMs: PRUNE_DEADLINE_MS, wake: () => lookSoon() })
  let timer: { readonly dueMs: number; readonly cancel: Cancel } | undefined
  let isOver = false

  function arm(delayMs: number): void {
    const dueMs = clock.monotonicMs() + delayMs
    if (isOver || (timer !== undefined && timer.dueMs <= dueMs)) return
    timer?.cancel()
    timer = { dueMs, cancel: scheduler.after(delayMs, look) }
  }
  function lookSoon(): void {
    arm(PRUNE_SOON_MS)
  }
  function look(): void {
    timer = undefined
    for (const [key, store] of stores) {
      if (!isInUse(store)) {
        stores.delete(key)
        turns.end(key)
      } else if (!running.has(key)) {
        running.add(key)
        lookAt(key, store)
          .catch((error: unknown) => logger.warn('store.not_pruned', { storeId: store.id, ...toFailure(error) }))
          .finally(() => running.delete(key))
      }
    }
    if (stores.size > 0) arm(PRUNE_LOOK_MS)
  }
  async function lookAt(key: IdKey, store: OpenStore): Promise<void> {
    const { kernel } = store
    const keep = keepOf(policyOf(kernel, tablesOf))
    const before = keep && turnOf(kernel, context.id)
    const wish = before === undefined ? undefined : wishOf(kernel, keep ?? {}, clock.wallMs())
    if (wish === undefined || before === undefined || whyHeld(context, kernel, tablesOf) !== undefined) turns.end(key)
    else if (turns.isCome(key, before)) {
      turns.end(key)
      const epoch = await submitCuttable(kernel, wish, kernelAbove(kernel.tables(), kernelOf))
      logger.info('store.epoch_for_policy', { storeId: store.id, epoch: toHex(epoch), purpose: wish.kind })
    }
  }

  return {
    follow: (store) => {
      const key = idKey(store.id)
      turns.end(key)
      stores.set(key, store)
      // The policy may be another, or who may follow it.
      store.kernel.onProjected(({ ops }) => {
        if (ops.some(({ kind }) => kind === 'system')) lookSoon()
      })
      lookSoon()
    },
    close: () => {
      isOver = true
      timer?.cancel()
      turns.close()
      stores.clear()
    },
  }
}

/** How many admins come before this node; undefined where it is none. */
function turnOf(kernel: Kernel, self: NodeContext['id']): number | undefined {
  const view = kernel.membership()
  const index = view
    .active()
    .filter(view.isAdmin)
    .findIndex((peer) => equalBytes(peer, self))
  return index < 0 ? undefined : index
}

/** The epoch that is due; undefined where none is, or another is waited for. */
export function wishOf(kernel: Kernel, keep: PruneKeep, nowMs: number): EpochWish | undefined {
  const epochs = kernel.epochs().filter(({ fault }) => fault === undefined)
  // An epoch that is not settled holds up whatever would come after it, and so do several that are not joined.
  if (epochs.some(({ isHead, isSettled }) => isHead && !isSettled)) return undefined
  // What cannot be done by one here is done by a later one.
  if (pendingPrune(kernel) !== undefined && kernel.pruning().waitsFor !== 'beside') return undefined
  if (epochs.filter(({ isHead }) => isHead).length > 1) return undefined
  const plan = kernel.planPrune(keepOptions(keep, nowMs))
  if (plan.hindrance === 'diverged' || plan.hindrance === 'no_snapshot') return undefined
  if (plan.epoch !== undefined && plan.hindrance !== 'beside' && isWorthIt(plan))
    return { kind: 'prune', below: plan.epoch }
  const [newest] = epochs
  return isMarkDue(kernel, keep, { newestMs: newest?.timestamp.wall ?? 0, nowMs }) ? { kind: 'initial' } : undefined
}

export function isWorthIt({ goes, stays }: Pick<PrunePlan, 'goes' | 'stays'>): boolean {
  if (goes.intentions < PRUNE_MIN_INTENTIONS) return false
  return goes.intentions >= PRUNE_MANY_INTENTIONS || goes.bytes >= PRUNE_MIN_PART * (goes.bytes + stays.bytes)
}

/** Whether enough has come since the newest epoch for another one that history can be cut at. */
function isMarkDue(
  kernel: Kernel,
  { keepCount, keepDays }: PruneKeep,
  { newestMs, nowMs }: { readonly newestMs: number; readonly nowMs: number },
): boolean {
  const count = countAfterNewest(kernel)
  if (count < PRUNE_MIN_INTENTIONS) return false
  if (keepCount !== undefined) return count >= keepCount / MARKS_PER_PERIOD
  const { keepMs = 0 } = keepOptions({ ...(keepDays !== undefined && { keepDays }) }, nowMs)
  return nowMs - newestMs >= keepMs / MARKS_PER_PERIOD
}
