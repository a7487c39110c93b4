/**
 * The log of one store: appends in memory, commits in one durable transaction.
 *
 * Appending and committing happen within one turn of the event loop, so nobody reads what is not durable. The disk is the
 * truth: when a commit fails, everything in memory is read from it again, whatever it kept. So a group is there as a
 * whole or not at all, and the own chain goes on from what is really there.
 *
 * @module
 */
import {
  assert,
  type Crypto,
  equalBytes,
  type Hlc,
  type IntentionId,
  isGenesis,
  MAX_RUN_LENGTH,
  type ParsedIntention,
  readGenesis,
  type Signer,
  toIntentionId,
} from '@lattice/model'
import type { Database } from '@lattice/storage'
import { addInto } from '@lattice/sync'
import { type Author, type AuthorBook, createAuthorBook } from './author-book.ts'
import { createFrontier, type Frontier } from './frontier.ts'
import { createIdIndex, type IdIndex } from './id-index.ts'
import { contentOf, type IntentionMeta, type LogEntry } from './log-entry.ts'
import { type LogMeta, readMeta, writeMeta } from './log-meta.ts'
import { createLogReader, type LogReader } from './log-reader.ts'

/** Two intentions of one author with one `store_prev`. */
export interface Fork {
  readonly author: Author
  readonly first: LogEntry
  readonly second: LogEntry
}

export interface LogCommit {
  readonly entries: readonly LogEntry[]
  readonly forks: readonly Fork[]
}

export interface CommitOptions {
  readonly hlc: Hlc
  /** Writes of others that belong to the same commit. */
  readonly also?: () => void
}

export interface LogStore {
  readonly path: string
  readonly reader: LogReader
  readonly ids: IdIndex
  readonly authors: AuthorBook
  readonly frontier: Frontier
  readonly meta: () => LogMeta
  readonly find: (id: IntentionId) => IntentionMeta | undefined
  /** The record at a seq, also one that is appended and not committed. */
  readonly entryAt: (seq: number) => LogEntry
  /** The record that would witness this intention next; all its causes are here. Changes nothing but the author book. */
  readonly prepare: (parsed: ParsedIntention, witnessedMs: number) => LogEntry
  /** Appends what was prepared last. */
  readonly append: (entry: LogEntry) => void
  /** Gives the last appended record the signature that closes its run. */
  readonly closeRun: () => void
  /** How many records are appended and not committed. */
  readonly appended: () => number
  /** Makes what was appended durable. When it throws, memory is as the disk is. */
  readonly commit: (options: CommitOptions) => LogCommit
  /** Drops what was appended. */
  readonly reset: () => void
  readonly close: () => void
}

interface LogStoreDeps {
  readonly database: Database
  readonly crypto: Crypto
  readonly signer: Signer
  readonly opened: LogMeta
}

/** Proofs kept per author: one is enough to show it, a few to see how; more are counted as tips alone. */
const FORK_PROOFS_MAX = 16

/** The log in `database`, whose meta row exists. */
export function createLogStore({ database, crypto, signer, opened }: LogStoreDeps): LogStore {
  const reader = createLogReader(database)
  const ids = createIdIndex(database)
  const authors = createAuthorBook(database)
  const frontier = createFrontier(database)
  let meta = opened
  let batch: LogEntry[] = []
  let forks: Fork[] = []

  function load(): void {
    const onDisk = readMeta(database)
    assert(onDisk !== undefined, 'an open log has its meta row')
    meta = onDisk.meta
    batch = []
    forks = []
    authors.load()
    frontier.load()
    ids.load(onDisk.indexedSeq)
  }

  function entryAt(seq: number): LogEntry {
    const entry = batch[seq - firstAppended()] ?? reader.at(seq)
    assert(entry !== undefined, 'every seq up to the head has a record')
    return entry
  }

  function firstAppended(): number {
    return meta.headSeq - batch.length + 1
  }

  function findFork(author: Author, second: LogEntry): void {
    const { position } = second.meta
    const appended = batch.filter((entry) => entry.meta.author === author.number && entry.meta.position === position)
    const siblings = [...reader.atPosition(author.number, position), ...appended]
    const prev = second.parsed.intention.storePrev
    const first = siblings.find(
      ({ parsed, meta: { seq } }) => seq !== second.meta.seq && equalBytes(parsed.intention.storePrev, prev),
    )
    if (first !== undefined) forks.push({ author, first, second })
  }

  function prepare(parsed: ParsedIntention, witnessedMs: number): LogEntry {
    const { timestamp, author: key } = parsed.intention
    const author = authors.intern(key)
    const entryMeta: IntentionMeta = {
      seq: meta.headSeq + 1,
      author: author.number,
      timestamp,
      ...placeOf(parsed, author),
    }
    const content = contentOf(meta.storeId, meta.headHash, { parsed, meta: entryMeta, witnessedMs })
    const chainHash = crypto.blake3(content)
    // A record inside a group carries no signature; one per run's length does, so that pages stay short.
    const isClosing = (batch.length + 1) % MAX_RUN_LENGTH === 0
    const witnessSignature = isClosing ? signer.sign('lattice/witness/v1', chainHash) : NO_BYTES
    return { parsed, meta: entryMeta, witnessedMs, chainHash, witnessSignature }
  }

  function append(entry: LogEntry): void {
    const { parsed, chainHash } = entry
    const { seq, timestamp } = entry.meta
    assert(seq === meta.headSeq + 1, 'a record is appended right after it is prepared')
    const author = authors.byNumber(entry.meta.author)
    const parent = find(toIntentionId(parsed.intention.storePrev))?.seq
    const isFork = parent !== undefined && author.tips.size > 0 && !author.tips.has(parent)
    batch.push(entry)
    authors.advance(author, parent, seq)
    frontier.advance(parsed, seq)
    ids.add(parsed.id, entry.meta)
    const fingerprint = meta.fingerprint.slice()
    addInto(fingerprint, parsed.id)
    const genesis = seq === 1 ? readGenesis(parsed) : undefined
    meta = {
      ...meta,
      storeType: genesis?.ok === true ? genesis.value.storeType : meta.storeType,
      headSeq: seq,
      headHash: chainHash,
      fingerprint,
      highestWall: Math.max(meta.highestWall, timestamp.wall),
    }
    if (isFork && author.tips.size <= FORK_PROOFS_MAX) findFork(author, entry)
  }

  function placeOf({ intention, id }: ParsedIntention, author: Author): { position: number; generation: number } {
    if (isGenesis(intention)) {
      assert(meta.headSeq === 0 && equalBytes(id, meta.storeId), 'the genesis is the first record')
      return { position: 0, generation: 0 }
    }
    const parent = find(toIntentionId(intention.storePrev))
    assert(parent !== undefined, 'store_prev is witnessed')
    assert(parent.author === author.number || parent.seq === 1, "store_prev is the author's, or the genesis")
    let { generation } = parent
    for (const dep of intention.causalDeps) {
      const cause = find(dep)
      assert(cause !== undefined, 'every cause is witnessed')
      generation = Math.max(generation, cause.generation)
    }
    return { position: parent.position + 1, generation: generation + 1 }
  }

  function find(id: IntentionId): IntentionMeta | undefined {
    return ids.find(id)
  }

  function commit({ hlc, also }: CommitOptions): LogCommit {
    closeGroup()
    const committed: LogCommit = { entries: batch, forks }
    try {
      meta = { ...meta, hlc }
      database.transaction(() => {
        insertEntries(database, batch)
        authors.flush()
        frontier.flush()
        for (const { author, first, second } of forks) {
          database.prepare('INSERT INTO forks VALUES (?, ?, ?)').run(author.number, first.meta.seq, second.meta.seq)
        }
        also?.()
        writeMeta(database, meta, ids.flush())
      })
    } catch (error) {
      load()
      throw error
    }
    batch = []
    forks = []
    return committed
  }

  function closeGroup(): void {
    const last = batch.at(-1)
    if (last === undefined || last.witnessSignature.length > 0) return
    batch[batch.length - 1] = { ...last, witnessSignature: signer.sign('lattice/witness/v1', last.chainHash) }
  }

  load()
  return {
    path: database.path,
    reader,
    ids,
    authors,
    frontier,
    meta: () => meta,
    find,
    entryAt,
    prepare,
    append,
    closeRun: () => {
      const last = batch.at(-1)
      if (last === undefined || last.parsed.signature.length > 0) return
      const parsed = { ...last.parsed, signature: signer.sign('lattice/intention/v1', last.parsed.id) }
      batch[batch.length - 1] = { ...last, parsed }
    },
    appended: () => batch.length,
    commit,
    reset: load,
    close: () => database.close(),
  }
}

const NO_BYTES = new Uint8Array(0)

function insertEntries(database: Database, entries: readonly LogEntry[]): void {
  const insert = database.prepare('INSERT INTO intentions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
  for (const { parsed, meta, witnessedMs, chainHash, witnessSignature } of entries) {
    insert.run(
      meta.seq,
      parsed.id,
      parsed.bytes,
      parsed.signature.length > 0 ? parsed.signature : null,
      meta.author,
      meta.position,
      meta.generation,
      meta.timestamp.wall,
      meta.timestamp.counter,
      witnessedMs,
      chainHash,
      witnessSignature.length > 0 ? witnessSignature : null,
    )
  }
}
