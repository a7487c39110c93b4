/**
 * Creating a store: its genesis is recorded first, so that from then on it comes to be, also after a crash.
 *
 * @module
 */
import { assertNotAhead } from '@lattice/kernel'
import {
  createAbortController,
  createGenesis,
  GENESIS_NONCE_BYTES,
  genesisStoreId,
  parseStoreType,
  type StoreId,
  type StoreType,
} from '@lattice/model'
import { checkText, isAdmin, MAX_NAME_BYTES } from '@lattice/systemstore'
import { invalidArgument, notAdmin, storeTypeUnknown } from './errors.ts'
import type { NodeContext } from './node-context.ts'
import type { CreateStoreOptions } from './node-types.ts'
import { CHILD_STRATEGIES } from './meta-stores.ts'
import { storeInUse } from './store-in-use.ts'
import type { StoreManager } from './store-manager.ts'

const DEFAULT_STORE_TYPE = 'core:kvstore'
/** Of a root, where it can be opened. */
const ROOT_STORE_TYPE = 'core:rootstore'

/** Creates a store; resolves with its id once it is in use. */
export async function createStore(
  context: NodeContext,
  manager: StoreManager,
  { name = '', storeType, parent, strategy }: CreateStoreOptions,
): Promise<StoreId> {
  if (name !== '') checkStoreName(name)
  const type = checkType(context, storeType ?? defaultType(context, parent))
  checkStrategy(strategy, parent)
  if (parent !== undefined) checkParent(context, manager, parent)
  // A store whose first writes are refused is not begun: it would come to be later, when nobody expects it any more.
  assertNotAhead(context.clock.wallMs(), context.network()?.peerTime())
  const genesis = createGenesis(context.crypto, context.signer, {
    storeType: type,
    nonce: context.random.bytes(GENESIS_NONCE_BYTES),
    timestamp: { wall: Math.max(0, Math.floor(context.clock.wallMs())), counter: 0 },
  })
  const id = genesisStoreId(genesis)
  manager.add({
    id,
    parentId: parent,
    storeType: type,
    state: 'creating',
    createdAt: context.clock.wallMs(),
    creation: {
      name,
      genesis: { bytes: genesis.bytes, signature: genesis.signature },
      ...(parent === undefined ? {} : { strategy: strategy ?? 'inherited' }),
    },
  })
  await manager.whenReady(id, createAbortController().signal)
  return id
}

/** Throws `INVALID_ARGUMENT` for what cannot name a store. */
export function checkStoreName(name: string): void {
  const problem = checkText(name, { maxBytes: MAX_NAME_BYTES, segment: true })
  if (problem === undefined) return
  throw invalidArgument(
    `\`${name.slice(0, MAX_NAME_BYTES)}\` cannot name a store: use 1 to ${MAX_NAME_BYTES} bytes of visible text without slashes`,
    { reason: problem },
  )
}

function defaultType({ openers }: NodeContext, parent: StoreId | undefined): string {
  const root = parseStoreType(ROOT_STORE_TYPE)
  return parent === undefined && root.ok && openers.has(root.value) ? ROOT_STORE_TYPE : DEFAULT_STORE_TYPE
}

function checkStrategy(strategy: CreateStoreOptions['strategy'], parent: StoreId | undefined): void {
  if (strategy === undefined || (parent === undefined && strategy === 'independent')) return
  if (parent === undefined) {
    throw invalidArgument(`a root has peers of its own, not ${strategy} ones: name a parent to make a child`, {
      strategy,
    })
  }
  if (CHILD_STRATEGIES.includes(strategy)) return
  throw invalidArgument(`a child's peers are ${CHILD_STRATEGIES.join(', ')}: choose one of these`, { strategy })
}

function checkType(context: NodeContext, storeType: string): StoreType {
  const parsed = parseStoreType(storeType)
  if (!parsed.ok || !context.openers.has(parsed.value)) throw storeTypeUnknown(storeType, [...context.openers.keys()])
  return parsed.value
}

function checkParent(context: NodeContext, manager: StoreManager, parent: StoreId): void {
  const { kernel } = storeInUse(manager, parent)
  if (!isAdmin(kernel.tables().system, context.id)) throw notAdmin(parent, 'add child stores')
}
