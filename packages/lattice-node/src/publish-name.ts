/**
 * Tells a store's peers what this node calls itself.
 *
 * @module
 */
import type { NodeContext } from './node-context.ts'
import { readPeer, readStrategy, setPeerName } from '@lattice/systemstore'
import type { StoreEntry } from './store-entry.ts'
import { submitSystem } from './submit-system.ts'

/** Writes the name where it is not there yet, and where this node may write and the store has peers of its own. */
export async function publishName(context: NodeContext, { open, ready }: StoreEntry): Promise<void> {
  const name = context.nodeName()
  if (name === '' || open === undefined || !ready) return
  const { system } = open.kernel.tables()
  const self = readPeer(system, context.id)
  const isWriter = self?.status === 'active' && (self.role === 'writer' || self.role === 'admin')
  if (!isWriter || self.name === name || readStrategy(system)?.kind === 'inherited') return
  await submitSystem(open.kernel, [setPeerName({ author: context.id, name })], {
    author: context.id,
    act: 'name itself',
  })
}
