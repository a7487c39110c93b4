/**
 * What of some stores is known to be nowhere else, whether they are open or not.
 *
 * A closed store is opened for the question alone, without the network and without writing: what its peers wrote is in its
 * log. What was found by digests while it was open is remembered with it.
 *
 * @module
 */
import type { Kernel } from '@lattice/kernel'
import { equalBytes, type IdKey, idKey, type IntentionId, type StoreId } from '@lattice/model'
import type { ReadStoreTables } from '@lattice/store-base'
import { toFailure } from './failure.ts'
import type { Unreplicated } from './life-errors.ts'
import { pathOf } from './list-stores.ts'
import type { WriteHold } from './meta-db.ts'
import type { NodeContext } from './node-context.ts'
import { type OpenStore, openStore, type OpenStoreOptions } from './open-store.ts'
import { gatherEvidence, judgeReplication, type ReplicationProof } from './replication-proof.ts'
import { type StoreEntry, withAncestors } from './store-entry.ts'
import type { StoreManager } from './store-manager.ts'
import type { TablesOf } from './store-peers.ts'

/** What was found of one store. */
export interface StoreFinding {
  readonly entry: StoreEntry
  readonly proof: ReplicationProof
  /** Where the own chain ends; undefined where the log cannot be read. */
  readonly ownTips: readonly IntentionId[] | undefined
}

/** Looks at each of the stores, which are one and what is below it, parents first. Nobody else opens them meanwhile. */
export async function examineStores(
  context: NodeContext,
  manager: StoreManager,
  entries: readonly StoreEntry[],
): Promise<readonly StoreFinding[]> {
  const [top] = entries
  // Whose peers count may be said above.
  const above = top === undefined ? [] : withAncestors(top).slice(1).reverse()
  const closed = [...above, ...entries].filter(({ hasData, bootstrap }) => hasData && bootstrap === undefined)
  return manager.closed.whileKept(closed, (kept) =>
    examineKept(context, manager, { above, entries, kept: new Set(kept) }),
  )
}

interface Examination {
  readonly above: readonly StoreEntry[]
  readonly entries: readonly StoreEntry[]
  /** Closed, and nobody is at them. */
  readonly kept: ReadonlySet<StoreEntry>
}

async function examineKept(
  context: NodeContext,
  manager: StoreManager,
  { above, entries, kept }: Examination,
): Promise<readonly StoreFinding[]> {
  const opened = new Map<IdKey, OpenStore>()
  const tablesOf: TablesOf = (id): ReadStoreTables | undefined =>
    manager.tablesOf(id) ?? opened.get(idKey(id))?.kernel.tables()
  const kernelOf = (id: StoreId): Kernel | undefined => manager.kernelOf(id) ?? opened.get(idKey(id))?.kernel
  const open = async (entry: StoreEntry): Promise<OpenStore | undefined> => {
    if (entry.open !== undefined || !kept.has(entry)) return entry.open
    const store = await openQuietly(context, entry, { tablesOf, kernelOf })
    if (store !== undefined) opened.set(idKey(entry.record.id), store)
    return store
  }
  const findings: StoreFinding[] = []
  try {
    for (const entry of above) await open(entry)
    for (const entry of entries) {
      if (!entry.hasData) continue
      const store = await open(entry)
      findings.push(store === undefined ? unreadable(entry) : examine(context, { entry, store, tablesOf }))
    }
  } finally {
    for (const store of [...opened.values()].reverse()) await store.close()
  }
  return findings
}

/** What is told of those that are not proven to be elsewhere. */
export function unreplicatedOf(manager: StoreManager, findings: readonly StoreFinding[]): readonly Unreplicated[] {
  return findings.flatMap(({ entry, proof }) =>
    proof.kind === 'held' ? [] : [{ path: pathOf(manager, entry), unproven: proof.unproven, peer: proof.best }],
  )
}

/** What this node waits for should it write to the store again after its data is gone; undefined when for nothing. */
export function holdAfterDeletion(
  { meta }: NodeContext,
  { entry, proof, ownTips }: StoreFinding,
): WriteHold | undefined {
  // Nothing was written while it was on its way, and what was waited for before is waited for still.
  if (!entry.record.isComplete) return undefined
  const earlier = meta.writeHold(entry.record.id)
  if (ownTips?.length === 0 && earlier === undefined) return undefined
  // Where a peer holds exactly what is here the own tips come back. Else whatever was ever sent is with some active peer,
  // and what was not is nowhere.
  const reason = 'deletion'
  const isEndKnown = ownTips !== undefined && proof.kind === 'held' && proof.how === 'digest'
  if (!isEndKnown || earlier?.isEndKnown === false) {
    return { reason, tips: earlier?.tips ?? [], isEndKnown: false, compared: [] }
  }
  return { reason, tips: unionOf(earlier?.tips ?? [], ownTips), isEndKnown: true, compared: [] }
}

function unionOf(a: readonly IntentionId[], b: readonly IntentionId[]): readonly IntentionId[] {
  return [...new Map([...a, ...b].map((tip) => [idKey(tip), tip])).values()]
}

interface Examined {
  readonly entry: StoreEntry
  readonly store: OpenStore
  readonly tablesOf: TablesOf
}

function examine(context: NodeContext, { entry, store, tablesOf }: Examined): StoreFinding {
  const { kernel } = store
  const own = kernel.tips().find(({ author }) => equalBytes(author, context.id))
  const ownTips = (own?.tips ?? []).filter(({ joined }) => !joined).map(({ id }) => id)
  // A closed store is not spoken about, so that a peer says nothing of it proves nothing.
  const evidence = gatherEvidence(context, store, tablesOf)
  const known = entry.open === undefined ? evidence.map((peer) => ({ ...peer, isOnline: false })) : evidence
  const judged = judgeReplication(known)
  const isRemembered = entry.record.replicatedCount === kernel.digest().witnessCount
  const [anyone] = evidence
  const proof: ReplicationProof =
    isRemembered && anyone !== undefined && (judged.kind === 'unproven' || judged.how === 'acks')
      ? { kind: 'held', by: anyone.peer, how: 'digest' }
      : judged
  return { entry, ownTips, proof }
}

function unreadable(entry: StoreEntry): StoreFinding {
  return { entry, ownTips: undefined, proof: { kind: 'unproven', best: undefined, unproven: undefined } }
}

/** Opened to be read. Undefined where it cannot be. */
async function openQuietly(
  context: NodeContext,
  { record }: StoreEntry,
  above: Pick<OpenStoreOptions, 'tablesOf' | 'kernelOf'>,
): Promise<OpenStore | undefined> {
  const quiet = {
    ...context,
    ackDelayMs: Infinity,
    scrub: undefined,
    network: () => undefined,
    publish: () => undefined,
  }
  try {
    return await openStore(quiet, {
      id: record.id,
      storeTypeHint: record.storeType,
      ...above,
      readOnly: true,
      onSystemChange: () => undefined,
      onFailed: (error) => context.logger.warn('store.unreadable', { storeId: record.id, ...toFailure(error) }),
      mustExist: true,
    })
  } catch (error) {
    context.logger.warn('store.unreadable', { storeId: record.id, ...toFailure(error) })
    return undefined
  }
}
