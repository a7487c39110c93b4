/**
 * Checks a foundation item by item, and as a whole.
 *
 * What follows from bytes is proved: the genesis, every record of membership and its signature, the base, and who vouches
 * for the state there and for where chains end. Pasts, and places of what else is gone, cannot be: they are bound by the
 * base's. A lie among them can make this node answer wrongly about what lies below the base, or of what was written beside it,
 * and nothing else; where that changes its state, its root at the next epoch shows it.
 *
 * Pure over what it reads again: total, and bounded by the limits of a foundation.
 *
 * @module
 */
import {
  type Crypto,
  err,
  type Hash,
  isGenesis,
  ok,
  type ParsedIntention,
  type PublicKey,
  readPublicKey,
  type Result,
  type StoreId,
} from '@lattice/model'
import type { MembershipPolicy } from '@lattice/store-base'
import { type ChainEnd, endingLanes, hashChainEnds } from './chain-ends.ts'
import { FoundationLanes } from './foundation-lanes.ts'
import { FoundationPlaces, type PlacedItem } from './foundation-places.ts'
import { type Problem, problem } from './foundation-problem.ts'
import { FoundationProof } from './foundation-proof.ts'
import { FoundationSpine } from './foundation-spine.ts'
import type { FoundationEnd, FoundationItem, FoundationPlace } from './foundation-types.ts'

export interface FoundationCheckDeps {
  readonly storeId: StoreId
  readonly crypto: Crypto
  readonly policy: Pick<MembershipPolicy, 'isRecord'>
  /** The vector of a place that was taken in, by its item. */
  readonly vectorOf: (item: number) => FoundationPlace['vector']
  /** Who shows it, where that is enough for an epoch of its own. */
  readonly shownBy?: PublicKey
}

export class FoundationCheck {
  readonly lanes: FoundationLanes = new FoundationLanes()
  readonly places: FoundationPlaces
  readonly #deps: FoundationCheckDeps
  readonly #spine: FoundationSpine
  #taken = 0
  #proof: FoundationProof | undefined
  #base: PlacedItem | undefined

  constructor(deps: FoundationCheckDeps) {
    this.#deps = deps
    this.places = new FoundationPlaces(this.lanes, deps.vectorOf)
    this.#spine = new FoundationSpine({ ...deps, lanes: this.lanes, places: this.places })
  }

  /** How many items are taken in. */
  taken(): number {
    return this.#taken
  }

  /** Takes the next item in. After a problem nothing more is taken. */
  take(item: FoundationItem): Problem | undefined {
    const found = this.#orderProblem(item) ?? this.#take(item)
    if (found === undefined) this.#taken += 1
    return found
  }

  /** There are no more. */
  end(): Result<FoundationEnd, Problem> {
    if (this.#proof === undefined) {
      const base = this.#endPlaces()
      if (base !== undefined) return err(base)
    }
    const root = this.#proof?.root(() => this.#chainEnds(), this.#deps.shownBy)
    if (root === undefined || this.#base === undefined) return err(problem('incomplete', 'there is no base'))
    return root.ok ? ok({ base: this.#base.id, root: root.value }) : root
  }

  #orderProblem({ kind }: FoundationItem): Problem | undefined {
    const hasPlaces = this.places.all.length > 0
    if (this.#spine.isOpen() && kind !== 'closing' && kind !== 'spine') {
      return problem('not_authentic', 'nothing vouches for an unsigned record')
    }
    if (kind === 'ack' || this.#proof === undefined) {
      const isLate = hasPlaces && (kind === 'author' || kind === 'lane')
      return isLate ? problem('out_of_order', 'authors and lanes come before all places') : undefined
    }
    return problem('out_of_order', 'after an ack come acks alone')
  }

  #take(item: FoundationItem): Problem | undefined {
    switch (item.kind) {
      case 'author':
        return this.lanes.takeAuthor(item)
      case 'lane':
        return this.lanes.takeLane(item)
      case 'spine':
        return this.#beginPlaces() ?? this.#spine.take(item, this.#taken)
      case 'closing':
        return this.#spine.close(item, this.#taken)
      case 'anchor':
        if (this.places.all.length === 0) return problem('wrong_store', 'the genesis is not what comes first')
        return this.places.take({ ...item, item: this.#taken, isSpine: false })
      case 'ack':
        return (this.#proof === undefined ? this.#endPlaces() : undefined) ?? this.#proof?.take(item.ack)
    }
  }

  #beginPlaces(): Problem | undefined {
    return this.places.all.length === 0 ? this.lanes.end() : undefined
  }

  /** The last place is the base, and all others are in its past. */
  #endPlaces(): Problem | undefined {
    const [last, record] = [this.places.all.at(-1), this.#spine.last]
    if (last === undefined || record === undefined) return problem('incomplete', 'there are no places')
    if (record.item !== last.item || record.op.kind !== 'epoch')
      return problem('incomplete', 'it does not end with an epoch')
    if (this.#spine.isOpen()) return problem('not_authentic', 'nothing vouches for the base')
    const found = this.#baseProblem(last, record) ?? this.#endsProblem()
    if (found !== undefined) return found
    const required = record.op.value.requiredAcks.flatMap((key) => readPublicKey(key) ?? [])
    this.#proof = new FoundationProof(this.#deps.crypto, { id: record.id, author: record.intention.author, required })
    this.#base = last
    return undefined
  }

  /** Its causes are all here, and its past is where all lanes end. */
  #baseProblem(base: PlacedItem, { intention }: ParsedIntention): Problem | undefined {
    if (isGenesis(intention)) return problem('base_invalid', 'the genesis is no base')
    let generation = 0
    for (const id of [intention.storePrev, ...intention.causalDeps]) {
      const cause = this.places.find(id)
      if (cause === undefined) return problem('incomplete', 'a cause of the base is missing')
      generation = Math.max(generation, cause.generation)
    }
    if (base.generation !== generation + 1) return problem('misplaced', 'the base is not one further than its causes')
    if (!this.#isNumberedLast(base)) return problem('misplaced', 'what begins with the base is not numbered last')
    const past = new Map(this.places.vectorOf(base))
    const isWhole = this.lanes.lanes.every(({ head }, lane) => past.get(lane) === head)
    return isWhole ? undefined : problem('misplaced', 'the past of the base is not where the lanes end')
  }

  /** A lane that begins with the base comes after all others, and so does an author who begins with it. */
  #isNumberedLast({ lane: number, position }: PlacedItem): boolean {
    const { lanes, authors } = this.lanes
    const lane = lanes[number]
    if (lane === undefined || lane.first !== position) return true
    const isNew = !lanes.some(({ author }, other) => other !== number && author === lane.author)
    return number === lanes.length - 1 && (!isNew || lane.author === authors.length - 1)
  }

  #chainEnds(): Hash {
    const { authors, lanes } = this.lanes
    const ending = new Map(lanes.map(({ author, parent, head }, lane) => [lane, { author, parent, last: head }]))
    const ends = endingLanes(ending).flatMap((lane): readonly ChainEnd[] => {
      const [place, author] = [this.places.endOf(lane), authors[lanes[lane]?.author ?? -1]]
      return place === undefined || author === undefined ? [] : [{ ...place, author }]
    })
    return hashChainEnds(this.#deps.crypto, ends)
  }

  #endsProblem(): Problem | undefined {
    const open = this.lanes.lanes.findIndex((_, lane) => this.places.endOf(lane) === undefined)
    return open < 0 ? undefined : problem('incomplete', 'a lane does not end with a place')
  }
}
