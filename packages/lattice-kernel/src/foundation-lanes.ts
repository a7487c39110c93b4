/**
 * The authors and lanes of a foundation: what all its places refer to.
 *
 * @module
 */
import { idKey, type IdKey, type PublicKey } from '@lattice/model'
import { FOUNDATION_LANES_MAX, FOUNDATION_POSITIONS_MAX } from './foundation-limits.ts'
import { type Problem, problem } from './foundation-problem.ts'
import type { FoundationItem } from './foundation-types.ts'

type ItemOf<Kind extends FoundationItem['kind']> = Extract<FoundationItem, { readonly kind: Kind }>

export interface FoundationLane extends ItemOf<'lane'> {
  /** Its first position. */
  readonly first: number
}

export class FoundationLanes {
  readonly authors: PublicKey[] = []
  readonly lanes: FoundationLane[] = []
  /** Intentions that are not above the base. */
  positions = 0
  readonly #keys = new Set<IdKey>()
  readonly #writing = new Set<number>()

  takeAuthor({ key }: ItemOf<'author'>): Problem | undefined {
    if (this.lanes.length > 0) return problem('out_of_order', 'an author comes after lanes')
    if (this.authors.length >= FOUNDATION_LANES_MAX) return problem('too_large', 'it has too many authors')
    if (this.#keys.has(idKey(key))) return problem('duplicate', 'an author comes twice')
    this.#keys.add(idKey(key))
    this.authors.push(key)
    return undefined
  }

  takeLane(item: ItemOf<'lane'>): Problem | undefined {
    const { author, parent, head } = item
    if (this.lanes.length >= FOUNDATION_LANES_MAX) return problem('too_large', 'it has too many lanes')
    if (author >= this.authors.length) return problem('reference', 'a lane is of an author that is not there')
    const misplaced = this.#parentProblem(item)
    if (misplaced !== undefined) return misplaced
    const first = parent === undefined ? 0 : parent.position + 1
    if (head < first) return problem('reference', 'a lane ends before it begins')
    if (this.positions + head - first + 1 > FOUNDATION_POSITIONS_MAX)
      return problem('too_large', 'its chains are too long')
    this.positions += head - first + 1
    this.#writing.add(author)
    this.lanes.push({ ...item, first })
    return undefined
  }

  /** All of them are there. */
  end(): Problem | undefined {
    const silent = this.authors.findIndex((_, author) => !this.#writing.has(author))
    return silent < 0 ? undefined : problem('incomplete', 'an author has no lane')
  }

  /** The first lane is that of the genesis; another goes on from its author's, or from the genesis. */
  #parentProblem({ author, parent }: ItemOf<'lane'>): Problem | undefined {
    if (this.lanes.length === 0) {
      if (parent === undefined && author === 0) return undefined
      return problem('reference', 'the first lane is not that of the genesis')
    }
    const from = parent && this.lanes[parent.lane]
    if (parent === undefined || from === undefined)
      return problem('reference', 'a lane branches off none that is there')
    if (parent.position < from.first || parent.position > from.head) {
      return problem('reference', 'a lane branches off a position that is not there')
    }
    const isGenesis = parent.lane === 0 && parent.position === 0
    if (isGenesis || from.author === author) return undefined
    return problem('reference', "a lane branches off another author's")
  }
}
