/**
 * "Synced" is said of equal digests alone: of a peer that has held what is here, and by a node whose every neighbour does.
 *
 * @module
 */
import { digestsKey, digestText } from './follow-node.ts'
import { members } from './gathering.ts'
import { find } from './run-record.ts'
import { storeIn, type World } from './world.ts'

/**
 * A peer that is shown as synced has held, some time, what is held here now: over the base of which it spoke, as one that
 * has cut later never holds what is new over an earlier base. Asked of one node and one store in each step, as it reads
 * every peer.
 */
export function checkPeerSync(world: World): void {
  const { mesh, record, honest, stores, hostile } = world
  const index = honest[record.step % honest.length]
  const [name, storeId] =
    record.step % 2 === 0 ? (['team', stores.team] as const) : (['watched', stores.watched] as const)
  const store = index === undefined ? undefined : storeIn(world, index, storeId)
  if (index === undefined || store === undefined) return
  const kernel = store.kernel()
  for (const { publicKey, self, sync } of store.peers()) {
    const peer = world.indexOf(publicKey)
    // What a hostile peer says of itself is its own affair.
    if (self || sync !== 'synced' || peer === undefined || peer === hostile) continue
    // While it says its last its stores may be replaced, and it hands out none of them any more.
    if (mesh.peers[peer]?.isUp() !== true) continue
    const held = world.digests.get(digestsKey(peer, storeId))
    // A store is followed once it is in use: what it held while it was fetched nobody has noted.
    if (held === undefined) continue
    const hasHeld = (): boolean => world.cuts.heldBy(kernel).some((set) => held.has(digestText(set)))
    if (hasHeld()) continue
    world.cuts.look(storeId)
    if (hasHeld()) continue
    const here = world.cuts.heldBy(kernel).map(digestText).join(' or ')
    const what = `${name} on node-${index}: node-${peer} is shown as synced at ${here}, which it never held`
    find(record, 'synced_is_true', what)
  }
}

/**
 * Who says that it is synced is so with every peer that it is connected to; of those it has only heard of it says nothing.
 * Asked of one node, as it costs much.
 */
export function checkStatus(world: World): void {
  const { mesh, record, stores } = world
  const nodes = members(world)
  const index = nodes[record.step % Math.max(1, nodes.length)]
  if (index === undefined) return
  for (const [name, id] of Object.entries(stores)) {
    const { synced, peersConnected, peersSynced } = mesh.store(index, id).status()
    if (synced && (peersConnected === 0 || peersSynced !== peersConnected)) {
      find(record, 'synced_is_true', `${name} on node-${index}: ${peersSynced} of ${peersConnected} peers are`)
    }
  }
}
