/**
 * Fetches a store whose history was cut: what its log begins with and the state there, beside whatever is in its place.
 *
 * Nothing of it is a store before it is whole, and what was taken in stays over a restart. Everything is verified as it
 * comes: the genesis by the store's id, the records of membership by their authors, the state by the root that enough of the
 * store's peers signed. What such a store cannot tell by itself is whether more was there that nobody gives any more; its
 * own peers vouch for that, by their acknowledgements.
 *
 * @module
 */
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { commitReplacement, peekLog } from '@lattice/kernel'
import type { AbortSignal, StoreId } from '@lattice/model'
import type { NetworkService, PeerHint, SnapshotState } from '@lattice/net'
import { translateStorageError } from '@lattice/storage'
import { createStoreMembershipPolicy, createSystemLayer } from '@lattice/systemstore'
import type { NodeContext } from '../node-context.ts'
import { openMachine, type OpenStoreOptions } from '../open-store.ts'
import { createParentPeers } from '../parent-peers.ts'
import { openPrunedStorePort, type PrunedStorePort } from './pruned-store-port.ts'

/** Within the store's directory. */
const BESIDE = 'fetching'

export interface FetchPruned extends Pick<OpenStoreOptions, 'tablesOf' | 'kernelOf'> {
  readonly id: StoreId
  /** What it is believed to be: state is made for its machine. */
  readonly storeType: string
  readonly network: NetworkService
  readonly peers: readonly PeerHint[]
  readonly signal: AbortSignal
  readonly onProgress?: (progress: SnapshotState) => void
}

/** True where nothing of the store is here. */
export function isStoreEmpty(context: NodeContext, id: StoreId): boolean {
  const directory = context.directory.storePath(id)
  return !existsSync(join(directory, 'log.db')) || (peekLog(directory)?.witnessCount ?? 0) === 0
}

/**
 * Fetches it and puts it in the place of a log that holds nothing. Answers false where peers have all of the history, which
 * is fetched in the usual way. The store is closed.
 */
export async function fetchPrunedInPlace(context: NodeContext, options: FetchPruned): Promise<boolean> {
  const directory = context.directory.storePath(options.id)
  const isFetched = await fetchPruned(context, options)
  if (isFetched) commitReplacement(directory, { made: besidePath(context, options.id), isOldSpent: true })
  return isFetched
}

/** Where it is made. */
export function besidePath(context: NodeContext, id: StoreId): string {
  return join(context.directory.storePath(id), BESIDE)
}

/** Leaves a whole store beside; answers false, and leaves nothing, where peers have all of the history. */
export async function fetchPruned(context: NodeContext, options: FetchPruned): Promise<boolean> {
  const { id, network, peers, signal, onProgress } = options
  const writer = openWriter(context, options)
  try {
    if (writer.isWhole()) return true
    const outcome = await network.fetchSnapshot({
      storeId: id,
      peers,
      writer,
      signal,
      ...(onProgress && { onProgress }),
    })
    if (outcome.kind === 'fetched') return true
  } finally {
    writer.close()
  }
  dropBeside(context, id)
  return false
}

export function dropBeside(context: NodeContext, id: StoreId): void {
  const path = besidePath(context, id)
  try {
    rmSync(path, { recursive: true, force: true })
  } catch (error) {
    throw translateStorageError(error, { path, contents: 'other' })
  }
}

function openWriter(context: NodeContext, { id, storeType, tablesOf, kernelOf }: FetchPruned): PrunedStorePort {
  const machine = openMachine(context, storeType)
  const { version } = createSystemLayer(machine === undefined ? {} : { machine })
  return openPrunedStorePort({
    directory: besidePath(context, id),
    storeId: id,
    crypto: context.crypto,
    signer: context.signer,
    membership: createStoreMembershipPolicy(createParentPeers({ kernelOf, tablesOf })),
    clock: context.clock,
    projectorVersion: version,
    ...(context.storageHooks === undefined ? {} : { storageHooks: context.storageHooks }),
  })
}
