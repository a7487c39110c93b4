/**
 * The life of a fake node's stores, peers and invites: the acts change what is listed, and refuse what a node refuses.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import { type BackendHandlers, RemoteError } from '@lattice/api'
import { idKey, toHex } from '@lattice/model'
import { daemon, system } from '@lattice/proto'

export const idOf = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)

/** This node, and the only other peer of its stores. */
export const SELF: Uint8Array = idOf(0xab)
export const OTHER: Uint8Array = idOf(0xcd)

export interface FakeStoreRecord {
  info: daemon.StoreInfo
}

export interface FakeLife {
  readonly peers: daemon.PeerInfo[]
  readonly invites: daemon.InviteInfo[]
  /** Newest first. */
  readonly epochs: daemon.Epoch[]
  readonly excluded: daemon.ExcludedEntry[]
  /** What comes of the newest epoch for whoever follows it, one after the other; acknowledged where there is nothing. */
  readonly followed: Partial<daemon.Epoch>[]
  /** Whether another peer is known to hold everything. */
  isReplicated: boolean
  /** Whether this node may change stores, peers and invites. */
  isAdmin: boolean
  /** Peers whose acknowledgement a destroyed store waits for. */
  awaited: Uint8Array[]
  findings: daemon.Finding[]
  /** Names of stores that a backup leaves out. */
  leftOut: string[]
}

export interface FakeLifeDeps {
  readonly stores: FakeStoreRecord[]
  /** Records the request, and fails when the test wants it to. */
  readonly call: (name: string) => void
}

type StoreActNames =
  | 'archive'
  | 'unarchive'
  | 'destroy'
  | 'activateSchema'
  | 'leave'
  | 'rejoin'
  | 'deleteData'
  | 'cancelInvite'
  | 'setPeerRole'
  | 'setPeerStatus'
  | 'revokePeer'
  | 'listEpochs'
  | 'followEpoch'
  | 'listExcluded'
  | 'setPeerName'
  | 'listPeers'
  | 'listInvites'

export interface FakeLifeHandlers {
  readonly life: FakeLife
  readonly store: Pick<BackendHandlers['store'], StoreActNames>
  readonly node: Pick<BackendHandlers['node'], 'why' | 'diagnose' | 'backup'>
}

const ENTRIES_PER_REPLY = 2

const refuse = (code: ConstructorParameters<typeof RemoteError>[0], message: string): never => {
  throw new RemoteError(code, message, {})
}

export function createFakeLife({ stores, call }: FakeLifeDeps): FakeLifeHandlers {
  const life: FakeLife = {
    peers: [
      create(daemon.PeerInfoSchema, {
        publicKey: SELF,
        name: 'laptop',
        status: system.PeerStatus.ACTIVE,
        role: system.Role.ADMIN,
        self: true,
      }),
      create(daemon.PeerInfoSchema, {
        publicKey: OTHER,
        name: 'nas',
        status: system.PeerStatus.ACTIVE,
        role: system.Role.WRITER,
        lastSeen: 1_700_000_000_000n,
      }),
    ],
    invites: [],
    epochs: [],
    excluded: [],
    followed: [],
    isReplicated: true,
    isAdmin: true,
    awaited: [],
    findings: [],
    leftOut: [],
  }
  return {
    life,
    store: { ...storeActs(life, stores, call), ...peerActs(life, { stores, call }) },
    node: {
      why: async ({ storeId, peer }) => {
        call(`node.why ${toHex(storeId)} ${peer}`)
        return create(daemon.WhyResponseSchema, { findings: life.findings })
      },
      diagnose: async () => {
        call('node.diagnose')
        return create(daemon.DiagnoseResponseSchema, { findings: life.findings })
      },
      backup: async function* ({ directory, withoutIdentity }) {
        call(`node.backup ${directory}`)
        if (!directory.startsWith('/')) refuse('INVALID_ARGUMENT', `the directory ${directory} is not absolute`)
        const step = { part: 'meta.db', done: 10n, total: 30n }
        yield create(daemon.BackupProgressSchema, { progress: { case: 'step', value: step } })
        const value = create(daemon.BackupResultSchema, {
          directory,
          stores: stores.length,
          bytes: 30n,
          withIdentity: !withoutIdentity,
          leftOut: life.leftOut,
        })
        yield create(daemon.BackupProgressSchema, { progress: { case: 'result', value } })
      },
    },
  }
}

function storeActs(life: FakeLife, stores: FakeStoreRecord[], call: FakeLifeDeps['call']) {
  const { ACTIVE, ARCHIVED, DESTROYED, LEFT } = daemon.StoreState
  const at = (id: Uint8Array): FakeStoreRecord =>
    stores.find(({ info }) => toHex(info.id) === toHex(id)) ?? refuse('STORE_NOT_FOUND', 'there is no such store')
  const change = (store: FakeStoreRecord, to: Partial<daemon.StoreInfo>): daemon.StoreInfo => {
    store.info = create(daemon.StoreInfoSchema, { ...store.info, ...to })
    return store.info
  }
  const need = (isGood: boolean, message: string): void => {
    if (!isGood) refuse('WRONG_STATE', message)
  }
  const needAdmin = (): void => {
    if (!life.isAdmin) refuse('NOT_ADMIN', 'only an admin may do this: ask one')
  }
  const needCopy = (force: boolean): void => {
    if (!force && !life.isReplicated) refuse('NOT_REPLICATED', 'no other peer is known to hold everything')
  }
  const isRoot = ({ info }: FakeStoreRecord): boolean => info.parentId.length === 0
  return {
    archive: async ({ storeId }: daemon.StoreRequest) => {
      call('store.archive')
      needAdmin()
      const store = at(storeId)
      need(!isRoot(store), 'a root cannot be archived: leave it, or destroy it')
      need(store.info.state === ACTIVE, 'the store is not active')
      return change(store, { state: ARCHIVED })
    },
    unarchive: async ({ storeId }: daemon.StoreRequest) => {
      call('store.unarchive')
      needAdmin()
      const store = at(storeId)
      need(store.info.state === ARCHIVED, 'the store is not archived')
      return change(store, { state: ACTIVE })
    },
    destroy: async ({ storeId }: daemon.DestroyStoreRequest) => {
      call('store.destroy')
      needAdmin()
      const store = at(storeId)
      need(store.info.state === (isRoot(store) ? ACTIVE : ARCHIVED), 'archive the store first')
      return change(store, { state: DESTROYED, awaiting: life.awaited, hasData: life.awaited.length > 0 })
    },
    activateSchema: async ({ storeId, version }: daemon.ActivateSchemaRequest) => {
      call(`store.activateSchema ${version}`)
      needAdmin()
      at(storeId)
      if (version > 1) refuse('INVALID_ARGUMENT', 'this node knows core:kvstore up to schema 1')
      return create(daemon.ActivateSchemaResponseSchema, { version })
    },
    leave: async ({ storeId, force }: daemon.LeaveStoreRequest) => {
      call(`store.leave force=${force}`)
      const store = at(storeId)
      need(isRoot(store) && store.info.state === ACTIVE, 'only an active root can be left')
      needCopy(force)
      return change(store, { state: LEFT })
    },
    rejoin: async ({ storeId }: daemon.StoreRequest) => {
      call('store.rejoin')
      const store = at(storeId)
      need(store.info.state === LEFT && store.info.hasData, 'the store was not left')
      return change(store, { state: ACTIVE })
    },
    deleteData: async ({ storeId, confirmed, force }: daemon.DeleteStoreDataRequest) => {
      call(`store.deleteData confirmed=${confirmed} force=${force}`)
      const store = at(storeId)
      if (!confirmed) refuse('NOT_CONFIRMED', 'nothing is deleted unless it is confirmed')
      const ended: readonly daemon.StoreState[] = [LEFT, ARCHIVED, DESTROYED]
      need(ended.includes(store.info.state), 'leave the store first')
      needCopy(force)
      change(store, { hasData: false })
      return create(daemon.DeleteStoreDataResponseSchema, { bytes: 12_345n, stores: 1 })
    },
  } satisfies Partial<BackendHandlers['store']>
}

/** Made by this node, for the other to acknowledge. */
function revokingEpoch({ publicKey }: daemon.PeerInfo): daemon.Epoch {
  return create(daemon.EpochSchema, {
    id: idOf(0xee),
    seq: 1n,
    author: SELF,
    wall: 1_700_000_000_000n,
    cause: daemon.EpochCause.MEMBERSHIP,
    removals: [{ peer: publicKey }],
    head: true,
    required: [OTHER],
    waitingFor: [OTHER],
  })
}

function peerActs(life: FakeLife, { stores, call }: FakeLifeDeps) {
  const peerAt = (reference: string): daemon.PeerInfo => {
    const isMeant = ({ publicKey, name, self }: daemon.PeerInfo): boolean =>
      reference === '' ? self : name === reference || toHex(publicKey).startsWith(reference)
    return life.peers.find(isMeant) ?? refuse('PEER_NOT_FOUND', `there is no peer '${reference}' here`)
  }
  const needAdmin = (): void => {
    if (!life.isAdmin) refuse('NOT_ADMIN', 'only an admin may do this: ask one')
  }
  return {
    listPeers: async ({ storeId }: daemon.StoreRequest) => {
      const closed = stores.find(
        ({ info }) => idKey(info.id) === idKey(storeId) && info.state === daemon.StoreState.DESTROYED,
      )
      if (closed !== undefined) refuse('WRONG_STATE', 'the store is destroyed')
      return create(daemon.ListPeersResponseSchema, { peers: life.peers })
    },
    listInvites: async () => create(daemon.ListInvitesResponseSchema, { invites: life.invites }),
    cancelInvite: async ({ prefix }: daemon.CancelInviteRequest) => {
      call(`store.cancelInvite ${prefix}`)
      needAdmin()
      const invite =
        life.invites.find(({ tokenHash }) => toHex(tokenHash).startsWith(prefix)) ??
        refuse('INVITE_NOT_FOUND', `no invite begins with ${prefix}`)
      if (invite.status !== system.InviteStatus.OPEN) refuse('WRONG_STATE', 'the invite is not open')
      invite.status = system.InviteStatus.CANCELLED
      return invite
    },
    setPeerRole: async ({ peer: reference, role }: daemon.SetPeerRoleRequest) => {
      call(`store.setPeerRole ${reference} ${role}`)
      needAdmin()
      const peer = peerAt(reference)
      peer.role = role
      return peer
    },
    revokePeer: async ({ peer: reference, self, force }: daemon.RevokePeerRequest) => {
      call(`store.revokePeer ${self ? 'self' : reference}${force ? ' force' : ''}`)
      needAdmin()
      const peer = peerAt(reference)
      if (peer.status === system.PeerStatus.REVOKED) refuse('WRONG_STATE', `${reference} is revoked already`)
      peer.status = system.PeerStatus.REVOKED
      const epoch = revokingEpoch(peer)
      life.epochs.unshift(epoch)
      return create(daemon.RevokePeerResponseSchema, { peer, epoch })
    },
    listEpochs: async ({ limit, pageToken }: daemon.ListEpochsRequest) => {
      const from = pageToken[0] ?? 0
      // Fewer than are asked for, as where they are large.
      const epochs = life.epochs.slice(from, from + Math.min(limit, ENTRIES_PER_REPLY))
      const end = from + epochs.length
      const nextPageToken = end < life.epochs.length ? Uint8Array.of(end) : new Uint8Array()
      return create(daemon.ListEpochsResponseSchema, { epochs, total: BigInt(life.epochs.length), nextPageToken })
    },
    followEpoch: async function* () {
      const epoch = life.epochs[0] ?? refuse('INTENTION_NOT_FOUND', 'no such epoch')
      yield epoch
      const settled = { acked: epoch.required, waitingFor: [], settled: true }
      for (const next of life.followed.length === 0 ? [settled] : life.followed) yield { ...epoch, ...next }
    },
    listExcluded: async ({ limit, pageToken }: daemon.ListExcludedRequest) => {
      const from = pageToken[0] ?? 0
      const end = from + Math.min(limit, ENTRIES_PER_REPLY)
      const nextPageToken = end < life.excluded.length ? Uint8Array.of(end) : new Uint8Array()
      return create(daemon.ListExcludedResponseSchema, { entries: life.excluded.slice(from, end), nextPageToken })
    },
    setPeerStatus: async ({ peer: reference, status }: daemon.SetPeerStatusRequest) => {
      call(`store.setPeerStatus ${reference} ${status}`)
      needAdmin()
      const peer = peerAt(reference)
      peer.status = status
      return peer
    },
    setPeerName: async ({ peer: reference, name }: daemon.SetPeerNameRequest) => {
      call(`store.setPeerName ${reference} ${name}`)
      const peer = peerAt(reference)
      peer.name = name
      return peer
    },
  } satisfies Partial<BackendHandlers['store']>
}
