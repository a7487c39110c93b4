/**
 * The history of a fake node's stores: what a prune would take, how one goes on, and the state that is kept.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import { type BackendHandlers, RemoteError } from '@lattice/api'
import { type LatticeErrorCode, toHex } from '@lattice/model'
import { daemon, system } from '@lattice/proto'

export interface FakeHistory {
  plan: daemon.PrunePlan
  outcome: daemon.PruneOutcome
  pruning: daemon.PruningStatus
  snapshot: daemon.SnapshotStatus
  stranded: daemon.StrandedWrite[]
  /** Why the epoch that is followed has no effect, in the end. */
  fault: string
  /** What ends the writing anew. */
  resubmitFailure: { readonly code: LatticeErrorCode; readonly message: string } | undefined
}

export interface FakeHistoryDeps {
  readonly self: Uint8Array
  readonly other: Uint8Array
  readonly call: (name: string) => void
  readonly isAdmin: () => boolean
}

type Names =
  | 'getSnapshot'
  | 'makeSnapshot'
  | 'planPrune'
  | 'prune'
  | 'getPruning'
  | 'followPruning'
  | 'setPrunePolicy'
  | 'listStranded'
  | 'resubmitStranded'

const idOf = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)

export const SNAPSHOT: daemon.Snapshot = create(daemon.SnapshotSchema, {
  epoch: idOf(0xe1),
  seq: 4n,
  root: idOf(0x0f),
  systemRows: 5n,
  appRows: 7n,
  bytes: 24_576n,
})

export function createFakeHistory({ self, other, call, isAdmin }: FakeHistoryDeps): {
  readonly history: FakeHistory
  readonly store: Pick<BackendHandlers['store'], Names>
} {
  const history: FakeHistory = {
    plan: create(daemon.PrunePlanSchema, {
      goes: { intentions: 12_345n, bytes: 3_456_789n },
      stays: { intentions: 21n, bytes: 4_200n },
      freedBytes: 3_400_000n,
      hindrance: daemon.PruneHindrance.EPOCH_NEEDED,
    }),
    outcome: daemon.PruneOutcome.BEGUN,
    pruning: create(daemon.PruningStatusSchema, {
      state: daemon.PruningState.IDLE,
      policy: { policy: { case: 'manual', value: {} } },
    }),
    stranded: [],
    fault: '',
    resubmitFailure: undefined,
    snapshot: create(daemon.SnapshotStatusSchema, { state: daemon.SnapshotState.READY, settled: SNAPSHOT }),
  }
  const epoch = create(daemon.EpochSchema, {
    id: idOf(0xe5),
    seq: 5n,
    author: self,
    wall: 1_700_000_000_000n,
    cause: daemon.EpochCause.PRUNE,
    head: true,
    required: [other],
    waitingFor: [other],
  })
  const needAdmin = (): void => {
    if (!isAdmin()) throw new RemoteError('NOT_ADMIN', 'only an admin may prune the store', {})
  }
  return {
    history,
    store: {
      getSnapshot: async () => history.snapshot,
      makeSnapshot: async function* () {
        call('store.makeSnapshot')
        const step = { epoch: SNAPSHOT.epoch, done: 3n, total: 12n }
        yield create(daemon.MakeSnapshotProgressSchema, { progress: { case: 'step', value: step } })
        yield create(daemon.MakeSnapshotProgressSchema, { progress: { case: 'made', value: SNAPSHOT } })
      },
      planPrune: async ({ keepCount, keepDays }) => {
        call(`store.planPrune ${keepCount} ${keepDays}`)
        return history.plan
      },
      prune: async ({ keepCount, keepDays }) => {
        call(`store.prune ${keepCount} ${keepDays}`)
        needAdmin()
        const { outcome, plan } = history
        const isMade = outcome !== daemon.PruneOutcome.NOTHING
        return create(daemon.PruneResponseSchema, { outcome, plan, ...(isMade && { epoch }) })
      },
      getPruning: async () => history.pruning,
      followPruning: async function* () {
        const { policy } = history.pruning
        const at = { epoch: epoch.id, ...(policy && { policy }) }
        const base = { epoch: epoch.id, seq: epoch.seq, wall: epoch.wall, gone: 12_345n }
        const { WAITING, PRUNING, IDLE } = daemon.PruningState
        const waitsOn = daemon.PruneWait.SETTLEMENT
        yield create(daemon.PruningStatusSchema, { ...at, state: WAITING, waitsOn, waitsFor: [other] })
        if (history.fault !== '') {
          const undecided = { ...epoch, fault: 'admin_unknown', mayCount: true }
          yield create(daemon.PruningStatusSchema, { ...at, state: IDLE, ineffective: undecided })
          yield create(daemon.PruningStatusSchema, {
            ...at,
            state: IDLE,
            ineffective: { ...epoch, fault: history.fault },
          })
          return
        }
        yield create(daemon.PruningStatusSchema, { ...at, state: PRUNING, done: 10n, total: 40n })
        yield create(daemon.PruningStatusSchema, { ...at, state: IDLE, base })
      },
      listStranded: async () =>
        create(daemon.ListStrandedResponseSchema, {
          writes: history.stranded,
          total: BigInt(history.stranded.length),
        }),
      resubmitStranded: async ({ drop, ids }) => {
        call(['store.resubmitStranded', ...(drop ? ['drop'] : []), ...ids].join(' '))
        const { stranded, resubmitFailure } = history
        const isNamed = ({ id }: daemon.StrandedWrite): boolean =>
          ids.length === 0 || ids.some((prefix) => toHex(id).startsWith(prefix))
        const goes = stranded.filter((write) => isNamed(write) && (drop || write.remedy === ''))
        const kept = drop ? [] : stranded.filter((write) => isNamed(write) && write.remedy !== '')
        history.stranded = stranded.filter((write) => !goes.includes(write))
        if (drop) return create(daemon.ResubmitStrandedResponseSchema, { dropped: BigInt(goes.length) })
        return create(daemon.ResubmitStrandedResponseSchema, {
          ids: goes.map(() => idOf(7)),
          settled: goes.map(({ id }) => id),
          kept: kept.map(({ id, remedy: reason }) => ({ id, reason })),
          errorCode: resubmitFailure?.code ?? '',
          error: resubmitFailure?.message ?? '',
        })
      },
      setPrunePolicy: async ({ policy }) => {
        const set = policy?.policy
        call(`store.setPrunePolicy ${set?.case} ${typeof set?.value === 'number' ? set.value : ''}`)
        needAdmin()
        return policy ?? create(system.PrunePolicySchema)
      },
    },
  }
}
