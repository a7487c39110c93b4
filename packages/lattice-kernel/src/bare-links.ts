/**
 * What of the writes beyond a cutoff is held all the same: what something that counts has in its past.
 *
 * An honest peer that had not seen a revocation may have built on what it cuts, and its write has to be witnessed with its
 * causes. These are bare links: in the set that nodes reconcile, and never applied. So is the signature that closes the run
 * of a link, and what that has in its past, for nobody can check a link without it.
 *
 * A copy of a link that is signed by itself needs no closer, so a node that has that one holds less than one that was given
 * the run. An id does not tell which copy is here, and whoever passes one on can take its signature off: so the set is what
 * the bytes that are here need. That does not last. What closes the run is cited by nobody, so the next ack or epoch of a node
 * that has it cites it, and from then on all have it in the past of something that counts. Acks follow whatever is written;
 * who writes nothing holds it until history is cut. State is the same all along.
 *
 * What is neither is excluded. It is the end of a lane, always: whatever follows a record of its chain has it in its past.
 * Costs about as much as a vector for each head that no other has in its past; nothing that is excluded is read.
 *
 * @module
 */
import type { CutoffSpans } from './cutoff-spans.ts'
import type { LanePosition, Place } from './reach-vector.ts'

/** A lane of the log, all of it. */
export interface LinkLane {
  readonly number: number
  readonly first: number
  readonly head: Place
  /** The place it branched off. */
  readonly parent: { readonly lane: number; readonly position: number } | undefined
}

export interface LinkPorts {
  readonly lanes: () => readonly LinkLane[]
  readonly placeAt: (lane: number, position: number) => Place
  readonly vectorOf: (place: Place) => Iterable<LanePosition>
  /** The one whose signature vouches for what is at a place, which may be itself. */
  readonly closerOf: (place: Place) => Place
  /** True for two of one author. */
  readonly isOfOneAuthor: (lane: number, other: number) => boolean
}

/** By lane: the first position that is excluded, as are all after it. Lanes without one are left out. */
export type ExcludedEnds = ReadonlyMap<number, number>

/**
 * What is excluded. `roots` are places that are held whatever has them in its past: epochs that may end the very cutoff
 * that they are beyond.
 */
export function findExcluded(ports: LinkPorts, spans: CutoffSpans, roots: readonly Place[]): ExcludedEnds {
  const lanes = ports.lanes()
  const ends = beyondEnds(lanes, spans)
  if (ends.size === 0) return ends
  const work = new LinkWork(ports, lanes, ends)
  const heads = lanes.flatMap(({ number, first, head }) => {
    const last = Math.min(head.position, (ends.get(number) ?? Infinity) - 1)
    return last < first ? [] : [last === head.position ? head : ports.placeAt(number, last)]
  })
  // The latest first: it may have the others in its past.
  for (const head of [...heads, ...roots].sort((a, b) => b.seq - a.seq)) work.hold(head)
  work.close()
  for (const { number, head } of lanes) if ((ends.get(number) ?? 0) > head.position) ends.delete(number)
  return ends
}

/** Of each lane that ends beyond a cutoff the first of the positions that do: all before count, or what counts has them. */
function beyondEnds(lanes: readonly LinkLane[], spans: CutoffSpans): Map<number, number> {
  const ends = new Map<number, number>()
  for (const { number, head } of lanes) {
    let end = head.position + 1
    for (const { first, last, kind } of spans.get(number)?.toReversed() ?? []) {
      if (kind !== 'all' || last < end - 1 || first >= end) continue
      end = first
    }
    if (end <= head.position) ends.set(number, end)
  }
  return ends
}

class LinkWork {
  readonly #ports: LinkPorts
  readonly #ends: Map<number, number>
  /** Of the lanes in `ends`, those that branch off each lane. */
  readonly #branches = new Map<number, LinkLane[]>()
  readonly #byNumber = new Map<number, LinkLane>()
  readonly #covered = new Map<number, number>()
  /** Lanes of which more is held than when they were looked at. */
  readonly #open: Set<number>

  constructor(ports: LinkPorts, lanes: readonly LinkLane[], ends: Map<number, number>) {
    this.#ports = ports
    this.#ends = ends
    this.#open = new Set(ends.keys())
    for (const lane of lanes) {
      if (!ends.has(lane.number)) continue
      this.#byNumber.set(lane.number, lane)
      if (lane.parent === undefined || !ports.isOfOneAuthor(lane.number, lane.parent.lane)) continue
      const known = this.#branches.get(lane.parent.lane)
      if (known === undefined) this.#branches.set(lane.parent.lane, [lane])
      else known.push(lane)
      this.#open.add(lane.parent.lane)
    }
  }

  /** Holds a place with all in its past. */
  hold(place: Place): void {
    if ((this.#covered.get(place.lane) ?? -1) >= place.position) return
    for (const [lane, position] of this.#ports.vectorOf(place)) {
      if ((this.#covered.get(lane) ?? -1) >= position) continue
      this.#covered.set(lane, position)
      const end = this.#ends.get(lane)
      if (end === undefined || position < end) continue
      this.#ends.set(lane, position + 1)
      this.#open.add(lane)
    }
  }

  /** Holds what closes the runs of what is held, until nothing more does. */
  close(): void {
    for (let lane = take(this.#open); lane !== undefined; lane = take(this.#open)) {
      this.#closeEnd(lane)
      for (const branch of this.#branches.get(lane) ?? []) this.#closeBranch(branch)
    }
  }

  #closeEnd(number: number): void {
    const [end, lane] = [this.#ends.get(number), this.#byNumber.get(number)]
    if (end === undefined || lane === undefined || end <= lane.first || end > lane.head.position) return
    this.hold(this.#ports.closerOf(this.#ports.placeAt(number, end - 1)))
  }

  /** A branch off an unsigned record vouches for it, too: which of the two came first differs from node to node. */
  #closeBranch({ number, first, parent }: LinkLane): void {
    if (parent === undefined || this.#ends.get(number) !== first) return
    if (parent.position >= (this.#ends.get(parent.lane) ?? Infinity)) return
    const place = this.#ports.placeAt(parent.lane, parent.position)
    if (this.#ports.closerOf(place).seq === place.seq) return
    this.hold(this.#ports.closerOf(this.#ports.placeAt(number, first)))
  }
}

function take(set: Set<number>): number | undefined {
  for (const item of set) {
    set.delete(item)
    return item
  }
  return undefined
}

/** Of the ends of lanes those that no other of them has in its past. */
export function maximalPlaces(vectorOf: LinkPorts['vectorOf'], ends: readonly Place[]): readonly Place[] {
  const covered = new Map<number, number>()
  const maximal: Place[] = []
  // The latest first: nothing that comes later has it in its past.
  for (const place of ends.toSorted((a, b) => b.seq - a.seq)) {
    if ((covered.get(place.lane) ?? -1) >= place.position) continue
    maximal.push(place)
    for (const [lane, position] of vectorOf(place)) {
      if (position > (covered.get(lane) ?? -1)) covered.set(lane, position)
    }
  }
  return maximal
}
