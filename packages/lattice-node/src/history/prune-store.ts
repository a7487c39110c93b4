/**
 * Pruning a store by hand: what would go, the epoch that says so to all nodes, and how far it is.
 *
 * A prune is an epoch: each node deletes what lies below it once all that write have acknowledged it and enough of them have
 * signed the same state, so a node never deletes by the word of one. Asked for again while that is waited for, it makes no
 * second one.
 *
 * @module
 */
import type { EpochStatus, Kernel, PrunePlan, PrunePlanOptions } from '@lattice/kernel'
import { type AbortSignal, type IntentionId, type StoreId, toHex } from '@lattice/model'
import { isAdmin, type PrunePolicy, prunePolicyOf, setPrunePolicy } from '@lattice/systemstore'
import { NodeError, notAdmin, shortId } from '../errors.ts'
import { toFailure } from '../failure.ts'
import type { NodeContext } from '../node-context.ts'
import type { OpenStore } from '../open-store.ts'
import { refuseInherited } from '../refuse-inherited.ts'
import { epochOf, findEpoch } from '../revoke-peer.ts'
import { kernelAbove, peerTable, type TablesOf } from '../store-peers.ts'
import { submitSystem } from '../submit-system.ts'
import { submitCuttable } from './cuttable-epoch.ts'
import { followPruning } from './follow-pruning.ts'
import type { FollowedPruning, HistoryActs, PruneKeep, PruneResult, StorePruning } from './history-types.ts'
import { isAnythingAfter, pendingPrune, targetOf } from './pending-prune.ts'
import { checkPolicy, keepOptions } from './prune-keep.ts'

export interface HistoryActsDeps {
  readonly context: NodeContext
  readonly tablesOf: TablesOf
  /** The kernel of an open store. */
  readonly kernelOf: (id: StoreId) => Kernel | undefined
  /** Throws what keeps the store from being used. */
  readonly store: () => OpenStore
}

export function createHistoryActs(deps: HistoryActsDeps): HistoryActs {
  const { context, tablesOf, store } = deps
  const { clock } = context
  return {
    planPrune: (keep = {}) => planFor(store().kernel, keepOptions(keep, clock.wallMs())),
    prune: (keep = {}) => prune(deps, keep),
    pruning: () => pruningOf(store(), tablesOf),
    followPruning: (epoch, signal) => follow(deps, epoch, signal),
    setPrunePolicy: (policy) => changePolicy(deps, policy),
  }
}

async function prune({ context, tablesOf, kernelOf, store }: HistoryActsDeps, keep: PruneKeep): Promise<PruneResult> {
  const { kernel } = store()
  if (!mayPrune(kernel, context, tablesOf)) throw notAdmin(kernel.storeId, 'prune the store')
  const plan = planFor(kernel, keepOptions(keep, context.clock.wallMs()))
  const { hindrance } = plan
  if (hindrance === 'diverged') throw diverged(kernel)
  if (hindrance === 'nothing_to_prune') return { outcome: 'nothing', plan, epoch: undefined }
  if (hindrance === 'history_recent') return mark(kernel, plan, kernelOf)
  const pending = pendingPrune(kernel)
  if (pending !== undefined && covers(kernel, pending, plan)) return { outcome: 'begun', plan, epoch: pending }
  const wish = { kind: 'prune', ...(plan.epoch && { below: plan.epoch }) } as const
  return {
    outcome: 'begun',
    plan,
    epoch: epochOf({ kernel }, await submitCuttable(kernel, wish, kernelAbove(kernel.tables(), kernelOf))),
  }
}

/** Where all that came since the last prune are acks of it, another would free nothing and be acknowledged as well. */
function planFor(kernel: Kernel, options: PrunePlanOptions): PrunePlan {
  const plan = kernel.planPrune(options)
  const base = kernel.base()
  const isDone = plan.hindrance === 'epoch_needed' && base !== undefined && !isAnythingAfter(kernel, base.epoch)
  return isDone ? { ...plan, hindrance: 'nothing_to_prune' } : plan
}

/** Peers are those of the store that holds them, also where a store inherits them. */
function mayPrune(kernel: Kernel, { id }: NodeContext, tablesOf: TablesOf): boolean {
  const table = peerTable(kernel.tables(), tablesOf)
  return table !== undefined && isAdmin(table, id)
}

/** True where what waits already deletes as much as another would. */
function covers(kernel: Kernel, pending: EpochStatus, { epoch }: PrunePlan): boolean {
  const target = targetOf(pending)
  if (target === undefined) return false
  if (epoch === undefined) return !isAnythingAfter(kernel, target)
  const [waiting, planned] = [findEpoch({ kernel }, target), findEpoch({ kernel }, epoch)]
  return waiting !== undefined && planned !== undefined && waiting.seq >= planned.seq
}

/** Where nothing was written since the newest epoch, that one will do. */
async function mark(kernel: Kernel, plan: PrunePlan, kernelOf: HistoryActsDeps['kernelOf']): Promise<PruneResult> {
  const newest = kernel.epochs().find(({ fault }) => fault === undefined)
  if (newest !== undefined && !isAnythingAfter(kernel, newest.id)) return { outcome: 'nothing', plan, epoch: undefined }
  return {
    outcome: 'marked',
    plan,
    epoch: epochOf(
      { kernel },
      await submitCuttable(kernel, { kind: 'initial' }, kernelAbove(kernel.tables(), kernelOf)),
    ),
  }
}

function diverged({ storeId }: Kernel): NodeError {
  const message = `nodes have come to different states of the store ${shortId(storeId)}, and its history is what would show who is wrong: \`lattice why\` says who differs`
  return new NodeError('WRONG_STATE', message, { detail: { storeId: toHex(storeId), hindrance: 'diverged' } })
}

export function pruningOf({ kernel }: Pick<OpenStore, 'kernel'>, tablesOf: TablesOf): StorePruning {
  const base = kernel.base()
  const { state, epoch, waitsFor: waitsOn, done = 0, total = 0, failure } = kernel.pruning()
  const pending = state === 'pruning' ? undefined : pendingPrune(kernel)
  return {
    state: state === 'idle' && pending !== undefined ? 'waiting' : state,
    // Once it is decided nothing waits any more.
    epoch: pending?.id ?? epoch,
    waitsOn,
    done,
    total,
    failure: failure === undefined ? undefined : toFailure(failure),
    waitsFor: pending?.waitingFor ?? [],
    base: base && {
      epoch: base.epoch,
      seq: base.seq,
      wallMs: findEpoch({ kernel }, base.epoch)?.timestamp.wall ?? 0,
      goneCount: base.goneCount,
    },
    policy: policyOf(kernel, tablesOf),
  }
}

/** How much history a store keeps: by the table that holds its peers. */
export function policyOf(kernel: Pick<Kernel, 'tables'>, tablesOf: TablesOf): PrunePolicy {
  const table = peerTable(kernel.tables(), tablesOf)
  return table === undefined ? { kind: 'manual' } : prunePolicyOf(table)
}

function follow(
  { store, tablesOf }: HistoryActsDeps,
  id: IntentionId,
  signal: AbortSignal,
): AsyncIterable<FollowedPruning> {
  const opened = store()
  const epoch = findEpoch(opened, id)
  if (epoch === undefined) {
    throw new NodeError('INTENTION_NOT_FOUND', `the store has no epoch ${shortId(id)}: list its epochs`)
  }
  if (targetOf(epoch) === undefined) {
    throw new NodeError('WRONG_STATE', `the epoch ${shortId(id)} deletes nothing: it is for something else`)
  }
  return followPruning(opened, { epoch, look: () => pruningOf(opened, tablesOf), signal })
}

async function changePolicy({ context, tablesOf, store }: HistoryActsDeps, policy: PrunePolicy): Promise<PrunePolicy> {
  checkPolicy(policy)
  const { kernel } = store()
  const act = 'set how much history is kept'
  refuseInherited(kernel.tables(), { tablesOf, act })
  const author = context.id
  await submitSystem(kernel, [setPrunePolicy({ author, policy })], { author, act })
  return policyOf(kernel, tablesOf)
}
