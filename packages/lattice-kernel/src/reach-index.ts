/**
 * Who is in whose past: a vector per intention, kept as what rises along each lane.
 *
 * A lane is a chain, so `a` is an ancestor of `b` exactly when the vector of `b` has at least the position of `a` in the
 * lane of `a`. A vector is the highest of those of the causes, with the intention itself on top. A write that cites what
 * its chain has seen raises nothing and costs a few bytes; a merge costs what it brings in.
 *
 * @module
 */
import { assert } from '@lattice/model'
import {
  appendRecord,
  beginBlock,
  blockOf,
  type BlockWalk,
  entriesIn,
  entryIn,
  eachRise,
  FULL,
  nextRecord,
  OVER,
  overBase,
  type RecordContent,
  riseIn,
  RISES,
  walkBlock,
} from './reach-block.ts'
import { type BlockStore, createReachBlocks, type ReachBlocks } from './reach-blocks.ts'
import { createWeighedCache } from './reach-cache.ts'
import { createFulls, type Fulls } from './reach-fulls.ts'
import type { GrowingBytes } from './reach-varint.ts'
import {
  ABSENT,
  entriesOf,
  type FullVector,
  fullOf,
  gatherHigher,
  type LanePosition,
  type Place,
  positionIn,
  reachOf,
  type ReachVector,
  sortedEntries,
} from './reach-vector.ts'

/** A record of the log as the index sees it. */
export interface ReachNode extends Place {
  /** Where its causes stand, `store_prev` first; none for the genesis. */
  readonly causes: readonly Place[]
}

export interface ReachIndex {
  /** Follows the record that was just appended. */
  readonly advance: (node: ReachNode) => void
  /** Takes the last advance back (at most one in a row). */
  readonly retreat: (node: Place) => void
  /** Inside a transaction: makes everything that was advanced durable. */
  readonly checkpoint: () => void
  /** Goes back to the last checkpoint; the records after it are to be advanced again. */
  readonly load: () => void
  /** True when `a` is among the causes of `b`, at any distance. An intention is no ancestor of itself. */
  readonly isAncestor: (a: Place, b: Place) => boolean
  /** The highest position of `lane` in the past of `place`, itself included; -1 when there is none. */
  readonly reach: (place: Place, lane: number) => number
  /** The past of `place`, itself included: each lane in it with its highest position. Lanes ascend. */
  readonly vectorOf: (place: Place) => Iterable<LanePosition>
  /** The seq of the intention at a position of a lane. */
  readonly seqAt: (lane: number, position: number) => number
  /** A block as it is now, in memory or on disk. */
  readonly blockAt: (lane: number, block: number) => Readonly<GrowingBytes> | undefined
}

/** Vectors up to this size are written whole: it costs less than a second block to read. */
const SMALL_VECTOR = 64
/** Entries of cached vectors: some megabytes. */
const CACHED_ENTRIES_MAX = 2 ** 18
/** What a vector weighs in a cache beside its entries. */
const VECTOR_WEIGHT = 16

/** Rises from which on it is looked whether the vector of a cause says the same in less. */
const MANY_RISES = 64

const NOTHING: FullVector = { lane: ABSENT, block: ABSENT, lanes: new Uint32Array(0), positions: new Uint32Array(0) }

interface Advanced {
  readonly seq: number
  readonly lane: number
  readonly block: number
  /** Of the block before. */
  readonly length: number
}

interface Parts {
  readonly anchors: ReachAnchors
  readonly blocks: ReachBlocks
  readonly fulls: Fulls
  readonly vectors: Vectors
}

/** Places whose blocks may be gone, with what is kept of them. */
export interface ReachAnchors {
  /** True for a place that is asked about here and not in a block. */
  readonly isBelow: (place: Pick<Place, 'lane' | 'position'>) => boolean
  readonly seqAt: (lane: number, position: number) => number
  /** Lanes ascend. */
  readonly vectorAt: (place: Pick<Place, 'lane' | 'position'>) => readonly LanePosition[]
}

const NO_ANCHORS: ReachAnchors = {
  isBelow: () => false,
  seqAt: () => 0,
  vectorAt: () => [],
}

export function createReachIndex(store: BlockStore, anchors: ReachAnchors = NO_ANCHORS): ReachIndex {
  const blocks = createReachBlocks(store)
  const fulls = createFulls(blocks)
  const vectors = createVectors(blocks, fulls, anchors)
  let last: Advanced | undefined

  function forget(): void {
    blocks.load()
    vectors.clear()
    fulls.clear()
    last = undefined
  }

  return {
    advance: (node) => {
      last = append({ anchors, blocks, fulls, vectors }, node)
    },
    retreat: ({ seq }) => {
      assert(last?.seq === seq, 'only the last advance is taken back')
      blocks.truncate(last.lane, last.block, last.length)
      vectors.delete(seq)
      if (last.length === 0) fulls.delete(last.lane, last.block)
      last = undefined
    },
    checkpoint: () => {
      blocks.checkpoint()
      last = undefined
    },
    load: forget,
    isAncestor: (a, b) => {
      if (a.lane === b.lane) return a.position < b.position
      return a.seq < b.seq && vectors.reach(b, a.lane) >= a.position
    },
    reach: vectors.reach,
    vectorOf: (place) => entriesOf(vectors.at(place)),
    seqAt: (lane, position) =>
      anchors.isBelow({ lane, position }) ? anchors.seqAt(lane, position) : walkTo(blocks, lane, position).seq,
    blockAt: blocks.find,
  }
}

/** The vectors of places, the latest cached. */
interface Vectors {
  readonly isBelow: ReachAnchors['isBelow']
  readonly at: (place: Place) => ReachVector
  readonly reach: (place: Place, lane: number) => number
  readonly keep: (seq: number, vector: ReachVector) => void
  readonly delete: (seq: number) => void
  readonly clear: () => void
}

function createVectors(blocks: ReachBlocks, fulls: Fulls, anchors: ReachAnchors): Vectors {
  /** By seq. */
  const cache = createWeighedCache<ReachVector>(CACHED_ENTRIES_MAX)

  function read(place: Place): ReachVector {
    if (!anchors.isBelow(place)) return readVector(blocks, fulls, place)
    return { full: NOTHING, over: new Map(anchors.vectorAt(place)) }
  }

  function keep(seq: number, vector: ReachVector): void {
    cache.set(seq, vector, vector.over.size + VECTOR_WEIGHT)
  }

  return {
    isBelow: anchors.isBelow,
    at: (place) => {
      const known = cache.get(place.seq)
      if (known !== undefined) return known
      const vector = read(place)
      keep(place.seq, vector)
      return vector
    },
    reach: (place, lane) => {
      if (lane === place.lane) return place.position
      const known = cache.get(place.seq)
      if (known !== undefined) return reachOf(known, lane)
      if (anchors.isBelow(place)) return reachOf(read(place), lane)
      return readReach(blocks, fulls, { ...place, wanted: lane })
    },
    keep,
    delete: cache.delete,
    clear: cache.clear,
  }
}

/** Appends a record to its lane's last block, or begins one. */
function append({ anchors, blocks, fulls, vectors }: Parts, node: ReachNode): Advanced {
  const { lane, position, seq } = node
  const { vector, content } = vectorOfNext(vectors, node)
  const block = blockOf(position)
  const [prev] = node.causes
  // What is left of a block below the base is of no use: nothing says that what it builds on is there.
  const isFirst = prev !== undefined && anchors.isBelow(prev)
  const known = isFirst ? undefined : blocks.find(lane, block)
  const advanced: Advanced = { seq, lane, block, length: known?.length ?? 0 }
  const begin = (): GrowingBytes => beginBlock(position)
  const target = isFirst ? blocks.replace(lane, block, begin()) : blocks.open(lane, block, begin)
  if (known !== undefined && prev !== undefined) appendRecord(target, seq - prev.seq, content)
  else {
    if (isWrittenWhole(vector)) {
      vector.full = fullOf(vector, { lane, block })
      vector.over = new Map()
      fulls.add(vector.full)
    }
    appendRecord(target, seq, wholeOf(vector, lane))
  }
  vectors.keep(seq, vector)
  return advanced
}

interface NextVector {
  readonly vector: ReachVector
  /** How it is written after the one before it in its block. */
  readonly content: RecordContent
}

function vectorOfNext(vectors: Vectors, node: ReachNode): NextVector {
  const { lane, position, causes } = node
  const vector = takeVector(vectors, node)
  const adopted = adopt(vectors, vector, node)
  if (adopted !== undefined) return { vector: adopted, content: wholeOf(adopted, lane) }
  const rises = raise(vector, higherOf(vectors, vector, causes))
  vector.over.set(lane, position)
  return { vector, content: { kind: RISES, entries: rises } }
}

/** The vector of the previous one, to be changed. */
function takeVector(vectors: Vectors, { lane, causes: [prev] }: ReachNode): ReachVector {
  if (prev === undefined) return { full: NOTHING, over: new Map() }
  const { full, over } = vectors.at(prev)
  // What goes on along its lane is asked for by its new end; what forks leaves the old one in place.
  if (prev.lane !== lane) return { full, over: new Map(over) }
  vectors.delete(prev.seq)
  return { full, over }
}

/** The vector as it follows from that of the latest cause, where this says in far less what else would rise. */
function adopt(vectors: Vectors, vector: ReachVector, { lane, position, causes }: ReachNode): ReachVector | undefined {
  const [prev, ...deps] = causes
  const latest = deps.reduce<Place | undefined>((a, b) => (a === undefined || b.seq > a.seq ? b : a), undefined)
  if (prev === undefined || latest === undefined || latest.seq < prev.seq) return undefined
  const { full, over } = vectors.at(latest)
  // An anchor has no block that another could build on.
  if (full === NOTHING || full.lanes.length + over.size <= MANY_RISES) return undefined
  const worth = Math.max(MANY_RISES, 2 * over.size)
  const higher = new Map<number, number>()
  gatherHigher(vector, { full, over }, { higher, enough: worth + 1 })
  if (higher.size <= worth) return undefined
  const adopted = { full, over: new Map(over) }
  raise(adopted, higherOf(vectors, adopted, causes))
  adopted.over.set(lane, position)
  return adopted.over.size > worth ? undefined : adopted
}

/** Where the causes reach higher than `vector`. */
function higherOf(vectors: Vectors, vector: ReachVector, causes: readonly Place[]): ReadonlyMap<number, number> {
  const higher = new Map<number, number>()
  // The latest first: it may have the others in its past.
  for (const cause of [...causes].sort((a, b) => b.seq - a.seq)) {
    const { lane, position } = cause
    const isNews = (higher.get(lane) ?? reachOf(vector, lane)) < position
    // Below the base one may be known to follow another, and not all that this one follows.
    if (isNews || vectors.isBelow(cause)) gatherHigher(vector, vectors.at(cause), { higher })
  }
  return higher
}

/** Lifts `vector` to what is higher; answers by how much, lanes ascending. */
function raise(vector: ReachVector, higher: ReadonlyMap<number, number>): readonly LanePosition[] {
  const rises = sortedEntries(higher).map(([lane, position]): LanePosition => [lane, position - reachOf(vector, lane)])
  for (const [lane, position] of higher) vector.over.set(lane, position)
  return rises
}

/** A vector by itself. */
function wholeOf({ full, over }: ReachVector, lane: number): RecordContent {
  if (over.size === 0) return { kind: FULL, full }
  // Of its own lane nothing needs to be said.
  const entries = sortedEntries(over).filter(([other]) => other !== lane)
  return { kind: OVER, lane: full.lane, block: full.block, entries }
}

/** Written whole, a vector costs its size; else each of its block's readers reads one more, and what is over grows. */
function isWrittenWhole({ full, over }: ReachVector): boolean {
  return full.lanes.length + over.size <= SMALL_VECTOR || over.size ** 2 > full.lanes.length
}

function walkOf(blocks: ReachBlocks, lane: number, block: number): BlockWalk {
  return walkBlock(blocks.get(lane, block), block)
}

function walkTo(blocks: ReachBlocks, lane: number, position: number): BlockWalk {
  const walk = walkOf(blocks, lane, blockOf(position))
  while (walk.position < position && nextRecord(walk));
  if (walk.position !== position) throw blocks.damaged(lane, blockOf(position), `it has no position ${position}`)
  return walk
}

function readVector(blocks: ReachBlocks, fulls: Fulls, { lane, position }: Place): ReachVector {
  const block = blockOf(position)
  const walk = walkOf(blocks, lane, block)
  const vector: ReachVector = { full: NOTHING, over: new Map() }
  while (walk.position < position && nextRecord(walk)) {
    if (walk.kind === FULL) vector.full = fulls.get(lane, block)
    else if (walk.kind === OVER) {
      const base = overBase(walk)
      vector.full = fulls.get(base.lane, base.block)
      vector.over = new Map(entriesIn(walk, base.entriesAt))
    } else eachRise(walk, (other, rise) => vector.over.set(other, reachOf(vector, other) + rise))
  }
  if (walk.position !== position) throw blocks.damaged(lane, block, `it has no position ${position}`)
  if (walk.kind !== FULL) vector.over.set(lane, position)
  return vector
}

function readReach(
  blocks: ReachBlocks,
  fulls: Fulls,
  { lane, position, wanted }: Place & { readonly wanted: number },
): number {
  const block = blockOf(position)
  const walk = walkOf(blocks, lane, block)
  let reached = ABSENT
  while (walk.position < position && nextRecord(walk)) {
    if (walk.kind === RISES) reached += riseIn(walk, wanted)
    else if (walk.kind === FULL) reached = entryIn(walk, walk.payloadAt, wanted)
    else {
      const base = overBase(walk)
      reached = entryIn(walk, base.entriesAt, wanted)
      if (reached === ABSENT) reached = positionIn(fulls.get(base.lane, base.block), wanted)
    }
  }
  if (walk.position !== position) throw blocks.damaged(lane, block, `it has no position ${position}`)
  return reached
}
