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
import { blockKey, type BlockStore, createReachBlocks, type ReachBlocks } from './reach-blocks.ts'
import { createWeighedCache } from './reach-cache.ts'
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
}

/** Vectors up to this size are written whole: it costs less than a second block to read. */
const SMALL_VECTOR = 64
/** Entries of cached vectors: some megabytes. */
const CACHED_ENTRIES_MAX = 2 ** 18
/** What a vector weighs in a cache beside its entries. */
const VECTOR_WEIGHT = 16

const NOTHING: FullVector = { lane: ABSENT, block: ABSENT, lanes: new Uint32Array(0), positions: new Uint32Array(0) }

interface Advanced {
  readonly seq: number
  readonly lane: number
  readonly block: number
  /** Of the block before. */
  readonly length: number
}

interface Parts {
  readonly blocks: ReachBlocks
  readonly fullAt: (lane: number, block: number) => FullVector
}

export function createReachIndex(store: BlockStore): ReachIndex {
  const blocks = createReachBlocks(store)
  /** By seq. */
  const vectors = createWeighedCache<ReachVector>(CACHED_ENTRIES_MAX)
  const fulls = createFulls(blocks)
  const parts: Parts = { blocks, fullAt: fulls.get }
  let last: Advanced | undefined

  function vectorAt(place: Place): ReachVector {
    const known = vectors.get(place.seq)
    if (known !== undefined) return known
    const vector = readVector(parts, place)
    keep(place.seq, vector)
    return vector
  }

  function keep(seq: number, vector: ReachVector): void {
    vectors.set(seq, vector, vector.over.size + VECTOR_WEIGHT)
  }

  /** The vector of the previous one, to be changed. */
  function takeVector({ lane, causes: [prev] }: ReachNode): ReachVector {
    if (prev === undefined) return { full: NOTHING, over: new Map() }
    const { full, over } = vectorAt(prev)
    // What goes on along its lane is asked for by its new end; what forks leaves the old one in place.
    if (prev.lane !== lane) return { full, over: new Map(over) }
    vectors.delete(prev.seq)
    return { full, over }
  }

  function advance(node: ReachNode): void {
    const { lane, position, seq, causes } = node
    const [prev] = causes
    const vector = takeVector(node)
    const rises = raise(vector, higherOf(vector, causes, vectorAt))
    vector.over.set(lane, position)
    const block = blockOf(position)
    const known = blocks.find(lane, block)
    last = { seq, lane, block, length: known?.length ?? 0 }
    const target = blocks.open(lane, block, () => beginBlock(position))
    if (known !== undefined && prev !== undefined) appendRecord(target, seq - prev.seq, { kind: RISES, entries: rises })
    else {
      if (isWrittenWhole(vector)) {
        vector.full = fullOf(vector, { lane, block })
        vector.over = new Map()
        fulls.add(vector.full)
      }
      appendRecord(target, seq, firstOf(vector, lane))
    }
    keep(seq, vector)
  }

  function reach(place: Place, lane: number): number {
    if (lane === place.lane) return place.position
    const known = vectors.get(place.seq)
    return known === undefined ? readReach(parts, place, lane) : reachOf(known, lane)
  }

  return {
    advance,
    retreat: ({ seq }) => {
      assert(last?.seq === seq, 'only the last advance is taken back')
      blocks.truncate(last.lane, last.block, last.length)
      vectors.clear()
      if (last.length === 0) fulls.clear()
      last = undefined
    },
    checkpoint: () => {
      blocks.checkpoint()
      last = undefined
    },
    load: () => {
      blocks.load()
      vectors.clear()
      fulls.clear()
      last = undefined
    },
    isAncestor: (a, b) => {
      if (a.lane === b.lane) return a.position < b.position
      return a.seq < b.seq && reach(b, a.lane) >= a.position
    },
    reach,
    vectorOf: (place) => entriesOf(vectorAt(place)),
    seqAt: (lane, position) => walkTo(blocks, lane, position).seq,
  }
}

interface Fulls {
  readonly get: (lane: number, block: number) => FullVector
  readonly add: (full: FullVector) => void
  readonly delete: (lane: number, block: number) => void
  readonly clear: () => void
}

function createFulls(blocks: ReachBlocks): Fulls {
  const cache = createWeighedCache<FullVector>(CACHED_ENTRIES_MAX)

  function add(full: FullVector): void {
    cache.set(blockKey(full.lane, full.block), full, full.lanes.length + VECTOR_WEIGHT)
  }

  return {
    get: (lane, block) => {
      const known = cache.get(blockKey(lane, block))
      if (known !== undefined) return known
      const walk = walkOf(blocks, lane, block)
      nextRecord(walk)
      if (walk.kind !== FULL) throw blocks.damaged(lane, block, 'others build on it, and it is not whole')
      const entries = entriesIn(walk, walk.payloadAt)
      const full: FullVector = {
        lane,
        block,
        lanes: Uint32Array.from(entries, ([key]) => key),
        positions: Uint32Array.from(entries, ([, position]) => position),
      }
      add(full)
      return full
    },
    add,
    delete: (lane, block) => cache.delete(blockKey(lane, block)),
    clear: cache.clear,
  }
}

/** Where the causes reach higher than `vector`. */
function higherOf(
  vector: ReachVector,
  causes: readonly Place[],
  vectorAt: (place: Place) => ReachVector,
): ReadonlyMap<number, number> {
  const higher = new Map<number, number>()
  // The latest first: it may have the others in its past.
  for (const cause of [...causes].sort((a, b) => b.seq - a.seq)) {
    const { lane, position } = cause
    if ((higher.get(lane) ?? reachOf(vector, lane)) < position) gatherHigher(vector, vectorAt(cause), higher)
  }
  return higher
}

/** Lifts `vector` to what is higher; answers by how much, lanes ascending. */
function raise(vector: ReachVector, higher: ReadonlyMap<number, number>): readonly LanePosition[] {
  const rises = sortedEntries(higher).map(([lane, position]): LanePosition => [lane, position - reachOf(vector, lane)])
  for (const [lane, position] of higher) vector.over.set(lane, position)
  return rises
}

/** What a block begins with. */
function firstOf({ full, over }: ReachVector, lane: number): RecordContent {
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

function readVector({ blocks, fullAt }: Parts, { lane, position }: Place): ReachVector {
  const block = blockOf(position)
  const walk = walkOf(blocks, lane, block)
  const vector: ReachVector = { full: NOTHING, over: new Map() }
  while (walk.position < position && nextRecord(walk)) {
    if (walk.kind === FULL) vector.full = fullAt(lane, block)
    else if (walk.kind === OVER) {
      const base = overBase(walk)
      vector.full = fullAt(base.lane, base.block)
      vector.over = new Map(entriesIn(walk, base.entriesAt))
    } else eachRise(walk, (other, rise) => vector.over.set(other, reachOf(vector, other) + rise))
  }
  if (walk.position !== position) throw blocks.damaged(lane, block, `it has no position ${position}`)
  if (walk.kind !== FULL) vector.over.set(lane, position)
  return vector
}

function readReach({ blocks, fullAt }: Parts, { lane, position }: Place, wanted: number): number {
  const block = blockOf(position)
  const walk = walkOf(blocks, lane, block)
  let reached = ABSENT
  while (walk.position < position && nextRecord(walk)) {
    if (walk.kind === RISES) reached += riseIn(walk, wanted)
    else if (walk.kind === FULL) reached = entryIn(walk, walk.payloadAt, wanted)
    else {
      const base = overBase(walk)
      reached = entryIn(walk, base.entriesAt, wanted)
      if (reached === ABSENT) reached = positionIn(fullAt(base.lane, base.block), wanted)
    }
  }
  if (walk.position !== position) throw blocks.damaged(lane, block, `it has no position ${position}`)
  return reached
}
