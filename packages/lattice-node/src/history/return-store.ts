/**
 * Brings a store back in step whose peers have cut history that this node was away for.
 *
 * What its peers' logs begin with, and the state there, are fetched beside while the store stays readable as it is. Then it
 * is closed for a moment: what the old log has that does not lie below the new beginning is taken in again, this node's own
 * unsent writes included, and the new one is put in its place. Own writes whose causes are gone cannot be placed any more;
 * they are kept aside, told, and can be submitted anew. The old log goes only after that.
 *
 * A crash at any point leaves the old store, or the new one; what was fetched stays and is gone on with.
 *
 * @module
 */
import { commitReplacement, openReingest } from '@lattice/kernel'
import {
  type AbortSignal,
  equalBytes,
  idKey,
  type IdKey,
  type PublicKey,
  type Scope,
  type StoreId,
} from '@lattice/model'
import type { PeerHint } from '@lattice/net'
import { createStoreMembershipPolicy } from '@lattice/systemstore'
import { toFailure } from '../failure.ts'
import type { NodeContext } from '../node-context.ts'
import { type OpenStore, openStore } from '../open-store.ts'
import { createParentPeers } from '../parent-peers.ts'
import { longerPauseMs, RETRY_FIRST_MS } from '../retry-pauses.ts'
import type { StoreEntry } from '../store-entry.ts'
import type { StoreManager } from '../store-manager.ts'
import { replicaPeers } from '../store-peers.ts'
import { createWakeUp } from '../wake-up.ts'
import { besidePath, fetchPruned } from './fetch-pruned.ts'
import { addStranded } from './stranded-file.ts'

/** Bytes taken in again at once: a few commits. */
const REINGEST_BYTES: number = 1024 * 1024
/** Writes written aside at once. */
const STRANDED_PER_PAGE = 256

export interface StoreReturns {
  /** A peer says that history this node lacks was cut. Goes on by itself; repeated calls change nothing. */
  readonly due: (storeId: StoreId, peer: PublicKey) => void
}

export function createStoreReturns(
  context: NodeContext,
  { manager, spawn }: { readonly manager: StoreManager; readonly spawn: Scope['spawn'] },
): StoreReturns {
  const running = new Set<IdKey>()
  return {
    due: (storeId, peer) => {
      const key = idKey(storeId)
      if (running.has(key)) return
      running.add(key)
      spawn('return to a store', async (signal) => {
        try {
          await returnUntilDone(context, manager, { storeId, peer, signal })
        } finally {
          running.delete(key)
        }
      })
    },
  }
}

interface Return {
  readonly storeId: StoreId
  readonly peer: PublicKey
  readonly signal: AbortSignal
}

async function returnUntilDone(context: NodeContext, manager: StoreManager, returning: Return): Promise<void> {
  const { storeId, signal } = returning
  const wakeUp = createWakeUp(context.scheduler)
  let pauseMs = RETRY_FIRST_MS
  for (;;) {
    signal.throwIfAborted()
    const entry = manager.entry(storeId)
    if (entry?.open === undefined || !entry.ready) return
    try {
      return await returnOnce(context, manager, returning)
    } catch (error) {
      signal.throwIfAborted()
      context.logger.warn('store.return_retry', { storeId, ...toFailure(error) })
    }
    await wakeUp.wait(pauseMs, signal)
    pauseMs = longerPauseMs(pauseMs)
  }
}

async function returnOnce(context: NodeContext, manager: StoreManager, returning: Return): Promise<void> {
  const { storeId, signal } = returning
  const network = context.network()
  const open = manager.entry(storeId)?.open
  if (network === undefined || open === undefined) return
  const { tablesOf, kernelOf } = manager
  const { storeType } = open
  const peers = hintsOf(context, manager, { open, peer: returning.peer })
  const isFetched = await fetchPruned(context, { id: storeId, storeType, tablesOf, kernelOf, network, peers, signal })
  if (!isFetched) return
  const stranded = await manager.withClosed(storeId, (entry, ending) =>
    replace(context, manager, { entry, signal: AbortSignal.any([signal, ending]) }),
  )
  context.logger.info('store.returned', { storeId, stranded })
  if (stranded > 0) context.publish({ kind: 'writes_stranded', storeId, count: stranded })
}

function hintsOf(
  context: NodeContext,
  { tablesOf }: StoreManager,
  { open, peer }: { readonly open: OpenStore; readonly peer: PublicKey },
): readonly PeerHint[] {
  const others = replicaPeers(open.kernel.tables(), context.id, tablesOf).filter((other) => !equalBytes(other, peer))
  return [peer, ...others].map((each) => ({ peer: each, addresses: context.meta.addresses(each) }))
}

/** Answers how many own writes were put aside. The store is closed. */
async function replace(
  context: NodeContext,
  { tablesOf, kernelOf }: StoreManager,
  { entry, signal }: { readonly entry: StoreEntry; readonly signal: AbortSignal },
): Promise<number> {
  const { id, storeType } = entry.record
  const directory = context.directory.storePath(id)
  const beside = besidePath(context, id)
  const made = await openStore(context, {
    id,
    storeTypeHint: storeType,
    tablesOf,
    kernelOf,
    directory: beside,
    onSystemChange: () => undefined,
    onFailed: () => undefined,
    mustExist: true,
  })
  let stranded: number
  try {
    const policy = createStoreMembershipPolicy(createParentPeers({ kernelOf, tablesOf }))
    const { crypto, signer } = context
    const old = openReingest({ directory, storeId: id, crypto, signer, membership: policy, into: made.kernel })
    try {
      for (let part = old.next(REINGEST_BYTES); part.length > 0; part = old.next(REINGEST_BYTES)) {
        signal.throwIfAborted()
        await made.kernel.ingest(part, undefined)
      }
      stranded = old.strandedCount()
      for (let after = 0; after < stranded; after += STRANDED_PER_PAGE) {
        addStranded(directory, old.stranded(after, STRANDED_PER_PAGE))
      }
    } finally {
      old.close()
    }
  } finally {
    await made.close()
  }
  commitReplacement(directory, { made: beside, isOldSpent: true })
  // What a peer once held was the log that was here: this one has fewer records.
  context.meta.setReplicatedCount(id, undefined)
  entry.record = { ...entry.record, replicatedCount: undefined }
  return stranded
}
