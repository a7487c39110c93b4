/**
 * Makes a new log begin where a pruned one does: what is known of what is gone, what is kept before the base, and the
 * indexes as they were right before it. The records from the base on are then appended as ever.
 *
 * @module
 */
import { assert, type Crypto, type Hash, idKey, type IntentionId, readGenesis, toHash, ZERO_HASH } from '@lattice/model'
import { type Database, toPlainBytes } from '@lattice/storage'
import { addInto, openRangeIndex } from '@lattice/sync'
import { createByteArena } from './byte-arena.ts'
import type { BaseSeed } from './check-base.ts'
import { createIdIndex, prefixOf } from './id-index.ts'
import type { FindMeta } from './lane-book.ts'
import { createPrunedBase } from './log-base.ts'
import type { LogEntry } from './log-entry.ts'
import { type LogMeta, writeMeta } from './log-meta.ts'
import { encodeRecord } from './log-record.ts'
import { type AnchorRow, type BaseLaneRow, type BaseSpanRow, type LogBaseRow, rangeTableOf } from './prune-schema.ts'
import { createQuietSpans } from './quiet-spans.ts'
import { itemOf, nodeStoreOf } from './range-nodes.ts'
import { createLogReach } from './reach-log.ts'

export interface PrunedBeginning {
  readonly base: LogBaseRow
  readonly lanes: readonly BaseLaneRow[]
  readonly spans: readonly BaseSpanRow[]
  readonly anchors: () => Iterable<AnchorRow>
  /** The records kept before the base, ascending. */
  readonly early: readonly LogEntry[]
  readonly kindOf: BaseSeed['kindOf']
  /** By lane, the last positions below the base that call for no ack. */
  readonly quiet: readonly {
    readonly lane: number
    readonly first: number
    readonly last: number
    readonly before: number
  }[]
}

/** Writes all of it in one transaction, into a log without records; answers where the log stands. */
export function beginPruned(
  { database, crypto, meta }: { readonly database: Database; readonly crypto: Crypto; readonly meta: LogMeta },
  beginning: PrunedBeginning,
): LogMeta {
  assert(meta.headSeq === 0, 'a log begins once')
  const { base, early } = beginning
  const inSet = early.filter(({ parsed, meta: place }) => beginning.kindOf(parsed.id, place) !== 'vouches')
  const next: LogMeta = {
    ...meta,
    storeType: storeTypeOf(early),
    headSeq: base.from_seq - 1,
    headHash: hashOf(base.prev_hash),
    fingerprint: sumOf(inSet),
    highestWall: Math.max(0, ...early.map(({ meta: place }) => place.timestamp.wall)),
  }
  database.transaction(() => {
    writeBase(database, beginning)
    writeEarly(database, early)
    writeEnds(database, beginning)
    const range = openRangeIndex({ store: nodeStoreOf(database, rangeTableOf(base.number)) })
    range.insertAll(inSet.map(itemOf))
    range.flush()
    writeMeta(database, next)
    writeIndexes({ database, crypto }, beginning)
  })
  return next
}

function writeBase(database: Database, { base, lanes, spans, anchors }: PrunedBeginning): void {
  const { number } = base
  database
    .prepare('INSERT INTO log_base VALUES (1, ?, ?, ?, ?, ?, ?, ?, NULL)')
    .run(number, base.epoch, base.from_seq, base.prev_hash, base.gone_count, base.gone_fingerprint, base.signature)
  const putLane = database.prepare('INSERT INTO base_lanes VALUES (?, ?, ?, ?, ?, ?, ?)')
  for (const { lane, author, key, parent_lane, parent_position, last } of lanes) {
    putLane.run(number, lane, author, key, parent_lane, parent_position, last)
  }
  const putSpan = database.prepare('INSERT INTO base_spans VALUES (?, ?, ?, ?, ?, ?)')
  for (const { lane, first, last, kind, epoch } of spans) putSpan.run(number, lane, first, last, kind, epoch)
  const putAnchor = database.prepare('INSERT INTO anchors VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
  for (const row of anchors()) {
    const { id, seq, author, lane, position, generation, wall, counter, stays, vector, deps } = row
    putAnchor.run(number, id, seq, author, lane, position, generation, wall, counter, stays, vector, deps)
  }
}

function writeEarly(database: Database, early: readonly LogEntry[]): void {
  const arena = createByteArena()
  const insert = database.prepare('INSERT INTO intentions VALUES (?, ?)')
  const insertId = database.prepare('INSERT INTO ids VALUES (?, ?)')
  for (const entry of early) {
    insert.run(entry.meta.seq, encodeRecord(entry, arena))
    insertId.run(prefixOf(entry.parsed.id), entry.meta.seq)
  }
}

interface End {
  readonly author: number
  readonly parent: { readonly lane: number; readonly position: number } | undefined
  readonly head: { readonly seq: number; readonly position: number; readonly id: Uint8Array }
}

/** Authors, lanes and frontier as they were before the base. */
function writeEnds(database: Database, { base, lanes, early, kindOf }: PrunedBeginning): void {
  const authors = new Map(lanes.map(({ author, key }) => [author, toPlainBytes(key)]))
  const ends = new Map<number, End>()
  const headOf = database.prepare<{ readonly id: Buffer; readonly seq: number }>(
    'SELECT id, seq FROM anchors WHERE number = ? AND lane = ? AND position = ?',
  )
  for (const { lane, author, parent_lane, parent_position, last } of lanes) {
    const head = headOf.get(base.number, lane, last)
    assert(head !== undefined, 'every lane ends below the base in an anchor')
    const parent =
      parent_lane === null || parent_position === null ? undefined : { lane: parent_lane, position: parent_position }
    ends.set(lane, { author, parent, head: { seq: head.seq, position: last, id: toPlainBytes(head.id) } })
  }
  const frontier = new Map<string, LogEntry>()
  const placeOf = database.prepare<{ readonly lane: number; readonly position: number }>(
    'SELECT lane, position FROM anchors WHERE number = ? AND id = ?',
  )
  const known = new Map(early.map((entry) => [idKey(entry.parsed.id), entry]))
  for (const entry of early) {
    const { parsed, meta } = entry
    if (kindOf(parsed.id, meta) !== 'tail') continue
    const { storePrev, causalDeps, author } = parsed.intention
    authors.set(meta.author, author)
    const before = known.get(idKey(storePrev))?.meta ?? placeOf.get(base.number, storePrev)
    const goesOn = ends.get(meta.lane)
    const parent = goesOn === undefined ? before && { lane: before.lane, position: before.position } : goesOn.parent
    ends.set(meta.lane, {
      author: meta.author,
      parent,
      head: { seq: meta.seq, position: meta.position, id: parsed.id },
    })
    for (const cause of [storePrev, ...causalDeps]) frontier.delete(idKey(cause))
    frontier.set(idKey(parsed.id), entry)
  }
  const putAuthor = database.prepare('INSERT INTO authors VALUES (?, ?)')
  for (const [number, key] of [...authors].sort(([a], [b]) => a - b)) putAuthor.run(number, key)
  const putLane = database.prepare('INSERT INTO lanes VALUES (?, ?, ?, ?, ?, ?, ?)')
  for (const [number, { author, parent, head }] of [...ends].sort(([a], [b]) => a - b)) {
    putLane.run(number, author, parent?.lane ?? null, parent?.position ?? null, head.seq, head.position, head.id)
  }
  const putFrontier = database.prepare('INSERT INTO frontier VALUES (?, ?)')
  for (const { parsed, meta } of frontier.values()) putFrontier.run(meta.seq, parsed.id)
}

/** What the early tail adds to the indexes that answer for what is kept. */
function writeIndexes(
  { database, crypto }: { readonly database: Database; readonly crypto: Crypto },
  { early, kindOf, quiet }: PrunedBeginning,
): void {
  const put = database.prepare('INSERT INTO quiet VALUES (?, ?, ?, ?)')
  for (const { lane, first, last, before } of quiet) put.run(lane, first, last, before)
  const base = createPrunedBase(database)
  base.load()
  const ids = createIdIndex(database, { path: database.path, crypto })
  const find: FindMeta = (id: IntentionId) => ids.find(id) ?? base.find(id)?.meta
  const reach = createLogReach(database, find, base)
  const spans = createQuietSpans(database)
  for (const entry of early) {
    if (kindOf(entry.parsed.id, entry.meta) !== 'tail') continue
    reach.advance(entry)
    spans.advance(entry)
  }
  reach.checkpoint()
  spans.checkpoint()
}

function storeTypeOf(early: readonly LogEntry[]): LogMeta['storeType'] {
  const [first] = early
  const genesis = first && readGenesis(first.parsed)
  return genesis?.ok === true ? genesis.value.storeType : undefined
}

function sumOf(entries: readonly LogEntry[]): Uint8Array {
  const sum = new Uint8Array(ZERO_HASH.length)
  for (const { parsed } of entries) addInto(sum, parsed.id)
  return sum
}

function hashOf(column: Buffer): Hash {
  return toHash(toPlainBytes(column))
}
