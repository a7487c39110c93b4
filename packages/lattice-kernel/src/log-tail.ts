/**
 * The end of a log in memory: where it stands, and what is appended to it and not committed.
 *
 * @module
 */
import {
  assert,
  compareHlc,
  type Crypto,
  equalBytes,
  isGenesis,
  isSigned,
  MAX_RUN_LENGTH,
  type ParsedIntention,
  readGenesis,
  type IntentionId,
  type Hlc,
  type Signer,
  toIntentionId,
} from '@lattice/model'
import { LogDamaged } from '@lattice/storage'
import { addInto } from '@lattice/sync'
import { HistoryPruned } from './errors.ts'
import type { Author, LaneBook } from './lane-book.ts'
import type { LogIndex } from './log-index.ts'
import { chainHashOf, type IntentionMeta, type LogEntry, type LogTip } from './log-entry.ts'
import type { LogMeta } from './log-meta.ts'

/** Two intentions of one author with one `store_prev`. */
export interface Fork {
  readonly author: Author
  readonly first: LogEntry
  readonly second: LogEntry
}

export interface LogTail {
  readonly meta: () => LogMeta
  readonly setMeta: (meta: LogMeta) => void
  readonly batch: () => readonly LogEntry[]
  readonly forks: () => readonly Fork[]
  readonly prepare: (parsed: ParsedIntention, witnessedMs: number) => LogEntry
  readonly append: (entry: LogEntry) => void
  /** Follows a record that is on disk already. */
  readonly replay: (entry: LogEntry) => void
  /** Takes back the record appended last, which extended its author's chain without a fork. */
  readonly retract: () => void
  readonly closeRun: () => void
  /** Gives the last appended record the signature that closes its group. */
  readonly closeGroup: () => void
  /** What was appended is committed, or gone. */
  readonly clear: () => void
}

export interface LogTailDeps {
  /** Of the log, for what is said of damage to it. */
  readonly path: string
  readonly opened: LogMeta
  readonly find: (id: IntentionId) => IntentionMeta | undefined
  /** The record at a seq, on disk or in the batch; undefined where a prune took it. */
  readonly entryAt: (seq: number) => LogEntry | undefined
  readonly tipAt: (seq: number) => LogTip
  readonly authors: LaneBook
  /** The seq at a position of a lane. */
  readonly seqAt: (lane: number, position: number) => number
  /** In the order in which they follow. */
  readonly indexes: readonly LogIndex[]
  readonly crypto: Crypto
  readonly signer: Signer
}

/** Proofs kept per author: one is enough to show it, a few to see how; more are counted as tips alone. */
const FORK_PROOFS_MAX = 16
const NO_BYTES = new Uint8Array(0)

export function createLogTail(deps: LogTailDeps): LogTail {
  const { find, authors, indexes, crypto, signer } = deps
  let meta = deps.opened
  let batch: LogEntry[] = []
  let forks: Fork[] = []
  let last: { readonly meta: LogMeta; readonly isFork: boolean } | undefined

  function prepare(parsed: ParsedIntention, witnessedMs: number): LogEntry {
    const entryMeta = placeNext({ path: deps.path, find, authors, meta }, parsed)
    // A record inside a group carries no signature; one per run's length does, so that pages stay short.
    const isClosing = (batch.length + 1) % MAX_RUN_LENGTH === 0
    const entry = recordOf(crypto, meta, { parsed, meta: entryMeta, witnessedMs })
    return isClosing ? signRecordOf(signer, entry) : entry
  }

  function follow(entry: LogEntry): void {
    assert(entry.meta.seq === meta.headSeq + 1, 'a record is appended right after it is prepared')
    for (const index of indexes) index.advance(entry)
    meta = metaAfter(meta, entry)
  }

  function append(entry: LogEntry): void {
    const isFork = authors.isFork(entry.meta.author, entry.meta.lane)
    const before = meta
    const isTold = isFork && authors.byNumber(entry.meta.author).tips.size < FORK_PROOFS_MAX
    const sibling = isTold ? findSibling(deps, entry) : undefined
    if (isTold && sibling !== 'gone') assertNew(deps.path, entry, sibling)
    batch.push(entry)
    follow(entry)
    last = { meta: before, isFork }
    const author = authors.byNumber(entry.meta.author)
    if (sibling !== undefined && sibling !== 'gone') forks.push({ author, first: sibling, second: entry })
  }

  function retract(): void {
    const entry = batch.pop()
    assert(entry !== undefined && last?.isFork === false, 'only the last record is taken back, and no fork')
    for (const index of indexes.toReversed()) index.retreat(entry)
    meta = last.meta
    last = undefined
  }

  function replaceLast(change: (last: LogEntry) => LogEntry): void {
    const entry = batch.at(-1)
    if (entry !== undefined) batch[batch.length - 1] = change(entry)
  }

  return {
    meta: () => meta,
    setMeta: (next) => {
      meta = next
    },
    batch: () => batch,
    forks: () => forks,
    prepare,
    append,
    replay: follow,
    retract,
    closeRun: () => replaceLast((entry) => signIntentionOf(signer, entry)),
    closeGroup: () => replaceLast((entry) => signRecordOf(signer, entry)),
    clear: () => void ([last, batch, forks] = [undefined, [], []]),
  }
}

function recordOf(
  crypto: Crypto,
  head: LogMeta,
  { parsed, meta, witnessedMs }: Pick<LogEntry, 'parsed' | 'meta' | 'witnessedMs'>,
): LogEntry {
  const chainHash = chainHashOf(crypto, head, { parsed, meta, witnessedMs })
  return { parsed, meta, witnessedMs, chainHash, witnessSignature: NO_BYTES }
}

function signIntentionOf(signer: Signer, entry: LogEntry): LogEntry {
  if (isSigned(entry.parsed)) return entry
  const signature = signer.sign('lattice/intention/v1', entry.parsed.id)
  return { ...entry, parsed: { ...entry.parsed, signature } }
}

function signRecordOf(signer: Signer, entry: LogEntry): LogEntry {
  if (entry.witnessSignature.length > 0) return entry
  return { ...entry, witnessSignature: signer.sign('lattice/witness/v1', entry.chainHash) }
}

function later(a: Hlc, b: Hlc): Hlc {
  return compareHlc(a, b) >= 0 ? a : b
}

/** Where the log stands with one more record. */
function metaAfter(meta: LogMeta, { parsed, chainHash, meta: { seq, timestamp } }: LogEntry): LogMeta {
  const fingerprint = meta.fingerprint.slice()
  addInto(fingerprint, parsed.id)
  return {
    ...meta,
    storeType: meta.storeType ?? storeTypeOf(parsed),
    headSeq: seq,
    headHash: chainHash,
    fingerprint,
    highestWall: Math.max(meta.highestWall, timestamp.wall),
    hlc: later(meta.hlc, timestamp),
  }
}

/** Where the next intention stands: in its author's chain, in the DAG and in the log. */
function placeNext(
  { path, find, authors, meta }: Pick<LogTailDeps, 'path' | 'find' | 'authors'> & { readonly meta: LogMeta },
  { intention, id }: ParsedIntention,
): IntentionMeta {
  const seq = meta.headSeq + 1
  const { timestamp } = intention
  if (isGenesis(intention)) {
    assert(equalBytes(id, meta.storeId), 'a store has one genesis')
    if (meta.headSeq > 0) throw unindexed(path)
    return { seq, ...authors.placeNext(intention.author, undefined), position: 0, generation: 0, timestamp }
  }
  const parent = find(toIntentionId(intention.storePrev))
  assert(parent !== undefined, 'store_prev is witnessed')
  const { author, lane } = authors.placeNext(intention.author, parent)
  assert(parent.author === author || parent.seq === 1, "store_prev is the author's, or the genesis")
  let { generation } = parent
  for (const dep of intention.causalDeps) {
    const cause = find(dep)
    assert(cause !== undefined, 'every cause is witnessed')
    generation = Math.max(generation, cause.generation)
  }
  return { seq, author, lane, position: parent.position + 1, generation: generation + 1, timestamp }
}

function storeTypeOf(parsed: ParsedIntention): LogMeta['storeType'] {
  const genesis = readGenesis(parsed)
  return genesis.ok ? genesis.value.storeType : undefined
}

/**
 * A record that forks its author's chain has a sibling. Without one, or with itself as one, it is a record of this log
 * already that the index of ids no longer leads to: taken in again it would stand twice.
 */
function assertNew(path: string, { parsed }: LogEntry, sibling: LogEntry | undefined): void {
  if (sibling === undefined || equalBytes(sibling.parsed.id, parsed.id)) throw unindexed(path)
}

function unindexed(path: string): LogDamaged {
  return new LogDamaged(path, { record: 'the index of ids', problem: 'it does not lead to a record that is there' })
}

/**
 * Another intention of the same author with the same `store_prev`: next on the lane of that, or first on another. One that
 * a prune took proves nothing any more.
 */
function findSibling(deps: LogTailDeps, { meta, parsed }: LogEntry): LogEntry | 'gone' | undefined {
  const { find, tipAt, authors } = deps
  const parent = find(toIntentionId(parsed.intention.storePrev))
  if (parent === undefined) return undefined
  const goesOn = authors.lane(parent.lane)
  const next = parent.position + 1
  if (goesOn.author === meta.author && goesOn.head.position >= next) return keptAt(deps, parent.lane, next)
  for (const seq of authors.byNumber(meta.author).tips) {
    const lane = authors.lane(tipAt(seq).meta.lane)
    if (lane.parent?.lane === parent.lane && lane.parent.position === parent.position) {
      return keptAt(deps, lane.number, next)
    }
  }
  return undefined
}

function keptAt({ entryAt, seqAt }: LogTailDeps, lane: number, position: number): LogEntry | 'gone' {
  try {
    return entryAt(seqAt(lane, position)) ?? 'gone'
  } catch (error) {
    if (error instanceof HistoryPruned) return 'gone'
    throw error
  }
}
