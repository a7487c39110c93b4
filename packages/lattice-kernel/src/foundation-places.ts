/**
 * The places of a foundation, one after another: whether each can be where it says, beside those before it.
 *
 * The past of a place is a position per lane. Whatever lies there and has come has to be smaller in all that grows along
 * causes, and nothing that has come may have the place in its past. What is gone cannot be compared with; but nothing
 * reaches above the base.
 *
 * @module
 */
import { compareHlc, type Hlc, idKey, type IdKey, type IntentionId } from '@lattice/model'
import { FOUNDATION_PLACES_MAX } from './foundation-limits.ts'
import type { FoundationLanes } from './foundation-lanes.ts'
import { firstProblem, type Problem, problem } from './foundation-problem.ts'
import type { FoundationPlace } from './foundation-types.ts'

/** What is remembered of a place. Its vector can be read again by the number of its item. */
export interface PlacedItem extends Omit<FoundationPlace, 'vector'> {
  readonly id: IntentionId
  readonly timestamp: Hlc
  /** Among all items. */
  readonly item: number
  /** Its vector is whole: that of an anchor has no more than may be asked about. */
  readonly isSpine: boolean
}

/** A place to take in. */
export interface NewPlace extends Omit<PlacedItem, keyof FoundationPlace> {
  readonly place: FoundationPlace
}

export class FoundationPlaces {
  readonly all: PlacedItem[] = []
  readonly #lanes: FoundationLanes
  readonly #vectorOf: (item: number) => FoundationPlace['vector']
  readonly #byId = new Map<IdKey, PlacedItem>()
  /** By lane, oldest first. */
  readonly #byLane = new Map<number, PlacedItem[]>()
  /** By lane, the highest position in the past of any. */
  readonly #reached = new Map<number, number>()

  constructor(lanes: FoundationLanes, vectorOf: (item: number) => FoundationPlace['vector']) {
    this.#lanes = lanes
    this.#vectorOf = vectorOf
  }

  find(id: Uint8Array): PlacedItem | undefined {
    return this.#byId.get(idKey(id))
  }

  vectorOf({ item }: PlacedItem): FoundationPlace['vector'] {
    return this.#vectorOf(item)
  }

  take(added: NewPlace): Problem | undefined {
    const { place, id, timestamp, item, isSpine } = added
    if (this.all.length >= FOUNDATION_PLACES_MAX) return problem('too_large', 'it has too many places')
    if (this.#byId.has(idKey(id))) return problem('duplicate', 'an intention comes twice')
    const found = firstProblem(
      () => this.#boundsProblem(place),
      () => this.#orderProblem(place),
      () => this.#pastProblem(added),
    )
    if (found !== undefined) return found
    const { lane, position, generation, vector } = place
    const placed: PlacedItem = { lane, position, generation, id, timestamp, item, isSpine }
    this.all.push(placed)
    this.#byId.set(idKey(id), placed)
    const others = this.#byLane.get(lane) ?? []
    others.push(placed)
    this.#byLane.set(lane, others)
    for (const [each, reached] of vector) this.#reached.set(each, Math.max(reached, this.#reached.get(each) ?? -1))
    return undefined
  }

  /** The place that a lane ends with. */
  endOf(lane: number): PlacedItem | undefined {
    const last = this.#byLane.get(lane)?.at(-1)
    return last?.position === this.#lanes.lanes[lane]?.head ? last : undefined
  }

  #boundsProblem({ lane: number, position, generation, vector }: FoundationPlace): Problem | undefined {
    const lane = this.#lanes.lanes[number]
    if (lane === undefined) return problem('reference', 'it stands on a lane that is not there')
    if (position < lane.first || position > lane.head) return problem('reference', 'it stands beside its lane')
    if ((generation === 0) !== (number === 0 && position === 0)) {
      return problem('misplaced', 'it is as far from the genesis as only the genesis is, or is not')
    }
    for (const [each, reached] of vector) {
      const other = this.#lanes.lanes[each]
      if (other === undefined) return problem('reference', 'its past has a lane that is not there')
      if (reached > other.head) return problem('above_base', 'its past reaches above the base')
      if (reached < other.first) return problem('reference', 'its past ends before a lane begins')
      if (each === number && reached !== position) return problem('misplaced', 'its past ends elsewhere than itself')
    }
    const hasSelf = vector.some(([each]) => each === number)
    const hasGenesis = vector[0]?.[0] === 0
    return hasSelf && hasGenesis ? undefined : problem('misplaced', 'its past lacks itself, or the genesis')
  }

  #orderProblem({ lane, position }: FoundationPlace): Problem | undefined {
    if (this.#byLane.get(lane)?.at(-1)?.position === position) return problem('duplicate', 'a place is taken twice')
    const isLate = position <= (this.#reached.get(lane) ?? -1)
    return isLate ? problem('out_of_order', 'something that follows it came before') : undefined
  }

  /** Compares it with the last place in its past on each lane; those before it were compared with that one. */
  #pastProblem({ place, timestamp }: NewPlace): Problem | undefined {
    for (const [lane, reached] of place.vector) {
      const before = lastUpTo(this.#byLane.get(lane) ?? [], reached)
      if (before === undefined) continue
      if (before.generation >= place.generation) return problem('misplaced', 'it is no further than one in its past')
      if (compareHlc(before.timestamp, timestamp) >= 0)
        return problem('misplaced', 'it is no later than one in its past')
    }
    return undefined
  }
}

function lastUpTo(places: readonly PlacedItem[], position: number): PlacedItem | undefined {
  let [low, high] = [0, places.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((places[middle]?.position ?? Infinity) <= position) low = middle + 1
    else high = middle
  }
  return places[low - 1]
}

/** True when `vector` is nowhere lower than `other`. Lanes ascend in both. */
export function reachesAll(vector: FoundationPlace['vector'], other: FoundationPlace['vector']): boolean {
  let at = 0
  return other.every(([lane, position]) => {
    while ((vector[at]?.[0] ?? Infinity) < lane) at += 1
    const entry = vector[at]
    return entry !== undefined && entry[0] === lane && entry[1] >= position
  })
}
