/**
 * Makes a damaged store whole again, beside what is there, and puts it in place only once it is whole.
 *
 * Records that are good make every index again. Records that are damaged come again from a peer, by the same bootstrap a
 * joiner does; what the damaged log still holds goes in after it by the one way in, so this node's own unsent intentions
 * are not lost. The damaged log is kept. Where that cannot be done, nothing is changed.
 *
 * The store is closed while this runs; a crash leaves it as it was, or repaired.
 *
 * @module
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import {
  abandonReplacement,
  beginReplacement,
  commitReplacement,
  type OwnChainEnd,
  rebuildLog,
  salvageLog,
  type SalvagedLog,
  verifyLog,
  type VerifyOptions,
  type VerifyReport,
} from '@lattice/kernel'
import { type AbortSignal, equalBytes, idKey, isLatticeError, type PublicKey, type StoreId } from '@lattice/model'
import type { PeerHint } from '@lattice/net'
import { openStateReader } from '@lattice/storage'
import { readPeers } from '@lattice/systemstore'
import { repairNeedsPeer } from './errors.ts'
import type { WriteHold } from './meta-db.ts'
import type { NodeContext } from './node-context.ts'
import type { RepairOptions, RepairResult, RepairStage } from './store-types.ts'
import { type OpenStore, openStore, type OpenStoreOptions } from './open-store.ts'
import type { StoreEntry } from './store-entry.ts'
import { replicaPeers, type TablesOf } from './store-peers.ts'
import { joinHolds, whyHeld } from './write-hold.ts'

export interface RepairDeps {
  readonly context: NodeContext
  readonly entry: StoreEntry
  readonly tablesOf: TablesOf
  readonly kernelOf: OpenStoreOptions['kernelOf']
  readonly options: RepairOptions
  readonly signal: AbortSignal
}

/** Peers asked for the store: all that are likely to have it, of any mesh. */
const PEERS_MAX = 64

/** What a closed store's files say of themselves. */
export function verifyStore(context: NodeContext, id: StoreId, options: VerifyOptions): Promise<VerifyReport> {
  return verifyLog({ ...logOptions(context, id), ...options })
}

/** Repairs a store that is closed. Rejects with `LOG_DAMAGED` where it cannot, or with `signal.reason`. */
export async function repairStore(deps: RepairDeps): Promise<RepairResult> {
  const { context, entry, signal } = deps
  const report = await verifyStore(context, entry.record.id, { signal, onProgress: stage(deps, 'verifying') })
  if (report.outcome === 'sound') return { ...unchanged(report), records: report.records.total }
  return report.outcome === 'indexes' ? rebuildStore(deps, report) : restoreStore(deps, report)
}

/** The answer for a store that needs no repair. */
export function unchanged(report: VerifyReport): RepairResult {
  return {
    kind: 'sound',
    report,
    records: report.records.total,
    lost: 0,
    salvaged: 0,
    waiting: 0,
    fetchedFrom: undefined,
    kept: undefined,
    held: undefined,
  }
}

/** What is derived from good records is made again. */
async function rebuildStore(deps: RepairDeps, report: VerifyReport): Promise<RepairResult> {
  const { context, entry, signal } = deps
  const directory = context.directory.storePath(entry.record.id)
  const target = beginReplacement(directory)
  try {
    const records = await rebuildLog({
      ...logOptions(context, entry.record.id),
      target,
      signer: context.signer,
      signal,
      onProgress: stage(deps, 'rebuilding'),
    })
    stage(deps, 'replacing')({ done: 0, total: 1 })
    return { ...unchanged(report), kind: 'rebuilt', records, kept: commitReplacement(directory) }
  } catch (error) {
    abandonReplacement(directory)
    throw error
  }
}

/** Damaged records come again from a peer, and what no peer has from the damaged log. */
async function restoreStore(deps: RepairDeps, report: VerifyReport): Promise<RepairResult> {
  const { context, entry, tablesOf, kernelOf } = deps
  const directory = context.directory.storePath(entry.record.id)
  const store = await openStore(context, {
    id: entry.record.id,
    storeTypeHint: entry.record.storeType,
    tablesOf,
    kernelOf,
    directory: beginReplacement(directory),
    onSystemChange: () => undefined,
    onFailed: () => undefined,
    mustExist: false,
  })
  let restored: RestoredStore
  try {
    restored = await fillStore(deps, store, report)
    recordHold(deps, store, restored)
    forgetReplicated(deps)
    await store.close()
  } catch (error) {
    await store.close()
    abandonReplacement(directory)
    throw error
  }
  stage(deps, 'replacing')({ done: 0, total: 1 })
  const { hold: _, ...result } = restored
  return { ...unchanged(report), ...result, kind: 'restored', kept: commitReplacement(directory) }
}

interface RestoredStore extends Pick<
  RepairResult,
  'records' | 'lost' | 'salvaged' | 'waiting' | 'fetchedFrom' | 'held'
> {
  readonly hold: WriteHold | undefined
}

async function fillStore(deps: RepairDeps, store: OpenStore, report: VerifyReport): Promise<RestoredStore> {
  const { options } = deps
  const fetchedFrom = options.withoutPeer === true ? undefined : await fetchStore(deps, store, report)
  let salvaged = 0
  const log = await salvageLog({
    ...logOptions(deps.context, store.id),
    appliedSeq: appliedSeq(deps),
    signal: deps.signal,
    onProgress: stage(deps, 'salvaging'),
    onBatch: async (batch) => {
      for (const { kind } of await store.kernel.ingest(batch, undefined)) if (kind === 'witnessed') salvaged += 1
    },
  })
  const { witnessCount, floatingCount } = store.kernel.stats()
  if (witnessCount === 0) throw repairNeedsPeer(store.id, { ...lossOf(report), why: 'its beginning is among them' })
  const hold = options.acceptFork === true ? undefined : holdFor(log, store, fetchedFrom)
  return { records: witnessCount, lost: log.lost, salvaged, waiting: floatingCount, fetchedFrom, held: undefined, hold }
}

/** Fetches the store from the first peer that has it. */
async function fetchStore(deps: RepairDeps, store: OpenStore, report: VerifyReport): Promise<PublicKey> {
  const { context, signal } = deps
  const network = context.network()
  const peers = network === undefined ? [] : likelyPeers(deps)
  if (network === undefined || peers.length === 0) {
    const why = network === undefined ? 'this node has no network' : 'no peer is known that may have it'
    throw repairNeedsPeer(store.id, { ...lossOf(report), why })
  }
  try {
    const outcome = await network.bootstrap({
      store: store.replicated,
      isApart: true,
      peers,
      signal,
      onProgress: stage(deps, 'fetching'),
    })
    return outcome.peer
  } catch (error) {
    signal.throwIfAborted()
    if (!isLatticeError(error) || error.code === 'DISK_FULL' || error.code === 'STORAGE_FAILED') throw error
    throw repairNeedsPeer(store.id, { ...lossOf(report), why: `no peer gave it (${error.message})` }, error)
  }
}

function lossOf({ records, goodBefore, goodAfter }: VerifyReport): { lost: number; total: number; goodBefore: number } {
  return { lost: records.total - goodBefore - goodAfter, total: records.total, goodBefore }
}

/** Connected peers first, then those that state and the parent name, then whoever was ever reached. */
function likelyPeers(deps: RepairDeps): readonly PeerHint[] {
  const { context, entry, tablesOf } = deps
  const { parentId } = entry.record
  const parent = parentId === undefined ? undefined : tablesOf(parentId)
  const candidates = [
    ...(context.network()?.connectedPeers() ?? []).map(({ peer }) => peer),
    ...peersOfState(deps),
    ...(parent === undefined ? [] : replicaPeers(parent, context.id, tablesOf)),
    ...context.meta.knownPeers(PEERS_MAX),
  ]
  const unique = new Map(candidates.map((peer) => [idKey(peer), peer]))
  return [...unique.values()]
    .filter((peer) => !equalBytes(peer, context.id))
    .slice(0, PEERS_MAX)
    .map((peer) => ({ peer, addresses: context.meta.addresses(peer) }))
}

/** State is made of the log and may be whole where that is not; what it says is only whom to ask. */
function peersOfState({ context, entry }: RepairDeps): readonly PublicKey[] {
  return readState(context, entry.record.id, ({ system }) => [...readPeers(system)].map(({ peer }) => peer)) ?? []
}

function appliedSeq({ context, entry }: RepairDeps): number {
  return readState(context, entry.record.id, ({ cursor }) => cursor.seq) ?? 0
}

function readState<T>(
  context: NodeContext,
  id: StoreId,
  read: (state: ReturnType<typeof openStateReader>) => T,
): T | undefined {
  const path = join(context.directory.storePath(id), 'state.db')
  if (!existsSync(path)) return undefined
  try {
    const state = openStateReader(path)
    try {
      return read(state)
    } finally {
      state.close()
    }
  } catch (error) {
    context.logger.warn('repair.state_unreadable', { storeId: id, error })
    return undefined
  }
}

/** What keeps this node from writing until its chain is known to be all here; undefined when it is. */
function holdFor({ ownEnd }: SalvagedLog, store: OpenStore, fetchedFrom: PublicKey | undefined): WriteHold | undefined {
  if (isWhole(ownEnd, store)) return undefined
  const compared = fetchedFrom === undefined ? [] : [fetchedFrom]
  return { reason: 'repair', tips: ownEnd.tips, isEndKnown: ownEnd.kind === 'known', compared }
}

function isWhole(end: OwnChainEnd, { kernel }: OpenStore): boolean {
  return end.kind === 'known' && end.tips.every((tip) => kernel.has(tip))
}

/** Before the repaired log is in place, so that nothing is written in between. */
function recordHold(
  { context, tablesOf, options }: RepairDeps,
  { id, kernel }: OpenStore,
  { hold: repaired }: RestoredStore,
): void {
  const before = options.acceptFork === true ? undefined : context.meta.writeHold(id)
  const hold = joinHolds(before, repaired)
  if (hold === undefined) context.meta.removeWriteHold(id)
  else {
    context.meta.putWriteHold(id, hold)
    // With nobody else to compare with it is over at once.
    whyHeld(context, kernel, tablesOf)
  }
}

/** What a peer once held was the log that was here: this one may come to as many records with others. */
function forgetReplicated({ context, entry }: RepairDeps): void {
  context.meta.setReplicatedCount(entry.record.id, undefined)
  entry.record = { ...entry.record, replicatedCount: undefined }
}

function logOptions(
  { crypto, clock, scheduler, directory, fileCheck, id: witnessKey }: NodeContext,
  id: StoreId,
): Omit<Parameters<typeof verifyLog>[0], keyof VerifyOptions> {
  return {
    directory: directory.storePath(id),
    storeId: id,
    witnessKey,
    crypto,
    clock,
    scheduler,
    ...(fileCheck && { fileCheck }),
  }
}

function stage({ options }: RepairDeps, name: RepairStage): (progress: { done: number; total: number }) => void {
  return ({ done, total }) => options.onProgress?.({ stage: name, done, total })
}
