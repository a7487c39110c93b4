/**
 * What follows the genesis of a store that this node creates.
 *
 * Each step looks first whether it has been done, so that a crash between any two is made good at the next start.
 *
 * @module
 */
import { assert, parseStoreType, type PublicKey } from '@lattice/model'
import {
  addChild,
  readChild,
  readStrategy,
  setName,
  setPeerName,
  setStrategy,
  type SystemWrite,
} from '@lattice/systemstore'
import type { NodeContext } from './node-context.ts'
import type { OpenStore } from './open-store.ts'
import { pathSegment } from './store-names.ts'
import { submitSystem } from './submit-system.ts'

export interface FinishCreationOptions {
  readonly store: OpenStore
  readonly name: string
  /** The open parent of a child store. */
  readonly parent: OpenStore | undefined
}

/** Names the store, says whose peers it has, and declares it in its parent. */
export async function finishCreation(
  context: NodeContext,
  { store, name, parent }: FinishCreationOptions,
): Promise<void> {
  const author = context.id
  if (readStrategy(store.kernel.tables().system) === undefined) {
    await submitSystem(store.kernel, firstWrites(context, { store, name, parent }), { author, act: 'set up the store' })
  }
  if (parent === undefined || readChild(parent.kernel.tables().system, store.id) !== undefined) return
  const storeType = parseStoreType(store.storeType)
  assert(storeType.ok, 'a created store has a valid type')
  const alias = pathSegment(name, store.id)
  const declaration = addChild({ author, child: store.id, alias, storeType: storeType.value })
  await submitSystem(parent.kernel, [declaration], { author, act: 'add child stores' })
}

function firstWrites(context: NodeContext, { name, parent }: FinishCreationOptions): SystemWrite[] {
  const author: PublicKey = context.id
  const writes: SystemWrite[] = [
    setStrategy({
      author,
      strategy: parent === undefined ? { kind: 'independent', parent: undefined } : { kind: 'inherited', parent: parent.id },
    }),
  ]
  if (name !== '') writes.push(setName({ author, name }))
  const nodeName = context.nodeName()
  if (nodeName !== '' && parent === undefined) writes.push(setPeerName({ author, name: nodeName }))
  return writes
}
