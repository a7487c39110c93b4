/**
 * The end of a log in memory: where it stands, and what is appended to it and not committed.
 *
 * @module
 */
import {
  assert,
  type Crypto,
  equalBytes,
  isGenesis,
  isSigned,
  MAX_RUN_LENGTH,
  type ParsedIntention,
  readGenesis,
  type Signer,
  toIntentionId,
} from '@lattice/model'
import { addInto } from '@lattice/sync'
import type { Author, AuthorBook } from './author-book.ts'
import type { Frontier } from './frontier.ts'
import type { IdIndex } from './id-index.ts'
import { contentOf, type IntentionMeta, type LogEntry } from './log-entry.ts'
import type { LogMeta } from './log-meta.ts'
import type { LogReader } from './log-reader.ts'

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
  /** Takes back the record appended last, which extended its author's chain without a fork. */
  readonly retract: () => void
  readonly closeRun: () => void
  /** Gives the last appended record the signature that closes its group. */
  readonly closeGroup: () => void
  /** What was appended is committed, or gone. */
  readonly clear: () => void
}

export interface LogTailDeps {
  readonly opened: LogMeta
  readonly reader: LogReader
  readonly ids: IdIndex
  readonly authors: AuthorBook
  readonly frontier: Frontier
  readonly crypto: Crypto
  readonly signer: Signer
}

/** Proofs kept per author: one is enough to show it, a few to see how; more are counted as tips alone. */
const FORK_PROOFS_MAX = 16
const NO_BYTES = new Uint8Array(0)

export function createLogTail(deps: LogTailDeps): LogTail {
  const { reader, ids, authors, frontier, crypto, signer } = deps
  let meta = deps.opened
  let batch: LogEntry[] = []
  let forks: Fork[] = []
  let last: { readonly meta: LogMeta; readonly parent: number | undefined; readonly isFork: boolean } | undefined

  function prepare(parsed: ParsedIntention, witnessedMs: number): LogEntry {
    const { timestamp, author: key } = parsed.intention
    const author = authors.intern(key)
    const entryMeta: IntentionMeta = {
      seq: meta.headSeq + 1,
      author: author.number,
      timestamp,
      ...placeOf({ ids, meta }, parsed, author),
    }
    // A record inside a group carries no signature; one per run's length does, so that pages stay short.
    const isClosing = (batch.length + 1) % MAX_RUN_LENGTH === 0
    const entry = recordOf(crypto, meta, { parsed, meta: entryMeta, witnessedMs })
    return isClosing ? signRecordOf(signer, entry) : entry
  }

  function append(entry: LogEntry): void {
    const {
      parsed,
      meta: { seq },
    } = entry
    assert(seq === meta.headSeq + 1, 'a record is appended right after it is prepared')
    const author = authors.byNumber(entry.meta.author)
    const parent = ids.find(toIntentionId(parsed.intention.storePrev))?.seq
    const isFork = parent !== undefined && author.tips.size > 0 && !author.tips.has(parent)
    last = { meta, parent: parent !== undefined && author.tips.has(parent) ? parent : undefined, isFork }
    batch.push(entry)
    authors.advance(author, parent, seq)
    frontier.advance(parsed, seq)
    ids.add(parsed.id, entry.meta)
    meta = metaAfter(meta, entry)
    if (!isFork || author.tips.size > FORK_PROOFS_MAX) return
    const first = findSibling(reader, batch, entry)
    if (first !== undefined) forks.push({ author, first, second: entry })
  }

  function retract(): void {
    const entry = batch.pop()
    assert(entry !== undefined && last?.isFork === false, 'only the last record is taken back, and no fork')
    const { seq, author } = entry.meta
    authors.retreat(authors.byNumber(author), last.parent, seq)
    frontier.retreat(entry.parsed.id, seq)
    ids.remove(entry.parsed.id)
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
    retract,
    closeRun: () => replaceLast((entry) => signIntentionOf(signer, entry)),
    closeGroup: () => replaceLast((entry) => signRecordOf(signer, entry)),
    clear: () => void ([last, batch, forks] = [undefined, [], []]),
  }
}

function recordOf(
  crypto: Crypto,
  { storeId, headHash }: LogMeta,
  entry: Pick<LogEntry, 'parsed' | 'meta' | 'witnessedMs'>,
): LogEntry {
  return { ...entry, chainHash: crypto.blake3(contentOf(storeId, headHash, entry)), witnessSignature: NO_BYTES }
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
  }
}

/** Where an intention stands in its author's chain and in the DAG. */
function placeOf(
  { ids, meta }: { readonly ids: IdIndex; readonly meta: LogMeta },
  { intention, id }: ParsedIntention,
  author: Author,
): { readonly position: number; readonly generation: number } {
  if (isGenesis(intention)) {
    assert(meta.headSeq === 0 && equalBytes(id, meta.storeId), 'the genesis is the first record')
    return { position: 0, generation: 0 }
  }
  const parent = ids.find(toIntentionId(intention.storePrev))
  assert(parent !== undefined, 'store_prev is witnessed')
  assert(parent.author === author.number || parent.seq === 1, "store_prev is the author's, or the genesis")
  let { generation } = parent
  for (const dep of intention.causalDeps) {
    const cause = ids.find(dep)
    assert(cause !== undefined, 'every cause is witnessed')
    generation = Math.max(generation, cause.generation)
  }
  return { position: parent.position + 1, generation: generation + 1 }
}

function storeTypeOf(parsed: ParsedIntention): LogMeta['storeType'] {
  const genesis = readGenesis(parsed)
  return genesis.ok ? genesis.value.storeType : undefined
}

/** Another intention of the same author with the same `store_prev`. */
function findSibling(reader: LogReader, batch: readonly LogEntry[], { meta, parsed }: LogEntry): LogEntry | undefined {
  const candidates = [...reader.atPosition(meta.author, meta.position), ...batch]
  return candidates.find(
    (other) =>
      other.meta.author === meta.author &&
      other.meta.seq !== meta.seq &&
      equalBytes(other.parsed.intention.storePrev, parsed.intention.storePrev),
  )
}
