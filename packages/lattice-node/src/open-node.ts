/**
 * Opens a node: its directory, its identity, its stores and its network, in that order; closes them in reverse.
 *
 * Whatever fails on the way closes what was opened before it.
 *
 * @module
 */
import { existsSync, readdirSync } from 'node:fs'
import { peekLog } from '@lattice/kernel'
import {
  createBroadcast,
  createScope,
  createSigner,
  equalBytes,
  type KeyPair,
  type PublicKey,
  type Scope,
} from '@lattice/model'
import { createNetworkService, type NetworkService } from '@lattice/net'
import { checkText, MAX_DEVICE_BYTES, MAX_NAME_BYTES } from '@lattice/systemstore'
import { createStore } from './create-store.ts'
import { type DataDirectory, openDataDirectory } from './data-directory.ts'
import { identityForeign, invalidArgument, metaMissing, nodeClosed } from './errors.ts'
import { toFailure } from './failure.ts'
import { backupNode } from './backup.ts'
import { diagnoseNode } from './diagnose.ts'
import { finalSync } from './final-sync.ts'
import { followNetwork } from './follow-network.ts'
import { loadIdentity } from './identity.ts'
import { createReturningStores } from './returning-stores.ts'
import { joinStore } from './join-store.ts'
import { createPruneDriver } from './history/prune-driver.ts'
import { createStorePurges } from './history/purge-stores.ts'
import { createLagWatch } from './lag-watch.ts'
import { listStores } from './list-stores.ts'
import { type MetaDb, openMetaDb } from './meta-db.ts'
import { createNodeClock, type NodeClock } from './node-clock.ts'
import { createNodeHealth } from './node-health.ts'
import { createNamePublisher, type NamePublisher } from './name-publisher.ts'
import type { NodeContext } from './node-context.ts'
import type { NodeEvent } from './node-events.ts'
import type { Node, NodeOptions } from './node-types.ts'
import type { OpenStore } from './open-store.ts'
import { createPeerLinks } from './peer-links.ts'
import { publishEvents } from './publish-events.ts'
import { createRedeemer } from './redeem-token.ts'
import { createStoreHandles } from './store-handles.ts'
import { findReasons } from './why.ts'
import { measureStore } from './findings/gather-doctor.ts'
import { StoreManager } from './store-manager.ts'
import { resolveReference } from './store-names.ts'

/** Events kept for a subscriber that falls behind before it is told so. */
const EVENTS_CAPACITY = 1024

/**
 * Opens a node on a data directory, creating it when absent. Rejects with `DATA_DIR_*`, `IDENTITY_*`, or what a database
 * rejects with. Stores open after that, each by itself: one that fails is listed with its error.
 */
export async function openNode(options: NodeOptions): Promise<Node> {
  const scope = createScope('node', undefined, {
    onFailure: (error, task) => options.logger.error('node.task_failed', { task, ...toFailure(error) }),
  })
  try {
    const directory = openDataDirectory(options.dataDir, { pid: options.pid ?? 0 })
    scope.onClose(directory.close)
    const keyPair = openIdentity(options, directory)
    const meta = openMeta(options, directory, keyPair)
    scope.onClose(meta.close)
    if (options.name !== undefined && meta.name() === undefined) {
      checkNodeName(options.name)
      meta.setName(options.name)
    }
    return await startNode(options, { scope, directory, keyPair, meta })
  } catch (error) {
    await scope.close(error).catch(() => undefined)
    throw error
  }
}

function openIdentity({ crypto, random }: NodeOptions, directory: DataDirectory): KeyPair {
  const hasStores = readdirSync(directory.storesPath).length > 0
  const hasMeta = existsSync(directory.metaPath)
  const keyPair = loadIdentity({ path: directory.identityPath, mustExist: hasMeta || hasStores, crypto, random })
  // An inventory made anew would hide every store that is here.
  if (hasStores && !hasMeta) throw metaMissing(directory.metaPath)
  return keyPair
}

/** The inventory, which remembers whose it is. Throws `IDENTITY_FOREIGN` when it is another node's. */
function openMeta({ storageHooks }: NodeOptions, directory: DataDirectory, { publicKey }: KeyPair): MetaDb {
  const meta = openMetaDb(directory.metaPath, storageHooks)
  const owner =
    meta.identity() ??
    meta
      .stores()
      .map(({ id }) => writerOf(directory.storePath(id)))
      .find(isKnown)
  if (owner !== undefined && !equalBytes(owner, publicKey)) {
    meta.close()
    throw identityForeign(directory.identityPath, { owner, found: publicKey })
  }
  if (meta.identity() === undefined) meta.setIdentity(publicKey)
  return meta
}

/** Whose log a directory holds, where that can be read. */
function writerOf(path: string): PublicKey | undefined {
  try {
    return peekLog(path)?.witnessKey
  } catch {
    return undefined
  }
}

function isKnown(key: PublicKey | undefined): key is PublicKey {
  return key !== undefined
}

interface NodeParts {
  readonly scope: Scope
  readonly directory: DataDirectory
  readonly keyPair: KeyPair
  readonly meta: MetaDb
}

/** What a node's network has of what the node was given. */
function networkOptions({
  crypto,
  clock,
  random,
  scheduler,
  logger,
  networkLimits: limits = {},
  hostNetwork,
  onNetworkChanged,
}: NodeOptions) {
  return {
    crypto,
    clock,
    random,
    scheduler,
    logger,
    limits,
    ...(hostNetwork === undefined ? {} : { hostNetwork }),
    ...(onNetworkChanged === undefined ? {} : { onNetworkChanged }),
  }
}

async function startNode(options: NodeOptions, parts: NodeParts): Promise<Node> {
  const { scope, keyPair, meta } = parts
  const events = createBroadcast<NodeEvent>({ capacity: EVENTS_CAPACITY })
  scope.onClose(events.close)
  let network: NetworkService | undefined
  const context = createContext(options, parts, { events, network: () => network })
  const publishName = createNamePublisher(context, scope)
  const manager = new StoreManager(context, {
    onChanged: () => links.refresh(),
    onReady: (entry) => {
      publishName([entry])
      const { open } = entry
      if (open === undefined) return
      context.health.measured(open.id, measureStore(context, open))
      publishEvents(context, open)
      lags.follow(open)
      for (const { follow } of history) follow(open)
      returning.resume(open.id)
    },
  })
  scope.onClose(manager.close)
  const isInUse = (store: OpenStore): boolean => manager.entry(store.id)?.open === store
  const lags = createLagWatch(context, { tablesOf: manager.tablesOf, isInUse })
  scope.onClose(lags.close)
  const { tablesOf, kernelOf } = manager
  const history = [createPruneDriver, createStorePurges].map((make) => make(context, { tablesOf, kernelOf, isInUse }))
  for (const { close } of history) scope.onClose(close)
  const returning = createReturningStores(context, manager)
  const links = createPeerLinks(context, { manager, spawn: scope.spawn })
  const nodeClock = createNodeClock({
    clock: options.clock,
    network: () => network,
    isProvenBehind: () => [...manager.entries.values()].some(({ open }) => open?.kernel.time().isBehind === true),
    publish: context.publish,
  })
  const { openTransport } = options
  if (openTransport !== undefined) {
    const transport = await openTransport(keyPair)
    const discovery = options.openDiscovery?.(keyPair)
    const service = createNetworkService({
      ...networkOptions(options),
      transport,
      joinHandler: createRedeemer(context, () => manager),
      wallMs: nodeClock.saysMs,
      addressesOf: meta.addresses,
      knownPeers: links.all,
      ...(discovery === undefined ? {} : { discovery }),
    })
    // Who shares what is said from the tables, from the start.
    service.circles([])
    network = service
    scope.onClose(service.close)
    scope.spawn('network events', (signal) =>
      followNetwork(context, { manager, links, nodeClock, lags, returning }, { network: service, signal }),
    )
  }
  // Before the network goes: nothing may come into use without it.
  scope.onClose(manager.end)
  manager.wake()
  await manager.settled()
  return createNode({ context, manager, scope, events, nodeClock, publishName })
}

interface Shared {
  readonly events: ReturnType<typeof createBroadcast<NodeEvent>>
  readonly network: () => NetworkService | undefined
}

function createContext(
  options: NodeOptions,
  { directory, keyPair, meta }: NodeParts,
  { events, network }: Shared,
): NodeContext {
  return {
    id: keyPair.publicKey,
    signer: createSigner(options.crypto, keyPair),
    directory,
    meta,
    openers: options.openers,
    crypto: options.crypto,
    verifier: options.verifier,
    clock: options.clock,
    random: options.random,
    scheduler: options.scheduler,
    logger: options.logger,
    storageHooks: options.storageHooks,
    scrub: options.scrub,
    fileCheck: options.fileCheck,
    fileWork: options.fileWork,
    ackDelayMs: options.ackDelayMs,
    network,
    publish: (event) => events.publish({ time: options.clock.wallMs(), ...event }),
    nodeName: () => meta.name() ?? '',
    device: deviceOf(options),
    about: options.about,
    health: createNodeHealth(),
  }
}

interface NodeDeps {
  readonly context: NodeContext
  readonly manager: StoreManager
  readonly scope: Scope
  readonly events: ReturnType<typeof createBroadcast<NodeEvent>>
  readonly nodeClock: NodeClock
  readonly publishName: NamePublisher
}

function createNode({ context, manager, scope, events, nodeClock, publishName }: NodeDeps): Node {
  let closing: Promise<void> | undefined
  const check = (): void => {
    if (closing !== undefined) throw nodeClosed()
  }
  const handle = createStoreHandles(context, manager)
  const close = (): Promise<void> => {
    closing ??= closeNode({ context, manager, scope })
    return closing
  }
  return {
    id: context.id,
    dataDir: context.directory.path,
    name: context.nodeName,
    setName: async (name) => {
      check()
      checkNodeName(name)
      context.meta.setName(name)
      publishName(manager.entries.values())
    },
    storeTypes: () => [...context.openers.keys()],
    stores: () => listStores(manager),
    store: (reference) => {
      check()
      return handle(typeof reference === 'string' ? resolveReference(reference, listStores(manager)).id : reference)
    },
    createStore: async (createOptions = {}) => {
      check()
      return handle(await createStore(context, manager, createOptions))
    },
    join: async (text, joinOptions = {}) => {
      check()
      return handle(await joinStore(context, manager, { text, options: joinOptions }))
    },
    network: {
      connectedPeers: () =>
        (context.network()?.connectedPeers() ?? []).map(({ peer, sinceMs, path }) => ({
          publicKey: peer,
          connectedAt: sinceMs,
          path,
        })),
      addresses: () => context.network()?.addresses() ?? [],
      clock: nodeClock.status,
    },
    why: async (whyOptions = {}) => {
      check()
      return findReasons({ context, manager, clock: nodeClock.status }, whyOptions)
    },
    diagnose: async () => {
      check()
      return diagnoseNode({ context, manager, clock: nodeClock.status })
    },
    backup: async (backupOptions) => {
      check()
      return backupNode(context, manager, backupOptions)
    },
    events: events.subscribe,
    close,
    [Symbol.asyncDispose]: close,
  }
}

async function closeNode({ context, manager, scope }: Pick<NodeDeps, 'context' | 'manager' | 'scope'>): Promise<void> {
  await finalSync(context, manager)
  await scope.close(nodeClosed())
}

/** Throws `INVALID_ARGUMENT` for what cannot name a node. */
function checkNodeName(name: string): void {
  const reason = checkText(name, { maxBytes: MAX_NAME_BYTES, segment: false })
  if (reason === undefined) return
  throw invalidArgument(`a node's name has 1 to ${MAX_NAME_BYTES} bytes of visible text: choose another`, { reason })
}

/** Whoever runs the node describes the machine, so what cannot be told is left out. */
function deviceOf({ device = '' }: NodeOptions): string {
  return checkText(device, { maxBytes: MAX_DEVICE_BYTES, segment: false }) === undefined ? device : ''
}
