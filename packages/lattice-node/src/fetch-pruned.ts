/**
 * Makes a store anew from those that cut its history, beside what is here of it, and puts it in place once it is whole.
 *
 * What a peer says about a cut proves nothing; what it serves then has to. So nothing of the store that is here changes
 * before the other is whole, and others go on from where it begins (`prove-fetched.ts`). Then what was here goes into the new one by the one way in, as far as it is not below the cut:
 * what this node wrote and nobody has is kept. What it wrote upon that which is gone is put aside, counted and told, and can
 * be submitted anew.
 *
 * @module
 */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import {
  commitFetched,
  FETCHING,
  hasFetched,
  type Kernel,
  openReingest,
  peekLog,
  type Reingest,
  type StrandedWrite,
} from '@lattice/kernel'
import {
  type AbortSignal,
  compareEpochs,
  type Crypto,
  equalBytes,
  type IntentionId,
  type NumberedEpoch,
  parseSignedIntention,
  parseStoreType,
  type PublicKey,
  type SignedIntention,
  type StoreId,
} from '@lattice/model'
import type { NetworkService, PeerHint, SnapshotState } from '@lattice/net'
import type { MembershipPolicy } from '@lattice/store-base'
import { createStoreMembershipPolicy, createSystemLayer } from '@lattice/systemstore'
import type { DoubtedPeers } from './doubted-peers.ts'
import { earlyEnd, notWitnessed } from './early-end.ts'
import { fetchedContradicted, fetchedUnheard, fetchedUnproven } from './life-errors.ts'
import type { NodeContext } from './node-context.ts'
import { type OpenStore, openStore, type OpenStoreOptions } from './open-store.ts'
import { createParentPeers } from './parent-peers.ts'
import { addStranded } from './history/stranded-file.ts'
import { holdOfReturn } from './write-hold.ts'
import { proveFetched, type Proof } from './prove-fetched.ts'
import { openPrunedStoreFetch, type PrunedStoreFetch } from './pruned-store-fetch.ts'

export interface PrunedFetchDeps extends Pick<OpenStoreOptions, 'id' | 'storeTypeHint' | 'tablesOf' | 'kernelOf'> {
  readonly signal: AbortSignal
  /** Causes of what floats here whose places are looked for: what is cut where the log here is may tell them. */
  readonly wanted?: readonly IntentionId[]
}

export interface PrunedFetch extends PrunedFetchDeps {
  readonly network: NetworkService
  readonly peers: readonly PeerHint[]
  /** The base of what is here: one that goes before it is fetched. */
  readonly above?: NumberedEpoch
  /** Or that one, from somebody else. */
  readonly orSame?: boolean
  /** Also from who has cut nothing, and at whichever epoch that has signed state. */
  readonly orWhole?: boolean
  /** Of this store, over all attempts. */
  readonly doubts: DoubtedPeers
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
 * Fetches it; true once it is whole and its own log says that others go on from there, false where nobody cut anything. The
 * store may be in use meanwhile. Rejects as `NetworkService.fetchSnapshot`, or with `PEER_UNREACHABLE` or
 * `BOOTSTRAP_FAILED` where it is whole and nobody bears it out, or was a moment ago and nobody else cut anything; the next call
 * goes on where it was.
 */
export async function fetchPruned(context: NodeContext, fetch: PrunedFetch): Promise<boolean> {
  const { id, network, peers, doubts, signal, onProgress, orSame = false, orWhole = false } = fetch
  const above = fetch.above === undefined ? {} : { above: fetch.above }
  const directory = fetchingPath(context, id)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const writer = openWriter(context, fetch, directory)
  let isWhole = writer.isWhole()
  try {
    if (!isWhole) {
      const asked = doubts.trusted(peers)
      const outcome = await network.fetchSnapshot({
        storeId: id,
        peers: asked,
        writer,
        ...above,
        orSame,
        orWhole,
        signal,
        onProgress,
      })
      isWhole = outcome.kind === 'fetched'
      // Who was left out may have told too early, and be the only one that has cut.
      if (!isWhole && asked.length < peers.length) throw fetchedUnproven(id, undefined)
    }
  } finally {
    writer.close()
  }
  if (isWhole) await prove(context, fetch, writer.servedBy())
  else dropFetched(context, id)
  return isWhole
}

/** Gives up what was begun, if anything was. */
export function dropFetched(context: NodeContext, id: StoreId): void {
  rmSync(fetchingPath(context, id), { recursive: true, force: true })
}

function openWriter(
  { crypto, signer, clock, openers, storageHooks }: NodeContext,
  { id, storeTypeHint, kernelOf, tablesOf }: PrunedFetch,
  directory: string,
): PrunedStoreFetch {
  const type = parseStoreType(storeTypeHint)
  const machine = type.ok ? openers.get(type.value)?.() : undefined
  return openPrunedStoreFetch({
    directory,
    storeId: id,
    crypto,
    signer,
    clock,
    membership: createStoreMembershipPolicy(createParentPeers({ kernelOf, tablesOf })),
    projectorVersion: createSystemLayer(machine === undefined ? {} : { machine }).version,
    ...(storageHooks === undefined ? {} : { storageHooks }),
  })
}

/** What nobody bears out is dropped, and fetched again from others first; where nobody is there it is kept. */
async function prove(context: NodeContext, fetch: PrunedFetch, server: PublicKey | undefined): Promise<void> {
  const { id, network, peers, doubts, signal } = fetch
  const store = await openFetched(context, fetch)
  let proof: Proof
  try {
    // Nor is anybody asked what came after who was contradicted just now.
    proof = await proveFetched({ store, network, peers: doubts.trusted(peers), server, signal })
  } finally {
    await store.close()
  }
  if (proof.kind === 'proven') return
  if (proof.kind === 'unheard') throw fetchedUnheard(id)
  dropFetched(context, id)
  if (server !== undefined) doubts.doubt(server)
  if (proof.kind !== 'contradicted') throw fetchedUnproven(id, server)
  doubts.doubt(proof.by)
  throw fetchedContradicted(id)
}

/** Something was fetched in part, or as a whole, and is not in place yet. */
export function isFetchBegun(context: NodeContext, id: StoreId): boolean {
  return hasFetched(context.directory.storePath(id))
}

/**
 * Puts what was fetched in place. The store is closed; a crash leaves the one or the other. Where the log that is here was
 * cut there, or at an epoch that goes before that, it stays, unless the other tells one of the places that are wanted, and what was fetched is dropped: undefined.
 * So it is, `apart`, where the other was cut without what this one was cut at: what lies below that may be nowhere else.
 */
export async function adoptFetched(
  context: NodeContext,
  deps: PrunedFetchDeps,
): Promise<AdoptedStore | 'apart' | undefined> {
  const { id, tablesOf, kernelOf, signal, wanted = [] } = deps
  const path = context.directory.storePath(id)
  const store = await openFetched(context, deps)
  let adopted: AdoptedStore | 'apart' | undefined
  try {
    const membership = createStoreMembershipPolicy(createParentPeers({ kernelOf, tablesOf }))
    adopted = await takeOver(context, store.kernel, { path, membership, signal, wanted })
  } finally {
    await store.close()
  }
  // All that is worth keeping of the old log is in the new one, or put aside.
  if (adopted !== undefined && adopted !== 'apart') commitFetched(path)
  else dropFetched(context, id)
  return adopted
}

/** Nothing is written to it: it is not in place. */
function openFetched(context: NodeContext, deps: PrunedFetchDeps): Promise<OpenStore> {
  const { id, storeTypeHint, tablesOf, kernelOf } = deps
  return openStore(context, {
    id,
    storeTypeHint,
    tablesOf,
    kernelOf,
    directory: fetchingPath(context, id),
    onSystemChange: () => undefined,
    onFailed: () => undefined,
    mustExist: true,
  })
}

function fetchingPath(context: NodeContext, id: StoreId): string {
  return join(context.directory.storePath(id), FETCHING)
}

/** Bytes taken in again at once: a few commits. */
const REINGEST_BYTES: number = 1024 * 1024
/** Writes that are read at once to be put aside. */
const STRANDED_PER_PAGE = 256

/** Has the new log take in what only the old one has; own writes that it cannot are put aside. */
async function takeOver(
  { crypto, signer, meta, id: self }: NodeContext,
  kernel: Kernel,
  { path, membership, signal, wanted }: TakeOver,
): Promise<AdoptedStore | 'apart' | undefined> {
  const base = kernel.base()?.epoch
  if ((peekLog(path)?.witnessCount ?? 0) === 0) return { base, kept: 0, waiting: 0 }
  const old = openReingest({ directory: path, storeId: kernel.storeId, crypto, signer, membership, into: kernel })
  try {
    const before = old.base()
    if (!isBetter(kernel, before, wanted)) return undefined
    if (before !== undefined && kernel.epoch(before.epoch) === undefined) return 'apart'
    let kept = 0
    let isWaiting = false
    const floating: IntentionId[] = []
    for (let part = old.next(REINGEST_BYTES); part.length > 0; part = old.next(REINGEST_BYTES)) {
      signal.throwIfAborted()
      const outcomes = await kernel.ingest(part, undefined)
      const own = outcomes.filter((_outcome, index) => isBy(crypto, part[index], self))
      kept += own.filter(({ kind }) => kind === 'witnessed').length
      const waiting = notWitnessed(kernel, own)
      isWaiting ||= waiting.length > 0
      floating.push(...waiting.flatMap(({ id }) => id ?? []))
    }
    const early = earlyEnd(kernel, floating)
    const hold = holdOfReturn(meta.writeHold(kernel.storeId), { isCut: isWaiting || old.isOwnChainCut(), early })
    if (hold !== undefined) meta.putWriteHold(kernel.storeId, hold)
    const waiting = old.strandedCount()
    if (waiting > 0) addStranded(path, strandedPages(old))
    return { base, kept, waiting }
  } finally {
    old.close()
  }
}

function* strandedPages(old: Reingest): Iterable<readonly StrandedWrite[]> {
  for (let after = 0; after < old.strandedCount(); after += STRANDED_PER_PAGE) {
    yield old.stranded(after, STRANDED_PER_PAGE)
  }
}

/** Whether the log is cut where that goes before where another is, or at the same and tells a place that is wanted. */
function isBetter(kernel: Kernel, other: LogBase, wanted: readonly IntentionId[]): boolean {
  const base = kernel.base()
  if (base === undefined || other === undefined) return other === undefined
  if (!equalBytes(base.epoch, other.epoch)) return compareEpochs(base, other) < 0
  return kernel.missing(wanted).length < wanted.length
}

type LogBase = ReturnType<Reingest['base']>

interface TakeOver {
  /** Of the old log. */
  readonly path: string
  readonly membership: MembershipPolicy
  readonly signal: AbortSignal
  readonly wanted: readonly IntentionId[]
}

function isBy(crypto: Crypto, signed: SignedIntention | undefined, author: PublicKey): boolean {
  const parsed = signed === undefined ? undefined : parseSignedIntention(crypto, signed)
  return parsed?.ok === true && equalBytes(parsed.value.intention.author, author)
}
