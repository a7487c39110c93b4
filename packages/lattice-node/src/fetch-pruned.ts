/**
 * Makes a store anew from those that cut its history, beside what is here of it, and puts it in place once it is whole.
 *
 * What a peer says about a cut proves nothing; what it serves then has to. So nothing of the store that is here changes
 * before the other is whole. Then what was here goes into the new one by the one way in, as far as it is not below the cut:
 * what this node wrote and nobody has is kept. What it wrote upon that which is gone is put aside, counted and told, and can
 * be submitted anew.
 *
 * @module
 */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { commitFetched, FETCHING, hasFetched, type Kernel, openReingest, peekLog } from '@lattice/kernel'
import {
  type AbortSignal,
  type Crypto,
  equalBytes,
  type IntentionId,
  parseSignedIntention,
  parseStoreType,
  type PublicKey,
  type SignedIntention,
  type StoreId,
} from '@lattice/model'
import type { NetworkService, PeerHint, SnapshotState } from '@lattice/net'
import type { MembershipPolicy } from '@lattice/store-base'
import { createStoreMembershipPolicy, createSystemLayer } from '@lattice/systemstore'
import type { NodeContext } from './node-context.ts'
import { openStore, type OpenStoreOptions } from './open-store.ts'
import { createParentPeers } from './parent-peers.ts'
import { addStranded } from './history/stranded-file.ts'
import { holdOfReturn } from './write-hold.ts'
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
  /** And how many cite what is gone: they are put aside, to be written anew. */
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
    const membership = createStoreMembershipPolicy(createParentPeers({ kernelOf, tablesOf }))
    adopted = await takeOver(context, store.kernel, { path, membership, signal })
  } finally {
    await store.close()
  }
  // All that is worth keeping of the old log is in the new one, or put aside.
  commitFetched(path)
  return adopted
}

function fetchingPath(context: NodeContext, id: StoreId): string {
  return join(context.directory.storePath(id), FETCHING)
}

/** Bytes taken in again at once: a few commits. */
const REINGEST_BYTES: number = 1024 * 1024
/** Writes put aside at once. */
const STRANDED_PER_PAGE = 256

/** Has the new log take in what only the old one has; own writes that it cannot are put aside. */
async function takeOver(
  { crypto, signer, meta, id: self }: NodeContext,
  kernel: Kernel,
  { path, membership, signal }: TakeOver,
): Promise<AdoptedStore> {
  const base = kernel.base()?.epoch
  if ((peekLog(path)?.witnessCount ?? 0) === 0) return { base, kept: 0, waiting: 0 }
  const old = openReingest({ directory: path, storeId: kernel.storeId, crypto, signer, membership, into: kernel })
  try {
    let kept = 0
    let isWaiting = false
    for (let part = old.next(REINGEST_BYTES); part.length > 0; part = old.next(REINGEST_BYTES)) {
      signal.throwIfAborted()
      const outcomes = await kernel.ingest(part, undefined)
      const own = outcomes.filter((_outcome, index) => isBy(crypto, part[index], self))
      kept += own.filter(({ kind }) => kind === 'witnessed').length
      isWaiting ||= own.some(({ kind }) => kind !== 'witnessed' && kind !== 'duplicate')
    }
    const hold = holdOfReturn(meta.writeHold(kernel.storeId), isWaiting || old.isOwnChainCut())
    if (hold !== undefined) meta.putWriteHold(kernel.storeId, hold)
    const waiting = old.strandedCount()
    for (let after = 0; after < waiting; after += STRANDED_PER_PAGE) {
      addStranded(path, old.stranded(after, STRANDED_PER_PAGE))
    }
    return { base, kept, waiting }
  } finally {
    old.close()
  }
}

interface TakeOver {
  /** Of the old log. */
  readonly path: string
  readonly membership: MembershipPolicy
  readonly signal: AbortSignal
}

function isBy(crypto: Crypto, signed: SignedIntention | undefined, author: PublicKey): boolean {
  const parsed = signed === undefined ? undefined : parseSignedIntention(crypto, signed)
  return parsed?.ok === true && equalBytes(parsed.value.intention.author, author)
}
