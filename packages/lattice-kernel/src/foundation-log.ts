/**
 * Makes the log that stands on a foundation: as if this node had witnessed what lies below the base, and pruned it.
 *
 * The base has the seq that it would have had, so what is counted by seqs is right; those before it are given out in the
 * order of the places. What is derived from records is derived by the indexes of the log themselves, and the policy says
 * whether the base is an epoch that counts. The file is made beside, and is renamed once it is whole.
 *
 * @module
 */
import { mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import {
  assert,
  type Clock,
  compareHlc,
  type Crypto,
  type Hlc,
  type PublicKey,
  HLC_ZERO,
  type ParsedIntention,
  parseSignedIntention,
  readGenesis,
  type Signer,
  type StoreId,
  ZERO_HASH,
} from '@lattice/model'
import { type Database, type StorageHooks, syncDirectory, translateStorageError } from '@lattice/storage'
import { type MembershipPolicy, mayComeToCount } from '@lattice/store-base'
import { addInto } from '@lattice/sync'
import { baseHash, type EarlyRecord } from './base-signature.ts'
import { createByteArena } from './byte-arena.ts'
import type { FoundationCheck } from './foundation-check.ts'
import type { PlacedItem } from './foundation-places.ts'
import { type Problem, problem } from './foundation-problem.ts'
import type { FoundationItem } from './foundation-types.ts'
import { baseAnchors, baseLanes } from './log-base.ts'
import { chainHashOf, type IntentionMeta, type LogEntry } from './log-entry.ts'
import { type LogMeta, writeMeta } from './log-meta.ts'
import { encodeRecord } from './log-record.ts'
import { LOG_FILE } from './log-schema.ts'
import { createLogStore, type LogStore } from './log-store.ts'
import { openLog } from './open-log.ts'
import { createPruneRows } from './prune-rows.ts'
import { IN_SET, VOUCHES } from './prune-schema.ts'
import { itemOf } from './range-nodes.ts'
import { appendRecord, beginBlock, blockOf, FULL } from './reach-block.ts'
import { blockKey } from './reach-blocks.ts'

/** Where it is made. */
const MAKING = 'founding'
/** The first prune of the log. */
const NUMBER = 1
const NO_BYTES = new Uint8Array(0)

export interface FoundationWriterOptions {
  /** Where the log is to be; has none. Made when it is not there. */
  readonly directory: string
  readonly storeId: StoreId
  readonly crypto: Crypto
  /** Whose witness log it will be. */
  readonly signer: Signer
  readonly membership: MembershipPolicy
  readonly clock: Pick<Clock, 'wallMs'>
  /** Who shows it, where that is enough for an epoch of its own: it is to say who is out, and no state is taken over. */
  readonly shownBy?: PublicKey
  /** What this node wrote before in this store has no later timestamp. */
  readonly hlc?: Hlc
  /** Fault injection for tests. */
  readonly storageHooks?: StorageHooks
}

interface FoundationLogOptions extends FoundationWriterOptions {
  /** Found nothing wrong to the end. */
  readonly check: FoundationCheck
  readonly itemAt: (item: number) => FoundationItem | undefined
}

/** Makes it in its place; a problem where the base does not count. Throws `DiskFull` or `StorageFailed`. */
export function makeFoundationLog(options: FoundationLogOptions): Problem | undefined {
  const { directory } = options
  const making = join(directory, MAKING)
  removeUnfinishedLog(directory)
  translated(directory, () => mkdirSync(making, { mode: 0o700 }))
  const found = makeIn(making, options)
  if (found !== undefined) {
    removeUnfinishedLog(directory)
    return found
  }
  translated(directory, () => {
    renameSync(join(making, LOG_FILE), join(directory, LOG_FILE))
    syncDirectory(directory)
  })
  removeUnfinishedLog(directory)
  return undefined
}

export function removeUnfinishedLog(directory: string): void {
  translated(directory, () => rmSync(join(directory, MAKING), { recursive: true, force: true }))
}

function makeIn(making: string, options: FoundationLogOptions): Problem | undefined {
  const { storeId, crypto, signer, membership, storageHooks: hooks } = options
  const { database, meta } = openLog({ directory: making, storeId, crypto, signer, ...(hooks && { hooks }) })
  let log: LogStore | undefined
  try {
    const kept = createKept(options)
    const opened = metaOf(meta, options, kept)
    database.transaction(() => writeRows(database, { meta: opened, options, kept }))
    log = createLogStore({ database, crypto, signer, opened, membership })
    for (const { entry, isRecord } of kept.entries()) {
      log.ids.advance(entry)
      if (!isRecord) continue
      log.book.advance(entry)
      log.range.insert(itemOf(entry))
    }
    log.prune(() => ({ fingerprint: opened.fingerprint }))
    return problemOf(log, kept.base)
  } finally {
    if (log === undefined) database.close()
    else log.close()
  }
}

function problemOf(log: LogStore, { parsed, meta }: LogEntry): Problem | undefined {
  const epoch = log.book.epochOf(parsed.id)
  const fault = epoch === undefined ? 'not_an_epoch' : log.book.view().faultOf(parsed.id)
  if (fault !== undefined) {
    const isPending = fault !== 'not_an_epoch' && mayComeToCount(fault)
    return problem(isPending ? 'base_undecided' : 'base_invalid', `its base does not count: ${fault}`)
  }
  return log.excluded.isExcluded(meta) ? problem('base_invalid', 'its base is by one who was removed') : undefined
}

interface KeptEntry {
  readonly entry: LogEntry
  /** False for what only vouches. */
  readonly isRecord: boolean
}

/** The places with their seqs, and the records among them. */
interface Kept {
  readonly metas: readonly IntentionMeta[]
  readonly base: LogEntry
  /** Read again each time. The base comes last. */
  readonly entries: () => Iterable<KeptEntry>
}

function createKept(options: FoundationLogOptions): Kept {
  const { check, storeId, crypto, signer, clock } = options
  const { all } = check.places
  const witnessedMs = clock.wallMs()
  const metas = all.map((place, index) => {
    const isBase = index === all.length - 1
    return metaAt(check, place, isBase ? check.lanes.positions : index + 1)
  })
  function entryAt(index: number): LogEntry | undefined {
    const [place, meta] = [all[index], metas[index]]
    const parsed = place && parsedAt(options, place)
    if (meta === undefined || parsed === undefined) return undefined
    if (index < all.length - 1) return { parsed, meta, witnessedMs, chainHash: ZERO_HASH, witnessSignature: NO_BYTES }
    const chainHash = chainHashOf(crypto, { storeId, headHash: ZERO_HASH }, { parsed, meta, witnessedMs })
    return { parsed, meta, witnessedMs, chainHash, witnessSignature: signer.sign('lattice/witness/v1', chainHash) }
  }
  const base = entryAt(all.length - 1)
  assert(base !== undefined, 'the base of a foundation that was checked is there')
  return {
    metas,
    base,
    entries: function* () {
      for (const [index, { isSpine }] of all.entries()) {
        const entry = entryAt(index)
        if (entry !== undefined) yield { entry, isRecord: isSpine }
      }
    },
  }
}

function metaAt(
  check: FoundationCheck,
  { lane, position, generation, timestamp }: PlacedItem,
  seq: number,
): IntentionMeta {
  return { seq, author: check.lanes.lanes[lane]?.author ?? 0, lane, position, generation, timestamp }
}

/** Undefined for what is gone. */
function parsedAt({ crypto, itemAt }: FoundationLogOptions, { item }: PlacedItem): ParsedIntention | undefined {
  const stored = itemAt(item)
  const signed = stored?.kind === 'spine' ? stored.record : stored?.kind === 'closing' ? stored.intention : undefined
  const parsed = signed && parseSignedIntention(crypto, signed)
  return parsed?.ok === true ? parsed.value : undefined
}

function metaOf(meta: LogMeta, { hlc = HLC_ZERO }: FoundationLogOptions, kept: Kept): LogMeta {
  const fingerprint = new Uint8Array(ZERO_HASH.length)
  let { storeType } = meta
  let highestWall = 0
  for (const {
    entry: { parsed },
    isRecord,
  } of kept.entries()) {
    if (isRecord) addInto(fingerprint, parsed.id)
    highestWall = Math.max(highestWall, parsed.intention.timestamp.wall)
    const genesis = readGenesis(parsed)
    if (genesis.ok) ({ storeType } = genesis.value)
  }
  const {
    parsed,
    meta: { seq },
    chainHash,
  } = kept.base
  const { timestamp } = parsed.intention
  const latest = compareHlc(hlc, timestamp) > 0 ? hlc : timestamp
  return { ...meta, storeType, headSeq: seq, headHash: chainHash, fingerprint, hlc: latest, highestWall }
}

interface Rows {
  readonly meta: LogMeta
  readonly options: FoundationLogOptions
  readonly kept: Kept
}

function writeRows(database: Database, { meta, options, kept }: Rows): void {
  writeMeta(database, meta)
  writeLanes(database, options, kept)
  const early = writeEarly(database, kept)
  writeBase(database, options, kept)
  const rows = createPruneRows(database, NUMBER)
  addAnchors(rows, options, kept)
  addBaseLanes(rows, options, kept)
  rows.write()
  const { seq } = kept.base.meta
  const facts = {
    epoch: Buffer.from(kept.base.parsed.id),
    from_seq: seq,
    prev_hash: Buffer.from(ZERO_HASH),
    gone_count: seq - options.check.places.all.filter(({ isSpine }) => isSpine).length,
    // Nobody tells what these ids were.
    gone_fingerprint: Buffer.from(ZERO_HASH),
  }
  const hash = baseHash(options.crypto, options.storeId, {
    base: facts,
    lanes: baseLanes(database, NUMBER),
    spans: [],
    anchors: baseAnchors(database, NUMBER),
    early,
  })
  rows.decide({ ...facts, signature: options.signer.sign('lattice/witness/v1', hash), deleted_to: null })
}

/** Authors, and lanes up to where they end, the base included. */
function writeLanes(database: Database, { check }: FoundationLogOptions, { metas }: Kept): void {
  const { authors, lanes } = check.lanes
  const putAuthor = database.prepare('INSERT INTO authors VALUES (?, ?)')
  const putLane = database.prepare('INSERT INTO lanes VALUES (?, ?, ?, ?, ?, ?, ?)')
  for (const [number, key] of authors.entries()) putAuthor.run(number, key)
  const places = check.places.all
  const seqs = new Map(places.map(({ item }, index) => [item, metas[index]?.seq ?? 0]))
  for (const [number, { author, parent, head }] of lanes.entries()) {
    const end = check.places.endOf(number)
    assert(end !== undefined, 'every lane of a foundation that was checked ends with a place')
    putLane.run(number, author, parent?.lane ?? null, parent?.position ?? null, seqs.get(end.item) ?? 0, head, end.id)
  }
}

/** The records before the base. */
function writeEarly(database: Database, { entries, base }: Kept): readonly EarlyRecord[] {
  const insert = database.prepare('INSERT INTO intentions VALUES (?, ?)')
  const early: EarlyRecord[] = []
  for (const { entry } of entries()) {
    const { seq } = entry.meta
    insert.run(seq, encodeRecord(entry, createByteArena()))
    if (seq !== base.meta.seq) early.push({ seq, id: entry.parsed.id })
  }
  return early
}

/** What follows from the base alone: it is the frontier, and its past is all there is. The book is all of it. */
function writeBase(database: Database, { check }: FoundationLogOptions, { base }: Kept): void {
  const { lane, position, seq } = base.meta
  database.prepare('INSERT INTO frontier VALUES (?, ?)').run(seq, base.parsed.id)
  database.prepare('INSERT OR REPLACE INTO epoch_cursor VALUES (1, ?)').run(seq)
  const { lanes } = check.lanes
  const full = {
    lane,
    block: blockOf(position),
    lanes: Uint32Array.from(lanes, (_, number) => number),
    positions: Uint32Array.from(lanes, ({ head }) => head),
  }
  const block = beginBlock(position)
  appendRecord(block, seq, { kind: FULL, full })
  const bytes = block.bytes.slice(0, block.length)
  database.prepare('INSERT INTO reach_blocks VALUES (?, ?)').run(blockKey(lane, full.block), bytes)
}

/** What is left of an item's intention. */
const STAYS: Partial<Record<FoundationItem['kind'], number>> = { spine: IN_SET, closing: VOUCHES }

type BaseRows = ReturnType<typeof createPruneRows>

function addAnchors(rows: BaseRows, { check, itemAt }: FoundationLogOptions, { metas, base }: Kept): void {
  for (const [index, place] of check.places.all.entries()) {
    const [meta, stored] = [metas[index], itemAt(place.item)]
    if (meta === undefined || stored === undefined || meta.seq === base.meta.seq) continue
    const folded = stored.kind === 'anchor' && stored.folded.length > 0 ? stored.folded : undefined
    rows.addAnchor({ id: place.id, meta, stays: STAYS[stored.kind] ?? 0, vector: check.places.vectorOf(place), folded })
  }
}

/** Every lane that begins below the base, up to its last position there. */
function addBaseLanes(rows: BaseRows, { check }: FoundationLogOptions, { base }: Kept): void {
  const { authors, lanes } = check.lanes
  for (const [lane, { author, parent, head, first }] of lanes.entries()) {
    const last = lane === base.meta.lane ? base.meta.position - 1 : head
    const key = authors[author]
    if (key === undefined || last < first) continue
    const [parent_lane, parent_position] = [parent?.lane ?? null, parent?.position ?? null]
    rows.addLane({ lane, author, key, parent_lane, parent_position, last })
  }
}

function translated<T>(path: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw translateStorageError(error, { path, contents: 'log' })
  }
}
