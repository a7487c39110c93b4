/**
 * Makes a store anew from those that cut its history, beside what is here of it, and puts it in place once it is whole.
 *
 * What a peer says about a cut proves nothing; what it serves then has to. So nothing of the store that is here changes
 * before the other is whole. Then what was here goes into the new one by the one way in, as far as it is not below the cut:
 * what this node wrote and nobody has is kept. What it wrote upon that which is gone waits there, is counted and told, and the
 * old log is kept beside then.
 *
 * @module
 */
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { commitFetched, FETCHING, hasFetched, type Kernel, salvageLog } from '@lattice/kernel'
import {
  type AbortSignal,
  type Crypto,
  equalBytes,
  type IdKey,
  idKey,
  type IntentionId,
  isGenesis,
  parseSignedIntention,
  parseStoreType,
  type PublicKey,
  readIntentionId,
  type SignedIntention,
  type StoreId,
} from '@lattice/model'
import type { NetworkService, PeerHint, SnapshotState } from '@lattice/net'
import { createStoreMembershipPolicy, createSystemLayer } from '@lattice/systemstore'
import type { NodeContext } from './node-context.ts'
import { openStore, type OpenStoreOptions } from './open-store.ts'
import { createParentPeers } from './parent-peers.ts'
import { openPrunedStoreFetch } from './pruned-store-fetch.ts'

export interface PrunedFetchDeps extends Pick<OpenStoreOptions, 'id' | 'storeTypeHint' | 'tablesOf' | 'kernelOf'> {
  readonly signal: AbortSignal
}

export interface PrunedFetch extends PrunedFetchDeps {
  readonly network: NetworkService
  readonly peers: readonly PeerHint[]
  readonly onProgress: (state: SnapshotState) => void
}

/** What became of the store that was here. */
export interface AdoptedStore {
  /** The epoch that its log begins with. */
  readonly base: IntentionId | undefined
  /** Of this node's own intentions that were here, how many are in the new log and came from the old one alone. */
  readonly kept: number
  /** And how many wait for what is gone: they are to be written anew. */
  readonly waiting: number
}

/**
 * Fetches it; true once it is whole, false where nobody cut anything. The store may be in use meanwhile. Rejects as
 * `NetworkService.fetchSnapshot`; the next call goes on where it was.
 */
export async function fetchPruned(context: NodeContext, fetch: PrunedFetch): Promise<boolean> {
  const { id, storeTypeHint, network, peers, signal, onProgress, kernelOf, tablesOf } = fetch
  const directory = fetchingPath(context, id)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const type = parseStoreType(storeTypeHint)
  const machine = type.ok ? context.openers.get(type.value)?.() : undefined
  const writer = openPrunedStoreFetch({
    directory,
    storeId: id,
    crypto: context.crypto,
    signer: context.signer,
    clock: context.clock,
    membership: createStoreMembershipPolicy(createParentPeers({ kernelOf, tablesOf })),
    projectorVersion: createSystemLayer(machine === undefined ? {} : { machine }).version,
    ...(context.storageHooks === undefined ? {} : { storageHooks: context.storageHooks }),
  })
  let isWhole = writer.isWhole()
  try {
    if (!isWhole) {
      const outcome = await network.fetchSnapshot({ storeId: id, peers, writer, signal, onProgress })
      isWhole = outcome.kind === 'fetched'
    }
  } finally {
    writer.close()
  }
  if (!isWhole) rmSync(directory, { recursive: true, force: true })
  return isWhole
}

/** Something was fetched in part, or as a whole, and is not in place yet. */
export function isFetchBegun(context: NodeContext, id: StoreId): boolean {
  return hasFetched(context.directory.storePath(id))
}

/** Puts what was fetched in place. The store is closed; a crash leaves the one or the other. */
export async function adoptFetched(context: NodeContext, deps: PrunedFetchDeps): Promise<AdoptedStore> {
  const { id, storeTypeHint, tablesOf, kernelOf, signal } = deps
  const path = context.directory.storePath(id)
  const store = await openStore(context, {
    id,
    storeTypeHint,
    tablesOf,
    kernelOf,
    directory: fetchingPath(context, id),
    onSystemChange: () => undefined,
    onFailed: () => undefined,
    mustExist: true,
  })
  let adopted: AdoptedStore
  try {
    adopted = await takeOver(context, store.kernel, { path, signal })
  } finally {
    await store.close()
  }
  const kept = commitFetched(path)
  // All that counts of it is in the new one.
  if (kept !== undefined && adopted.waiting === 0) rmSync(kept, { force: true })
  return adopted
}

function fetchingPath(context: NodeContext, id: StoreId): string {
  return join(context.directory.storePath(id), FETCHING)
}

/** Has the new log take in what only the old one has. */
async function takeOver(
  { crypto, clock, scheduler, fileCheck, id: self }: NodeContext,
  kernel: Kernel,
  { path, signal }: { readonly path: string; readonly signal: AbortSignal },
): Promise<AdoptedStore> {
  let kept = 0
  const waiting = new Set<IdKey>()
  if (existsSync(join(path, 'log.db'))) {
    await salvageLog({
      directory: path,
      storeId: kernel.storeId,
      witnessKey: self,
      crypto,
      clock,
      scheduler,
      signal,
      ...(fileCheck && { fileCheck }),
      onBatch: async (batch) => {
        const taken = notBelow(kernel, crypto, batch)
        const outcomes = await kernel.ingest(taken, undefined)
        for (const [index, outcome] of outcomes.entries()) {
          const own = isBy(crypto, taken[index], self)
          if (own && outcome.kind === 'witnessed') kept += 1
          if (own && outcome.kind === 'floating') waiting.add(idKey(outcome.id))
        }
      },
    })
  }
  return { base: kernel.base()?.epoch, kept, waiting: waiting.size }
}

/** Those that are not here and follow on their chain what is, or each other. */
function notBelow(kernel: Kernel, crypto: Crypto, batch: readonly SignedIntention[]): SignedIntention[] {
  const followed = new Set<IdKey>()
  return batch.filter((signed) => {
    const parsed = parseSignedIntention(crypto, signed)
    if (!parsed.ok || kernel.has(parsed.value.id) || isGenesis(parsed.value.intention)) return false
    const { storePrev } = parsed.value.intention
    const prev = readIntentionId(storePrev)
    const isKnown = prev !== undefined && (kernel.missing([prev]).length === 0 || kernel.get(prev) !== undefined)
    if (!isKnown && !followed.has(idKey(storePrev))) return false
    followed.add(idKey(parsed.value.id))
    return true
  })
}

function isBy(crypto: Crypto, signed: SignedIntention | undefined, author: PublicKey): boolean {
  const parsed = signed === undefined ? undefined : parseSignedIntention(crypto, signed)
  return parsed?.ok === true && equalBytes(parsed.value.intention.author, author)
}
