/**
 * What anyone may ask about a store's history. Reads see what is committed and never wait for the writer.
 *
 * @module
 */
import {
  fromHex,
  type Hash,
  HASH_BYTES,
  idKey,
  type IntentionId,
  type ReadTable,
  toHash,
  ZERO_HASH,
} from '@lattice/model'
import { type PageSource, scanPages, toPlainBytes } from '@lattice/storage'
import { type ReadStoreTables, resolvePast } from '@lattice/store-base'
import type { Core } from './core.ts'
import { describeFloating } from './describe-floating.ts'
import { createEpochPages } from './epoch-pages.ts'
import { epochStatuses } from './epoch-status.ts'
import type { ExcludedIntention, StoredIntention, WitnessEntry } from './held-types.ts'
import type { Kernel, KernelStats } from './kernel-types.ts'
import type { AuthorTips, Observations } from './observation-types.ts'
import { forkProofOf } from './fork-proofs.ts'
import { contentOf, type LogEntry } from './log-entry.ts'
import { NOBODY_KNOWN } from './membership-history.ts'
import { maximalTips } from './own-tips.ts'
import { createDigestSource } from './state-digest.ts'

/** Candidates named for an ambiguous prefix. */
export const PREFIX_CANDIDATES_MAX = 16
/** Records answered at once, whatever was asked for. */
export const PAGE_RECORDS_MAX = 4096
/** Fewest digits of a prefix that is looked up: one alone begins a sixteenth of everything. */
const PREFIX_DIGITS_MIN = 2

type Reading = Pick<
  Kernel,
  | 'tables'
  | 'rejections'
  | 'has'
  | 'get'
  | 'getByPrefix'
  | 'scanWitness'
  | 'history'
  | 'tips'
  | 'frontier'
  | 'floating'
  | 'excluded'
  | 'forks'
  | 'isAncestor'
  | 'forkProof'
  | 'observations'
  | 'lag'
  | 'epochs'
  | 'epoch'
  | 'epochPage'
  | 'membership'
  | 'membershipAt'
  | 'unseenByAll'
  | 'time'
  | 'findLca'
  | 'path'
  | 'downset'
  | 'inspectBranch'
  | 'stats'
  | 'storeType'
  | 'stateDigest'
  | 'stateSummary'
  | 'projection'
>

export function createReading(core: Core, isClosed: () => boolean): Reading {
  const { log, pool, dag } = core
  const tables = currentTables(core)
  const clamp = (limit: number): number => Math.max(0, Math.min(limit, PAGE_RECORDS_MAX))

  return {
    tables: () => tables,
    rejections: (afterSeq, limit) => core.projection().rejections(afterSeq, clamp(limit)),
    has: (id) => isHere(core, id),
    get: (id) => findStored(core, id),
    getByPrefix: (hex) => findByPrefix(core, hex),
    scanWitness: (fromSeq, limit) => {
      if (fromSeq < log.base.fromSeq()) throw log.base.gone()
      return witnessEntries(core, log.reader.from(fromSeq, clamp(limit)))
    },
    history: (beforeSeq, limit) => {
      const [before, first] = [beforeSeq ?? log.meta().headSeq + 1, log.base.fromSeq()]
      if (first > 1 && before <= first) throw log.base.gone()
      const entries = log.reader.before(before, Math.min(clamp(limit), Math.max(0, before - first)))
      return witnessEntries(core, entries.toReversed()).toReversed()
    },
    tips: () => [...log.counted.all()].filter(({ tips }) => tips.size > 0).map((author) => tipsOf(core, author)),
    frontier: () => log.frontier.ids(),
    floating: (limit) => {
      const entries = pool.entries()[Symbol.iterator]()
      const listed = []
      for (let next = entries.next(); next.done !== true && listed.length < clamp(limit); next = entries.next()) {
        listed.push({ parsed: next.value.parsed, ...describeFloating(core, next.value) })
      }
      return listed
    },
    excluded: (limit, after) => listExcluded(core, clamp(limit), after),
    forks: (limit) =>
      log.reader.forks(clamp(limit)).flatMap(({ author, first_seq: first, second_seq: second }) => {
        const [a, b] = [keptAt(core, first), keptAt(core, second)]
        // Of a fork that was pruned there are the tips, and no proof.
        if (a === undefined || b === undefined) return []
        return [{ author: log.authors.byNumber(author).key, ids: [a.parsed.id, b.parsed.id] as const }]
      }),
    forkProof: ([a, b]) => {
      const [first, second] = [log.find(a), log.find(b)]
      if (first === undefined || second === undefined) return undefined
      if (log.base.isGone(first) || log.base.isGone(second)) return undefined
      return forkProofOf(log, log.entryAt(first.seq), log.entryAt(second.seq))
    },
    observations: createObservations(core),
    lag: core.observer.lagOf,
    epochs: () => epochStatuses(core),
    ...createEpochPages(core),
    ...membershipOf(core),
    unseenByAll: core.observer.unseenByAll,
    time: () => ({ nowMs: core.time.nowMs(), isBehind: core.time.isBehind() }),
    isAncestor: dag.isAncestor,
    findLca: dag.findLca,
    path: dag.path,
    downset: dag.downset,
    inspectBranch: dag.inspectBranch,
    stats: () => statsOf(core),
    storeType: () => log.meta().storeType,
    ...createDigestSource(core, isClosed),
    projection: () => {
      const stalled = core.projection().stalled()
      const seqs = { appliedSeq: core.projection().publishedSeq(), headSeq: log.meta().headSeq }
      const status = core.isStale() ? { ...seqs, isStale: true as const } : seqs
      return stalled === undefined ? status : { ...status, stalled }
    },
  }
}

function listExcluded({ log }: Core, limit: number, after: IntentionId | undefined): readonly ExcludedIntention[] {
  const place = after && log.find(after)
  if (after !== undefined && place === undefined) return []
  return log.excluded.list(limit, place).map(({ entry: { parsed }, epoch, isLink }) => {
    const { author, timestamp } = parsed.intention
    return { id: parsed.id, author, timestamp, epoch, isLink }
  })
}

/** The published tables, also after a rebuild has put others in their place. */
function currentTables(core: Core): ReadStoreTables {
  const tableOf = (name: keyof ReadStoreTables): ReadTable => {
    // Page by page, so that a scan goes on in the table that is in use by then.
    const page: PageSource = (range) => core.projection().visible[name].page(range)
    return {
      get: (key) => core.projection().visible[name].get(key),
      peek: (key) => core.projection().visible[name].peek(key),
      scan: (range) => scanPages(page, range),
      stamp: () => core.projection().visible[name].stamp(),
    }
  }
  return { system: tableOf('system'), app: tableOf('app') }
}

function storedOf({ parsed, meta, witnessedMs }: LogEntry): StoredIntention {
  const { seq, position, generation } = meta
  return { parsed, seq, position, generation, witnessedMs, floating: undefined }
}

/** True for what is witnessed and kept. */
function isHere({ log }: Core, id: IntentionId): boolean {
  const meta = log.find(id)
  return meta !== undefined && !log.base.isGone(meta)
}

function findStored(core: Core, id: IntentionId): StoredIntention | undefined {
  const meta = core.log.find(id)
  if (meta !== undefined && core.log.base.isGone(meta)) return undefined
  if (meta !== undefined) return storedOf(core.log.entryAt(meta.seq))
  const entry = core.pool.get(idKey(id))
  if (entry === undefined) return undefined
  const nowhere = { seq: undefined, position: undefined, generation: undefined, witnessedMs: undefined }
  return { parsed: entry.parsed, ...nowhere, floating: describeFloating(core, entry).reason }
}

function keptAt({ log }: Core, seq: number): LogEntry | undefined {
  return seq < log.base.fromSeq() ? log.reader.at(seq) : log.entryAt(seq)
}

function findByPrefix(core: Core, hex: string): readonly StoredIntention[] {
  if (hex.length < PREFIX_DIGITS_MIN || hex.length > 2 * HASH_BYTES) return []
  const low = fromHex(hex.padEnd(2 * HASH_BYTES, '0'))
  const high = fromHex(hex.padEnd(2 * HASH_BYTES, 'f'))
  if (low === undefined || high === undefined) return []
  const found = core.log.ids
    .between(low, high, PREFIX_CANDIDATES_MAX)
    .flatMap((seq) => keptAt(core, seq) ?? [])
    .map(storedOf)
  const [first, last] = [idKey(low), idKey(high)]
  for (const { key, parsed } of core.pool.entries()) {
    if (found.length >= PREFIX_CANDIDATES_MAX) break
    const stored = key >= first && key <= last ? findStored(core, parsed.id) : undefined
    if (stored !== undefined) found.push(stored)
  }
  return found
}

/** The chain hash of the record before one that is not before the base. */
export function hashBefore({ base, entryAt }: Pick<Core['log'], 'base' | 'entryAt'>, seq: number): Hash {
  const row = base.row()
  if (row !== undefined && seq === row.from_seq) return toHash(toPlainBytes(row.prev_hash))
  return seq <= 1 ? ZERO_HASH : entryAt(seq - 1).chainHash
}

/** Consecutive records, oldest first, with their contents. */
function witnessEntries({ log }: Core, entries: readonly LogEntry[]): readonly WitnessEntry[] {
  const first = entries[0]
  if (first === undefined) return []
  let prevHash = hashBefore(log, first.meta.seq)
  return entries.map((entry) => {
    const content = contentOf(log.meta().storeId, prevHash, entry)
    prevHash = entry.chainHash
    return {
      seq: entry.meta.seq,
      wallTime: entry.witnessedMs,
      chainHash: entry.chainHash,
      record: { content, signature: entry.witnessSignature },
      parsed: entry.parsed,
    }
  })
}

function tipsOf(
  { log, dag }: Core,
  { key, tips }: { readonly key: AuthorTips['author']; readonly tips: Set<number> },
): AuthorTips {
  const entries = [...tips].sort((a, b) => a - b).map((seq) => log.tipAt(seq))
  const open = new Set(entries.length === 1 ? entries : maximalTips(entries, dag.followsTip))
  return {
    author: key,
    tips: entries.map((entry) => {
      const { parsed, meta } = entry
      return { id: parsed.id, position: meta.position, timestamp: meta.timestamp, joined: !open.has(entry) }
    }),
  }
}

/** Made anew once something was witnessed, or other members are asked about. */
function createObservations({ log, observer, admits }: Core): Kernel['observations'] {
  let known: { readonly key: string; readonly head: Hash; readonly observations: Observations } | undefined
  return (given) => {
    const members = given ?? [...log.counted.all()].map(({ key }) => key).filter((key) => admits(key))
    const { headHash: head } = log.meta()
    const key = members.map(idKey).join(' ')
    if (known?.head !== head || known.key !== key) known = { key, head, observations: observer.observe(members) }
    return known.observations
  }
}

function statsOf(core: Core): KernelStats {
  const { log, pool, time } = core
  const { storeId, storeType, headSeq } = log.meta()
  return {
    storeId,
    storeType,
    witnessCount: headSeq - (log.base.row()?.gone_count ?? 0),
    appliedSeq: core.projection().publishedSeq(),
    floatingCount: pool.size(),
    floatingBytes: pool.bytes(),
    evictedCount: core.evictedCount(),
    authorCount: log.authors.size(),
    forkCount: log.reader.forkCount(),
    rejectionCount: core.projection().rejectionCount(),
    hlc: time.last(),
  }
}

function membershipOf({ log, options: { membership } }: Core): Pick<Kernel, 'membership' | 'membershipAt'> {
  return {
    membership: () => log.book.view(),
    membershipAt: (epochs) => {
      const places = epochs.flatMap((id) => log.find(id) ?? [])
      const history = log.book.historyWithin((place) =>
        places.some((end) => end.seq === place.seq || log.book.isBefore(place, end)),
      )
      return membership === undefined ? NOBODY_KNOWN : resolvePast(membership, history)
    },
  }
}
