/**
 * How much of a store's history is kept: snapshots, prunes and their policy.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import { formatSExpr, readIntentionId } from '@lattice/model'
import {
  type FollowedPruning,
  type PruneKeep,
  type PrunePlan,
  prunePolicyIn,
  prunePolicyMessage,
  type PruneResult,
  type SnapshotInfo,
  type SnapshotStatus,
  type StoreHandle,
  type StorePruning,
} from '@lattice/node'
import { daemon } from '@lattice/proto'
import { InvalidArgument } from '@lattice/store-base'
import type { ServiceHandlers } from '../service-types.ts'
import { toEpoch } from './epoch-message.ts'
import { sentenceOf, toDivergence } from './messages.ts'
import { reportProgress } from './report-progress.ts'
import { pageLimit, position } from './request.ts'

type StoreService = ServiceHandlers<typeof daemon.StoreService>
type At = (request: { readonly storeId: Uint8Array }) => StoreHandle

export function historyHandlers(
  at: At,
): Pick<
  StoreService,
  | 'getSnapshot'
  | 'makeSnapshot'
  | 'planPrune'
  | 'prune'
  | 'getPruning'
  | 'followPruning'
  | 'setPrunePolicy'
  | 'listStranded'
  | 'resubmitStranded'
> {
  return {
    ...snapshotHandlers(at),
    ...strandedHandlers(at),
    planPrune: async (request) => {
      const store = at(request)
      return toPrunePlan(store.id, store.planPrune(keepOf(request)))
    },
    prune: async (request) => {
      const store = at(request)
      const { outcome, plan, epoch } = await store.prune(keepOf(request))
      return create(daemon.PruneResponseSchema, {
        outcome: OUTCOMES[outcome],
        plan: toPrunePlan(store.id, plan),
        ...(epoch && { epoch: toEpoch(epoch) }),
      })
    },
    getPruning: async (request) => {
      const store = at(request)
      return toPruningStatus(store.id, store.pruning())
    },
    followPruning: async function* (request, signal) {
      const id = readIntentionId(request.epoch)
      if (id === undefined)
        throw new InvalidArgument('an epoch is named by the 32 bytes of its id: list the epochs', {})
      const store = at(request)
      for await (const pruning of store.followPruning(id, signal)) yield toPruningStatus(store.id, pruning)
    },
    setPrunePolicy: async (request) => {
      const policy = request.policy && prunePolicyIn(request.policy)
      if (policy === undefined) {
        throw new InvalidArgument('a policy is manual, or keeps a number of days or intentions: say which', {})
      }
      return prunePolicyMessage(await at(request).setPrunePolicy(policy))
    },
  }
}

function snapshotHandlers(at: At): Pick<StoreService, 'getSnapshot' | 'makeSnapshot'> {
  return {
    getSnapshot: async (request) => {
      const store = at(request)
      return toSnapshotStatus(store.id, store.kernel().snapshot())
    },
    makeSnapshot: (request, signal) =>
      reportProgress(signal, async (report) => {
        const kernel = at(request).kernel()
        const cancel = kernel.onEvent((event) => {
          if (event.kind !== 'snapshot_progress') return
          const step = { epoch: event.epoch, done: BigInt(event.done), total: BigInt(event.total) }
          report(create(daemon.MakeSnapshotProgressSchema, { progress: { case: 'step', value: step } }))
        })
        try {
          const made = toSnapshot(await kernel.makeSnapshot())
          report(create(daemon.MakeSnapshotProgressSchema, { progress: { case: 'made', value: made } }))
        } finally {
          cancel()
        }
      }),
  }
}

function strandedHandlers(at: At): Pick<StoreService, 'listStranded' | 'resubmitStranded'> {
  return {
    listStranded: async (request) => {
      const store = at(request)
      const writes = store.stranded()
      return create(daemon.ListStrandedResponseSchema, {
        writes: writes.slice(0, pageLimit(request.limit, PAGE)).map(({ id, timestamp, op, remedy = '' }) => ({
          id,
          wall: BigInt(timestamp.wall),
          summary: formatSExpr(store.summarize(op)),
          remedy,
        })),
        total: BigInt(writes.length),
      })
    },
    resubmitStranded: async (request) => {
      const { ids, drop } = request
      const store = at(request)
      if (drop) {
        return create(daemon.ResubmitStrandedResponseSchema, { dropped: BigInt(await store.dropStranded(ids)) })
      }
      const { settled, kept, failure } = await store.resubmitStranded(ids)
      return create(daemon.ResubmitStrandedResponseSchema, {
        ids: settled.flatMap(({ id }) => id ?? []),
        settled: settled.map(({ lost }) => lost),
        kept: [...kept],
        errorCode: failure?.code ?? '',
        error: failure?.message ?? '',
      })
    },
  }
}

const PAGE = { fallback: 100, max: 1_000 }

/** Zero says nothing. */
function keepOf({ keepCount, keepDays }: daemon.PlanPruneRequest): PruneKeep {
  return {
    ...(keepCount === 0n ? {} : { keepCount: position(keepCount) }),
    ...(keepDays === 0 ? {} : { keepDays }),
  }
}

const STATES: Readonly<Record<SnapshotStatus['state'], daemon.SnapshotState>> = {
  off: daemon.SnapshotState.OFF,
  none: daemon.SnapshotState.NONE,
  making: daemon.SnapshotState.MAKING,
  ready: daemon.SnapshotState.READY,
  diverged: daemon.SnapshotState.DIVERGED,
}

function toSnapshotStatus(
  storeId: Uint8Array,
  { state, settled, candidate, making, failure, divergences }: SnapshotStatus,
): daemon.SnapshotStatus {
  return create(daemon.SnapshotStatusSchema, {
    state: STATES[state],
    ...(settled && { settled: toSnapshot(settled) }),
    ...(candidate && { candidate: toSnapshot(candidate) }),
    ...(making && { making: { epoch: making.epoch, done: BigInt(making.done), total: BigInt(making.total) } }),
    failure: failure === undefined ? '' : sentenceOf(failure),
    divergences: divergences.map((divergence) => toDivergence({ storeId, ...divergence })),
  })
}

function toSnapshot({ epoch, seq, root, rows, bytes }: SnapshotInfo): daemon.Snapshot {
  return create(daemon.SnapshotSchema, {
    epoch,
    seq,
    root,
    systemRows: BigInt(rows.system),
    appRows: BigInt(rows.app),
    bytes: BigInt(bytes),
  })
}

const HINDRANCES: Readonly<Record<NonNullable<PrunePlan['hindrance']>, daemon.PruneHindrance>> = {
  epoch_needed: daemon.PruneHindrance.EPOCH_NEEDED,
  history_recent: daemon.PruneHindrance.HISTORY_RECENT,
  nothing_to_prune: daemon.PruneHindrance.NOTHING_TO_PRUNE,
  not_settled: daemon.PruneHindrance.NOT_SETTLED,
  not_final: daemon.PruneHindrance.NOT_FINAL,
  diverged: daemon.PruneHindrance.DIVERGED,
  no_snapshot: daemon.PruneHindrance.NO_SNAPSHOT,
  beside: daemon.PruneHindrance.BESIDE,
}

const OUTCOMES: Readonly<Record<PruneResult['outcome'], daemon.PruneOutcome>> = {
  begun: daemon.PruneOutcome.BEGUN,
  marked: daemon.PruneOutcome.MARKED,
  nothing: daemon.PruneOutcome.NOTHING,
}

function toPrunePlan(
  storeId: Uint8Array,
  { epoch, goes, stays, freedBytes, waitsFor, hindrance }: PrunePlan,
): daemon.PrunePlan {
  return create(daemon.PrunePlanSchema, {
    storeId,
    ...(epoch && { epoch }),
    goes: { intentions: BigInt(goes.intentions), bytes: BigInt(goes.bytes) },
    stays: { intentions: BigInt(stays.intentions), bytes: BigInt(stays.bytes) },
    freedBytes: BigInt(freedBytes),
    waitsFor: [...waitsFor],
    hindrance: hindrance === undefined ? daemon.PruneHindrance.UNSPECIFIED : HINDRANCES[hindrance],
  })
}

const PRUNING_STATES: Readonly<Record<StorePruning['state'], daemon.PruningState>> = {
  idle: daemon.PruningState.IDLE,
  waiting: daemon.PruningState.WAITING,
  pruning: daemon.PruningState.PRUNING,
  failed: daemon.PruningState.FAILED,
}

const WAITS: Readonly<Record<NonNullable<StorePruning['waitsOn']>, daemon.PruneWait>> = {
  settlement: daemon.PruneWait.SETTLEMENT,
  finality: daemon.PruneWait.FINALITY,
  agreement: daemon.PruneWait.AGREEMENT,
  snapshot: daemon.PruneWait.SNAPSHOT,
  state: daemon.PruneWait.STATE,
  beside: daemon.PruneWait.BESIDE,
}

function toPruningStatus(
  storeId: Uint8Array,
  {
    state,
    epoch,
    done,
    total,
    failure,
    waitsOn,
    waitsFor,
    base,
    policy,
    ineffective,
  }: StorePruning & Partial<FollowedPruning>,
): daemon.PruningStatus {
  return create(daemon.PruningStatusSchema, {
    storeId,
    state: PRUNING_STATES[state],
    ...(epoch && { epoch }),
    done: BigInt(done),
    total: BigInt(total),
    failure: failure?.message ?? '',
    waitsOn: waitsOn === undefined ? daemon.PruneWait.UNSPECIFIED : WAITS[waitsOn],
    waitsFor: [...waitsFor],
    ...(base && {
      base: { epoch: base.epoch, seq: base.seq, wall: BigInt(base.wallMs), gone: BigInt(base.goneCount) },
    }),
    policy: prunePolicyMessage(policy),
    ...(ineffective && { ineffective: toEpoch(ineffective) }),
  })
}
