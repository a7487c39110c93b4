/**
 * Peers by the names that a store knows them by.
 *
 * @module
 */
import { idKey, isLatticeError } from '@lattice/model'
import type { daemon } from '@lattice/proto'
import type { CommandContext } from './command-context.ts'
import { formatId } from './render/bytes-text.ts'
import { printable } from './render/display-text.ts'

/** The name of a peer where it has one, else the beginning of its key. */
export type PeerNames = (peer: Uint8Array) => string

/** The names of a store's peers. One that is closed is asked for at its parent, whose peers it may share. */
export async function peerNames(
  context: CommandContext,
  store: Pick<daemon.StoreInfo, 'id' | 'parentId'>,
): Promise<PeerNames> {
  const { store: service } = await context.backend()
  const { signal } = context
  const known = new Map<string, string>()
  for (const storeId of [store.id, store.parentId]) {
    if (storeId.length === 0) continue
    try {
      const { peers } = await service.listPeers({ storeId }, { signal })
      for (const { publicKey, name } of peers) if (name !== '') known.set(idKey(publicKey), printable(name))
    } catch (error) {
      // Names are a courtesy: a store that does not tell them leaves the keys.
      if (!isLatticeError(error) || signal.aborted) throw error
    }
  }
  return (peer) => known.get(idKey(peer)) ?? formatId(peer, context.out.full)
}
