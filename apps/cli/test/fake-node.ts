/**
 * A node in memory for tests: stores of keys and values, no network, no disk.
 * Anything can be made to fail.
 *
 * @module
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { type BackendHandlers, createInProcessBackend, type LatticeBackend, RemoteError } from '@lattice/api'
import { type AsyncQueue, createAsyncQueue, fromHex, type LatticeErrorCode, toHex } from '@lattice/model'
import { daemon, kv } from '@lattice/proto'
import { deferred } from './deferred.ts'
import { createFakeHistory, type FakeHistory } from './fake-history.ts'
import { createFakeLife, type FakeLife, idOf, OTHER, SELF } from './fake-life.ts'

export interface FakeNode {
  readonly backend: LatticeBackend
  /** Makes the next calls fail, until `undefined`. */
  readonly failWith: (code: LatticeErrorCode | undefined, message?: string) => void
  readonly emit: (event: daemon.NodeEvent['event']) => void
  readonly keys: (storeId: Uint8Array) => ReadonlyMap<string, string>
  readonly requests: readonly string[]
  /** Keys of which several values stand. */
  readonly conflicts: Set<string>
  /** Outcomes of the next syncs. */
  outcomes: daemon.SyncOutcome[]
  status: Partial<daemon.StoreStatus>
  /** What the next verification finds. */
  verified: Partial<daemon.VerifyReport>
  readonly makeHeadless: (name: string) => void
  /** How many requests of a bulk write are taken before one is refused. */
  refuseAfter: number | undefined
  /** Ids of the next acks; then there is nothing to acknowledge. */
  readonly acks: Uint8Array[]
  /** What becomes of its stores, peers and invites. */
  readonly life: FakeLife
  readonly history: FakeHistory
  /** Told when somebody follows the events or a stream. */
  readonly followed: () => Promise<void>
}

/** Keys of a page: few, so that small examples have several. */
const MAX_PAGE_ITEMS = 300

export { idOf } from './fake-life.ts'
export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

/** The description of a KV store, as a node gives it. */
export function kvDescriptor(): daemon.StoreDescriptor {
  const kinds: Readonly<Record<string, daemon.MethodKind>> = {
    Put: daemon.MethodKind.COMMAND,
    Delete: daemon.MethodKind.COMMAND,
    Batch: daemon.MethodKind.COMMAND,
    Resolve: daemon.MethodKind.COMMAND,
    Watch: daemon.MethodKind.STREAM,
  }
  const set = create(FileDescriptorSetSchema, { file: [kv.KvStore.file.proto] })
  const hex = [
    'WriteResponse.id',
    'HeadInfo.id',
    'HeadInfo.author',
    'ListResponse.next_page_token',
    'ListRequest.page_token',
  ]
  return create(daemon.StoreDescriptorSchema, {
    storeType: 'core:kvstore',
    service: kv.KvStore.typeName,
    fileDescriptorSet: toBinary(FileDescriptorSetSchema, set),
    methods: kv.KvStore.methods.map(({ name }) => ({
      name,
      kind: kinds[name] ?? daemon.MethodKind.QUERY,
      description: `The method ${name}.`,
    })),
    formats: [
      ...hex.map((field) => ({ field: `lattice.kv.v1.${field}`, format: 'hex' })),
      { field: 'lattice.kv.v1.HeadInfo.wall', format: 'timestamp' },
    ],
  })
}

interface FakeStore {
  info: daemon.StoreInfo
  /** By the hex of their keys, whose order is that of the keys. */
  readonly values: Map<string, Uint8Array>
}

export function createFakeNode(names: readonly string[] = ['notes']): FakeNode {
  const stores: FakeStore[] = names.map((name, index) => ({
    info: create(daemon.StoreInfoSchema, {
      id: idOf(0x11 * (index + 1)),
      storeType: 'core:kvstore',
      name,
      path: name,
      state: daemon.StoreState.ACTIVE,
      hasData: true,
    }),
    values: new Map(),
  }))
  const requests: string[] = []
  const eventQueues = new Set<AsyncQueue<daemon.NodeEvent>>()
  const conflicts = new Set<string>()
  const watchers = new Set<AsyncQueue<kv.WatchEvent>>()
  let failure: { code: LatticeErrorCode; message: string } | undefined
  let follower = deferred<void>()
  let seq = 0

  const storeOf = (id: Uint8Array): FakeStore => {
    const found = stores.find((store) => toHex(store.info.id) === toHex(id))
    if (found === undefined) throw new RemoteError('STORE_NOT_FOUND', 'there is no such store', {})
    return found
  }
  const call = (name: string): void => {
    requests.push(name)
    if (failure !== undefined) throw new RemoteError(failure.code, failure.message, { asked: name })
  }
  const write = (store: FakeStore, key: Uint8Array, value: Uint8Array | undefined): void => {
    if (value === undefined) store.values.delete(toHex(key))
    else store.values.set(toHex(key), value)
    const event =
      value === undefined
        ? { case: 'deleted' as const, value: { key } }
        : { case: 'put' as const, value: { key, value } }
    for (const queue of watchers) queue.push(create(kv.WatchEventSchema, { event: event as never }))
  }
  const written = (): Uint8Array => {
    seq += 1
    return toBinary(kv.WriteResponseSchema, create(kv.WriteResponseSchema, { id: idOf(seq) }))
  }
  const handlersOfKv: Readonly<Record<string, (store: FakeStore, request: Uint8Array) => Uint8Array>> = {
    Put: (store, bytes) => {
      const { key, value } = fromBinary(kv.PutRequestSchema, bytes)
      if (key.length === 0)
        throw new RemoteError('INVALID_ARGUMENT', 'the key is empty: give a key of at least one byte', {})
      write(store, key, value)
      return written()
    },
    Delete: (store, bytes) => {
      write(store, fromBinary(kv.DeleteRequestSchema, bytes).key, undefined)
      return written()
    },
    Resolve: (store, bytes) => {
      const { key, value } = fromBinary(kv.ResolveRequestSchema, bytes)
      write(store, key, value)
      return written()
    },
    Batch: (store, bytes) => {
      for (const { key, operation } of fromBinary(kv.BatchRequestSchema, bytes).operations) {
        write(store, key, operation.case === 'put' ? operation.value : undefined)
      }
      return written()
    },
    Get: (store, bytes) => {
      const { key } = fromBinary(kv.GetRequestSchema, bytes)
      const value = store.values.get(toHex(key))
      const found = value === undefined ? {} : { value, conflicted: conflicts.has(text(key)) }
      return toBinary(kv.GetResponseSchema, create(kv.GetResponseSchema, found))
    },
    List: (store, bytes) => {
      const { prefix, limit, pageToken } = fromBinary(kv.ListRequestSchema, bytes)
      const found = [...store.values]
        .filter(([key]) => key.startsWith(toHex(prefix)) && key > toHex(pageToken))
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([hex, value]) => ({ key: fromHex(hex) ?? new Uint8Array(), value }))
        .map((item) => ({ ...item, conflicted: conflicts.has(text(item.key)) }))
      const items = found.slice(0, Math.min(limit === 0 ? 100 : limit, MAX_PAGE_ITEMS))
      // A page goes on after its last key.
      const nextPageToken = items.length < found.length ? items.at(-1)?.key : undefined
      return toBinary(
        kv.ListResponseSchema,
        create(kv.ListResponseSchema, { items, ...(nextPageToken && { nextPageToken }) }),
      )
    },
    Count: (store, bytes) => {
      const prefix = toHex(fromBinary(kv.CountRequestSchema, bytes).prefix)
      const count = BigInt([...store.values.keys()].filter((key) => key.startsWith(prefix)).length)
      return toBinary(kv.CountResponseSchema, create(kv.CountResponseSchema, { count }))
    },
    Inspect: (store, bytes) => {
      const { key } = fromBinary(kv.InspectRequestSchema, bytes)
      const value = store.values.get(toHex(key))
      const heads =
        value === undefined ? [] : [{ id: idOf(7), author: idOf(9), wall: 1_700_000_000_000n, counter: 2, value }]
      return toBinary(
        kv.InspectResponseSchema,
        create(kv.InspectResponseSchema, { key, exists: value !== undefined, heads }),
      )
    },
  }

  const life = createFakeLife({ stores, call })
  const past = createFakeHistory({ self: SELF, other: OTHER, call, isAdmin: () => life.life.isAdmin })
  const node: FakeNode = {
    life: life.life,
    history: past.history,
    backend: undefined as never,
    failWith: (code, message = 'the node says no: do it another way') => {
      failure = code === undefined ? undefined : { code, message }
    },
    emit: (event) => {
      for (const queue of eventQueues) queue.push(create(daemon.NodeEventSchema, { time: 1_700_000_000_000n, event }))
    },
    keys: (id) =>
      new Map([...storeOf(id).values].map(([hex, value]) => [text(fromHex(hex) ?? new Uint8Array()), text(value)])),
    requests,
    outcomes: [],
    conflicts,
    verified: {},
    status: {},
    refuseAfter: undefined,
    makeHeadless: (name) => {
      for (const store of stores) if (store.info.name === name) store.info = { ...store.info, headless: true }
    },
    acks: [],
    followed: () => follower.promise,
  }

  async function* followQueue<T>(queues: Set<AsyncQueue<T>>, signal: AbortSignal): AsyncGenerator<T> {
    const queue = createAsyncQueue<T>({ capacity: 1000 })
    queues.add(queue)
    const end = (): void => queue.close()
    signal.addEventListener('abort', end, { once: true })
    follower.resolve(undefined)
    follower = deferred<void>()
    try {
      yield* queue
    } finally {
      queues.delete(queue)
      signal.removeEventListener('abort', end)
    }
  }

  const handlers: BackendHandlers = {
    node: {
      ...life.node,
      getStatus: async () => {
        call('node.getStatus')
        return create(daemon.NodeStatusSchema, {
          publicKey: SELF,
          name: 'laptop',
          dataDir: '/data',
          version: '0.1.0',
          stores: stores.length,
          addresses: ['127.0.0.1:4433'],
          uptimeMs: 65_000n,
          crypto: 'wasm',
        })
      },
      setName: async ({ name }) => {
        call('node.setName')
        return create(daemon.SetNodeNameResponseSchema, { name })
      },
      listStoreTypes: async () => create(daemon.ListStoreTypesResponseSchema, { storeTypes: ['core:kvstore'] }),
      subscribe: async function* (_request, signal) {
        yield* followQueue(eventQueues, signal)
      },
    },
    store: {
      ...life.store,
      ...past.store,
      create: async ({ name, storeType, parentId, strategy }) => {
        call(`store.create${strategy === 0 ? '' : ` strategy=${strategy}`}`)
        const parent = stores.find(({ info }) => toHex(info.id) === toHex(parentId))
        const info = create(daemon.StoreInfoSchema, {
          id: idOf(0x40 + stores.length),
          name,
          storeType: storeType === '' ? 'core:kvstore' : storeType,
          parentId,
          path: parent === undefined ? name : `${parent.info.path}/${name}`,
          state: daemon.StoreState.ACTIVE,
          hasData: true,
        })
        stores.push({ info, values: new Map() })
        return info
      },
      list: async () => {
        call('store.list')
        return create(daemon.ListStoresResponseSchema, { stores: stores.map(({ info }) => info) })
      },
      resolve: async ({ reference }) => {
        call('store.resolve')
        const found = stores.filter(
          ({ info }) => info.path === reference || info.name === reference || toHex(info.id).startsWith(reference),
        )
        const [only] = found
        if (only === undefined) throw new RemoteError('STORE_NOT_FOUND', `there is no store '${reference}' here`, {})
        if (found.length > 1)
          throw new RemoteError('STORE_AMBIGUOUS', `'${reference}' is the begin of several stores`, {})
        return only.info
      },
      getStatus: async ({ storeId }) => {
        call('store.getStatus')
        const { state } = storeOf(storeId).info
        if (state !== daemon.StoreState.ACTIVE)
          throw new RemoteError('STORE_NOT_READY', `the store is in state ${state}: it cannot be used`, {})
        return Object.assign(
          create(daemon.StoreStatusSchema, {
            store: storeOf(storeId).info,
            keys: 3n,
            witnessCount: 5n,
            appliedSeq: 5n,
            headSeq: 5n,
            authors: 1,
            strategy: 'independent',
            peers: 1,
            stateDigest: idOf(0xd1),
          }),
          node.status,
        )
      },
      setName: async ({ storeId, name }) => {
        call('store.setName')
        storeOf(storeId).info = { ...storeOf(storeId).info, name }
        return create(daemon.SetStoreNameResponseSchema, { name })
      },
      join: async function* ({ token }) {
        call('store.join')
        if (token !== 'lattice1good')
          throw new RemoteError('TOKEN_MALFORMED', 'this is no invite token: copy it again, whole', {})
        yield create(daemon.JoinProgressSchema, { progress: { case: 'stage', value: daemon.JoinStage.CONNECTING } })
        yield create(daemon.JoinProgressSchema, { progress: { case: 'stage', value: daemon.JoinStage.BOOTSTRAPPING } })
        yield create(daemon.JoinProgressSchema, {
          progress: { case: 'bootstrap', value: create(daemon.BootstrapProgressSchema, { done: 5n, total: 10n }) },
        })
        yield create(daemon.JoinProgressSchema, {
          progress: { case: 'bootstrap', value: create(daemon.BootstrapProgressSchema, { done: 10n, total: 10n }) },
        })
        const [first] = stores
        if (first !== undefined)
          yield create(daemon.JoinProgressSchema, { progress: { case: 'joined', value: first.info } })
      },
      sync: async function* () {
        call('store.sync')
        for (const outcome of node.outcomes)
          yield create(daemon.SyncProgressSchema, { progress: { case: 'outcome', value: outcome } })
        yield create(daemon.SyncProgressSchema, {
          progress: { case: 'summary', value: create(daemon.SyncSummarySchema, { peers: node.outcomes.length }) },
        })
      },
      rebuild: async function* () {
        yield create(daemon.RebuildProgressSchema, { done: 2n, total: 4n })
        yield create(daemon.RebuildProgressSchema, { done: 4n, total: 4n })
      },
      verify: async function* ({ storeId, full }) {
        call('store.verify')
        const step = { part: 'records', done: 5n, total: 5n }
        yield create(daemon.VerifyProgressSchema, { progress: { case: 'step', value: step } })
        const sound = { outcome: daemon.VerifyOutcome.SOUND, recordsChecked: 5n, recordsTotal: 5n }
        const value = Object.assign(create(daemon.VerifyReportSchema, { storeId, full, ...sound }), node.verified)
        yield create(daemon.VerifyProgressSchema, { progress: { case: 'report', value } })
      },
      repair: async function* ({ storeId, withoutPeer, acceptFork }) {
        call(`store.repair ${withoutPeer} ${acceptFork}`)
        const step = { stage: 'fetching', done: 2n, total: 5n }
        yield create(daemon.RepairProgressSchema, { progress: { case: 'step', value: step } })
        const value = create(daemon.RepairResultSchema, {
          storeId,
          outcome: daemon.RepairOutcome.RESTORED,
          records: 5n,
          lost: 2n,
          salvaged: 1n,
          kept: '/data/stores/11/log.db.damaged',
        })
        yield create(daemon.RepairProgressSchema, { progress: { case: 'result', value } })
      },
      invite: async ({ uses, role }) => {
        call(`store.invite uses=${uses} role=${role}`)
        return create(daemon.InviteResponseSchema, {
          token: 'lattice1good',
          tokenHash: idOf(3),
          expiresAt: 1_700_000_000_000n,
        })
      },
      listSystem: async () =>
        create(daemon.ListSystemResponseSchema, { entries: [{ key: 'name', value: 'notes', raw: utf8('x') }] }),
      history: async ({ limit }) =>
        create(daemon.HistoryResponseSchema, {
          intentions: Array.from({ length: Math.min(limit, 2) }, (_, index) => ({
            id: idOf(index + 1),
            author: idOf(0xab),
            wall: 1_700_000_000_000n,
            seq: BigInt(2 - index),
            summary: `(put "k${index}")`,
          })),
        }),
      listWitness: async () =>
        create(daemon.ListWitnessResponseSchema, {
          entries: [{ seq: 1n, intentionId: idOf(1), hash: idOf(2), prevHash: idOf(0), signed: true }],
          headSeq: 1n,
        }),
      listFloating: async () => create(daemon.ListFloatingResponseSchema),
      getIntention: async ({ prefix }) => {
        if (prefix !== '0101') throw new RemoteError('INTENTION_NOT_FOUND', `no intention begins with ${prefix}`, {})
        return create(daemon.IntentionDetailsSchema, { id: idOf(1), text: '(intention)', seq: 1n, size: 99 })
      },
      retry: async () => {
        call('store.retry')
        return create(daemon.RetryResponseSchema, { appliedSeq: 5n })
      },
      listRejections: async ({ afterSeq }) =>
        create(daemon.ListRejectionsResponseSchema, {
          entries: afterSeq < 3n ? [{ seq: 3n, intentionId: idOf(3), reason: 'payload_malformed' }] : [],
          total: 1n,
        }),
      acknowledge: async () => {
        call('store.acknowledge')
        return create(
          daemon.AcknowledgeResponseSchema,
          node.acks.length === 0 ? {} : { id: node.acks.shift() ?? idOf(0) },
        )
      },
      observe: async () =>
        create(daemon.ObservationsSchema, {
          authors: [
            {
              author: idOf(0xab),
              name: 'nas',
              seen: [{ author: idOf(0xab), count: 3n, position: 2n, seq: 3n }],
              lag: { unseen: 2n, since: 1_795_000_000_000n },
            },
          ],
          stable: 3n,
          witnessCount: 5n,
          headSeq: 5n,
          stableFrontier: [idOf(3)],
        }),
      listForks: async () =>
        create(daemon.ListForksResponseSchema, {
          forks: [{ author: idOf(0xab), authorName: 'nas', first: idOf(1), second: idOf(2), joined: true }],
        }),
      listTips: async () =>
        create(daemon.ListTipsResponseSchema, { tips: [{ author: idOf(0xab), id: idOf(1), position: 1n, seq: 1n }] }),
      inspectBranch: async ({ heads, causalOnly, limit }) => {
        call(`inspectBranch ${heads.join(' ')}${causalOnly ? ' causal' : ''} ${limit}`)
        return create(daemon.InspectBranchResponseSchema, {
          lcas: [idOf(1)],
          branches: [
            { head: idOf(2), count: 2n, ids: [idOf(1), idOf(2)] },
            { head: idOf(3), count: 9n, ids: [idOf(3)] },
          ],
        })
      },
    },
    dynamic: {
      exec: async ({ storeId, method, request }) => {
        call(`exec ${method}`)
        const handler = handlersOfKv[method]
        if (handler === undefined) throw new RemoteError('METHOD_NOT_FOUND', `there is no method '${method}'`, {})
        return create(daemon.ExecResponseSchema, { response: handler(storeOf(storeId), request) })
      },
      execMany: async function* (messages) {
        call('execMany')
        let handler: (typeof handlersOfKv)[string] | undefined
        let store: FakeStore | undefined
        let done = 0n
        for await (const { storeId, method, requests: all } of messages) {
          handler ??= handlersOfKv[method]
          store ??= storeOf(storeId)
          for (const request of all) {
            requests.push(`execMany ${done}`)
            if (node.refuseAfter === Number(done)) {
              throw new RemoteError('LIMIT_EXCEEDED', 'too large', { written: Number(done), index: Number(done) })
            }
            handler?.(store, request)
            done += 1n
          }
          yield create(daemon.ExecManyProgressSchema, { written: done })
        }
        yield create(daemon.ExecManyProgressSchema, { written: done, done: true })
      },
      getDescriptor: async () => {
        call('getDescriptor')
        return kvDescriptor()
      },
      subscribe: async function* (_request, signal) {
        call('subscribe')
        for await (const event of followQueue(watchers, signal)) {
          yield create(daemon.StoreEventSchema, { event: toBinary(kv.WatchEventSchema, event) })
        }
      },
    },
  }
  return Object.assign(node, { backend: createInProcessBackend(handlers) })
}
