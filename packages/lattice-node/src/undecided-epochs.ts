/**
 * Epochs of stores with inherited peers that leave it open what counts below them, and since when.
 *
 * One names an epoch of the store above that is not here. The two come by different ways, so for a while that is ordinary; one
 * that anybody made up never comes. Another names one that turned out void, and nothing newer: by what the store itself names
 * it counts, and by what is known it does not, so peers sign another state than they have. Either is to be set aside after a
 * time that is longer than anything takes that goes on by itself.
 *
 * @module
 */
import type { EpochStatus } from '@lattice/kernel'
import { type Cancel, type Clock, idKey, type IdKey, type IntentionId, type Scheduler } from '@lattice/model'
import { MAX_SET_ASIDE, type MembershipView } from '@lattice/store-base'

/** How long an epoch is left open while both stores are in use: a large one above takes a while to fetch. */
export const SET_ASIDE_AFTER_MS: number = 60 * 60_000

export interface UndecidedEpochs {
  /**
   * Those of the store that have waited for long enough, and the later ones of their authors, who would only begin anew;
   * {@link MAX_SET_ASIDE} at most.
   */
  readonly overdue: (kernel: WaitingKernel) => readonly IntentionId[]
  readonly close: () => void
}

/** What is asked of a kernel. */
export interface WaitingKernel {
  readonly digest: () => { readonly epochHeads: readonly IntentionId[] }
  readonly membership: () => MembershipView
  readonly membershipAt: (epochs: readonly IntentionId[]) => Pick<MembershipView, 'faultOf'>
  readonly epochs: () => readonly Pick<EpochStatus, 'id' | 'author' | 'fault'>[]
}

export interface UndecidedEpochsOptions {
  readonly clock: Clock
  readonly scheduler: Scheduler
  /** Some have waited for long enough now. */
  readonly wake: () => void
}

export function createUndecidedEpochs({ clock, scheduler, wake }: UndecidedEpochsOptions): UndecidedEpochs {
  /** By store that is open, since when each waits. */
  const waiting = new WeakMap<WaitingKernel, ReadonlyMap<IdKey, number>>()
  let timer: { readonly dueMs: number; readonly cancel: Cancel } | undefined

  function arm(dueMs: number): void {
    if (timer !== undefined && timer.dueMs <= dueMs) return
    timer?.cancel()
    const cancel = scheduler.after(dueMs - clock.monotonicMs(), () => {
      timer = undefined
      wake()
    })
    timer = { dueMs, cancel }
  }

  return {
    overdue: (kernel) => {
      const now = clock.monotonicMs()
      const before = waiting.get(kernel)
      const undecided = undecidedIn(kernel)
      const since = new Map(undecided.map(({ id }) => [idKey(id), before?.get(idKey(id)) ?? now]))
      waiting.set(kernel, since)
      const dueMs = [...since.values()].map((at) => at + SET_ASIDE_AFTER_MS).filter((at) => at > now)
      if (dueMs.length > 0) arm(Math.min(...dueMs))
      const isOverdue = ({ id }: Undecided): boolean => (since.get(idKey(id)) ?? now) + SET_ASIDE_AFTER_MS <= now
      const authors = new Set(undecided.filter(isOverdue).map(({ author }) => idKey(author)))
      return undecided
        .filter(({ author }) => authors.has(idKey(author)))
        .map(({ id }) => id)
        .slice(0, MAX_SET_ASIDE)
    },
    close: () => timer?.cancel(),
  }
}

/** By the view that they follow from: asked whenever a table of any store changed. */
const known = new WeakMap<MembershipView, readonly Undecided[]>()

type Undecided = Pick<EpochStatus, 'id' | 'author'>

function undecidedIn(kernel: WaitingKernel): readonly Undecided[] {
  const view = kernel.membership()
  const found = known.get(view) ?? findUndecided(kernel)
  known.set(view, found)
  return found
}

function findUndecided(kernel: WaitingKernel): readonly Undecided[] {
  const epochs = kernel.epochs()
  const isVoid = ({ fault }: Pick<EpochStatus, 'fault'>): boolean => fault === 'parent_void'
  const named = epochs.some(isVoid) ? kernel.membershipAt(kernel.digest().epochHeads) : undefined
  return epochs.filter(
    (epoch) => epoch.fault === 'parent_unknown' || (isVoid(epoch) && named?.faultOf(epoch.id) === undefined),
  )
}
