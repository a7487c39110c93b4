/**
 * A store's life, and changes of its peers and invites.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import type { StoreHandle } from '@lattice/node'
import { daemon } from '@lattice/proto'
import type { ServiceHandlers } from '../service-types.ts'
import { toInviteInfo, toPeerInfo, toStoreInfo } from './messages.ts'

type StoreService = ServiceHandlers<typeof daemon.StoreService>
type At = (request: { readonly storeId: Uint8Array }) => StoreHandle

export function storeActs(
  at: At,
): Pick<StoreService, 'archive' | 'unarchive' | 'destroy' | 'activateSchema' | 'leave' | 'rejoin' | 'deleteData'> {
  const act = async (
    request: { readonly storeId: Uint8Array },
    run: (store: StoreHandle) => Promise<void>,
  ): Promise<daemon.StoreInfo> => {
    const store = at(request)
    await run(store)
    return toStoreInfo(store.summary())
  }
  return {
    archive: (request) => act(request, (store) => store.archive()),
    unarchive: (request) => act(request, (store) => store.unarchive()),
    destroy: (request) => act(request, (store) => store.destroy()),
    activateSchema: async (request) => {
      await at(request).activateSchema(request.version)
      return create(daemon.ActivateSchemaResponseSchema, { version: request.version })
    },
    leave: (request, signal) => act(request, (store) => store.leave({ force: request.force, signal })),
    rejoin: (request) => act(request, (store) => store.rejoin()),
    deleteData: async (request) => {
      const { bytes, stores } = await at(request).deleteData({ confirmed: request.confirmed, force: request.force })
      return create(daemon.DeleteStoreDataResponseSchema, { bytes: BigInt(bytes), stores })
    },
  }
}

export function peerActs(at: At): Pick<StoreService, 'cancelInvite' | 'setPeerRole' | 'setPeerStatus' | 'setPeerName'> {
  return {
    cancelInvite: async (request) => toInviteInfo(await at(request).cancelInvite(request.prefix)),
    setPeerRole: async (request) => toPeerInfo(await at(request).setPeerRole(request.peer, request.role)),
    setPeerStatus: async (request) => toPeerInfo(await at(request).setPeerStatus(request.peer, request.status)),
    setPeerName: async (request) => toPeerInfo(await at(request).setPeerName(request.peer, request.name)),
  }
}
