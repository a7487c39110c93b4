/**
 * StoreService over a node.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import type { CreateStoreOptions, JoinProgress, Node, StoreHandle } from '@lattice/node'
import { daemon, system } from '@lattice/proto'
import type { ServiceHandlers } from '../service-types.ts'
import { inspectBranch } from './branches.ts'
import type { HandlerDeps } from './handler-deps.ts'
import { epochHandlers } from './epochs.ts'
import { historyHandlers } from './history.ts'
import { findIntention, listFloating, listRejections, listTips, listWitness, readHistory } from './inspection.ts'
import { repairStore, verifyStore } from './integrity.ts'
import { toInviteInfo, toPeerInfo, toStoreInfo, toStoreStatus, toSyncReport } from './messages.ts'
import { acknowledge, listForks, observe } from './observing.ts'
import { reportProgress } from './report-progress.ts'
import { position, storeOf } from './request.ts'
import { peerActs, storeActs } from './store-acts.ts'

type StoreService = ServiceHandlers<typeof daemon.StoreService>

export function createStoreService({ node }: HandlerDeps): StoreService {
  const at = (request: { readonly storeId: Uint8Array }): StoreHandle => storeOf(node, request.storeId)
  return {
    ...lifecycle(node, at),
    ...storeActs(at),
    ...peerActs(at),
    ...epochHandlers(at),
    ...historyHandlers(at),
    getStatus: async (request) => toStoreStatus(at(request)),
    setName: async (request) => {
      const store = at(request)
      await store.setName(request.name)
      return create(daemon.SetStoreNameResponseSchema, { name: store.name() })
    },
    sync: (request, signal) => syncStore(at(request), signal),
    rebuild: (request, signal) =>
      reportProgress(signal, async (report) => {
        await at(request).rebuild((done, total) =>
          report(create(daemon.RebuildProgressSchema, { done: BigInt(done), total: BigInt(total) })),
        )
      }),
    verify: (request, signal) => verifyStore(at(request), request, signal),
    repair: (request, signal) => repairStore(at(request), request, signal),
    retry: async (request) => {
      const store = at(request)
      await store.retry()
      return create(daemon.RetryResponseSchema, { appliedSeq: BigInt(store.kernel().projection().appliedSeq) })
    },
    listPeers: async (request) =>
      create(daemon.ListPeersResponseSchema, { peers: at(request).peers().map(toPeerInfo) }),
    invite: async (request) => invite(at(request), request),
    listInvites: async (request) =>
      create(daemon.ListInvitesResponseSchema, { invites: at(request).invites().map(toInviteInfo) }),
    listSystem: async (request) =>
      create(daemon.ListSystemResponseSchema, {
        entries: at(request)
          .systemEntries()
          .map((entry) => ({ ...entry })),
      }),
    history: async (request) => readHistory(at(request), request),
    listWitness: async (request) => listWitness(at(request), request),
    listFloating: async (request) => listFloating(at(request), request),
    listRejections: async (request) => listRejections(at(request), request),
    getIntention: async (request) => findIntention(at(request), request.prefix),
    listTips: async (request) => listTips(at(request)),
    inspectBranch: async (request) => inspectBranch(at(request).kernel(), request),
    acknowledge: async (request) => acknowledge(at(request)),
    observe: async (request) => observe(at(request)),
    listForks: async (request) => listForks(at(request), request),
  }
}

function lifecycle(
  node: Node,
  at: (request: { readonly storeId: Uint8Array }) => StoreHandle,
): Pick<StoreService, 'create' | 'list' | 'resolve' | 'join'> {
  return {
    create: async ({ name, storeType, parentId, strategy }) => {
      const peersOf = STRATEGIES[strategy]
      const store = await node.createStore({
        ...(name === '' ? {} : { name }),
        ...(storeType === '' ? {} : { storeType }),
        ...(parentId.length === 0 ? {} : { parent: at({ storeId: parentId }).id }),
        ...(peersOf === undefined ? {} : { strategy: peersOf }),
      })
      return toStoreInfo(store.summary())
    },
    list: async () => create(daemon.ListStoresResponseSchema, { stores: node.stores().map(toStoreInfo) }),
    resolve: async ({ reference }) => toStoreInfo(node.store(reference).summary()),
    join: ({ token }, signal) =>
      reportProgress(signal, async (report) => {
        const store = await node.join(token, { signal, onProgress: (progress) => report(toJoinProgress(progress)) })
        const joined = { case: 'joined', value: toStoreInfo(store.summary()) } as const
        report(create(daemon.JoinProgressSchema, { progress: joined }))
      }),
  }
}

const STRATEGIES: Readonly<Record<daemon.ChildStrategy, CreateStoreOptions['strategy']>> = {
  [daemon.ChildStrategy.UNSPECIFIED]: undefined,
  [daemon.ChildStrategy.INHERITED]: 'inherited',
  [daemon.ChildStrategy.INDEPENDENT]: 'independent',
  [daemon.ChildStrategy.SNAPSHOT]: 'snapshot',
}

const STAGES = {
  connecting: daemon.JoinStage.CONNECTING,
  redeeming: daemon.JoinStage.REDEEMING,
  bootstrapping: daemon.JoinStage.BOOTSTRAPPING,
} as const

function toJoinProgress(progress: JoinProgress): daemon.JoinProgress {
  if (progress.kind === 'stage') {
    return create(daemon.JoinProgressSchema, { progress: { case: 'stage', value: STAGES[progress.stage] } })
  }
  const value = { storeId: progress.storeId, done: BigInt(progress.done), total: BigInt(progress.total) }
  return create(daemon.JoinProgressSchema, { progress: { case: 'bootstrap', value } })
}

async function* syncStore(store: StoreHandle, signal: AbortSignal): AsyncGenerator<daemon.SyncProgress> {
  const count = { peers: 0, synced: 0, inactive: 0 }
  for await (const report of store.sync(signal)) {
    if (report.result === 'inactive') count.inactive += 1
    else count.peers += 1
    if (report.result === 'synced') count.synced += 1
    yield create(daemon.SyncProgressSchema, { progress: { case: 'outcome', value: toSyncReport(report) } })
  }
  yield create(daemon.SyncProgressSchema, { progress: { case: 'summary', value: count } })
}

async function invite(store: StoreHandle, request: daemon.InviteRequest): Promise<daemon.InviteResponse> {
  const invitation = await store.invite({
    ...(request.role === system.Role.UNSPECIFIED ? {} : { role: request.role }),
    ...(request.expiresInMs === 0n ? {} : { expiresInMs: position(request.expiresInMs) }),
    ...(request.uses === 0 ? {} : { uses: request.uses }),
  })
  return create(daemon.InviteResponseSchema, { ...invitation, expiresAt: BigInt(invitation.expiresAt) })
}
