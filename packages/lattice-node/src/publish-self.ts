/**
 * Tells a store's peers what this node calls itself, and what machine it runs on.
 *
 * Once for each store and each name: an admin may call the node otherwise, and so may its owner in one store, and that
 * stands until the node is given another name.
 *
 * @module
 */
import { readPeer, readStrategy, setPeerDevice, setPeerName, type SystemWrite } from '@lattice/systemstore'
import type { NodeContext } from './node-context.ts'
import type { StoreEntry } from './store-entry.ts'
import { submitSystem } from './submit-system.ts'

/** Writes what was not told yet, where this node may write and the store has peers of its own. */
export async function publishSelf(context: NodeContext, { open, ready }: StoreEntry): Promise<void> {
  if (open === undefined || !ready) return
  const { id: author, meta, device } = context
  const { id } = open
  const name = context.nodeName()
  const { system } = open.kernel.tables()
  const self = readPeer(system, author)
  const isWriter = self?.status === 'active' && (self.role === 'writer' || self.role === 'admin')
  if (!isWriter || readStrategy(system)?.kind === 'inherited') return
  const isNameNew = name !== '' && meta.told(id, 'name') !== name
  const isDeviceNew = device !== '' && meta.told(id, 'device') !== device
  if (!isNameNew && !isDeviceNew) return
  const writes: SystemWrite[] = []
  if (isNameNew && self.name !== name) writes.push(setPeerName({ author, name }))
  if (isDeviceNew && self.device !== device) writes.push(setPeerDevice({ author, device }))
  if (writes.length > 0) await submitSystem(open.kernel, writes, { author, act: 'name itself' })
  // After it is written: told twice is no harm, and not told would be for good.
  meta.setTold(id, { name, device })
}
