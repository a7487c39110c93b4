/**
 * The records of a foundation: whether each is what it is hashed to, signed for, and where its causes put it.
 *
 * @module
 */
import {
  compareHlc,
  type Crypto,
  equalBytes,
  isGenesis,
  isSigned,
  MAX_RUN_LENGTH,
  type ParsedIntention,
  parseSignedIntention,
  type StoreId,
  verifyParsed,
} from '@lattice/model'
import type { MembershipPolicy } from '@lattice/store-base'
import type { FoundationLanes } from './foundation-lanes.ts'
import { type FoundationPlaces, type NewPlace, type PlacedItem, reachesAll } from './foundation-places.ts'
import { firstProblem, type Problem, problem } from './foundation-problem.ts'
import type { FoundationItem, FoundationPlace } from './foundation-types.ts'

export interface SpineDeps {
  readonly storeId: StoreId
  readonly crypto: Crypto
  readonly policy: Pick<MembershipPolicy, 'isRecord'>
  readonly lanes: FoundationLanes
  readonly places: FoundationPlaces
}

/** A run that its signature has not closed yet. */
interface OpenRun {
  readonly last: ParsedIntention
  readonly length: number
}

export class FoundationSpine {
  /** The record taken last. */
  last: (ParsedIntention & { readonly item: number }) | undefined
  readonly #deps: SpineDeps
  #open: OpenRun | undefined

  constructor(deps: SpineDeps) {
    this.#deps = deps
  }

  /** Nothing else may come while this holds. */
  isOpen(): boolean {
    return this.#open !== undefined
  }

  take({ record, place }: Extract<FoundationItem, { kind: 'spine' }>, item: number): Problem | undefined {
    const parsed = parseSignedIntention(this.#deps.crypto, record)
    if (!parsed.ok) return problem('not_a_record', `a record is none: ${parsed.error.code}`)
    const found = this.#kindProblem(parsed.value, place) ?? this.#enter(parsed.value, { place, item, isSpine: true })
    if (found === undefined) this.last = { ...parsed.value, item }
    return found
  }

  /** One more of a run that is open. */
  close({ intention, place }: Extract<FoundationItem, { kind: 'closing' }>, item: number): Problem | undefined {
    if (this.#open === undefined) return problem('out_of_order', 'an intention closes a run that is not open')
    const parsed = parseSignedIntention(this.#deps.crypto, intention)
    if (!parsed.ok) return problem('not_authentic', `what is to close a run is no intention: ${parsed.error.code}`)
    return this.#enter(parsed.value, { place, item, isSpine: false })
  }

  #enter(parsed: ParsedIntention, at: Pick<NewPlace, 'place' | 'item' | 'isSpine'>): Problem | undefined {
    const { lanes, places } = this.#deps
    const { id, intention } = parsed
    const author = lanes.authors[lanes.lanes[at.place.lane]?.author ?? -1]
    if (author !== undefined && !equalBytes(author, intention.author)) {
      return problem('misplaced', "a record stands on another author's lane")
    }
    const found = firstProblem(
      () => this.#runProblem(parsed),
      () => this.#causesProblem(parsed, at),
      () => this.#signatureProblem(parsed),
      () => places.take({ ...at, id, timestamp: intention.timestamp }),
    )
    if (found !== undefined) return found
    this.#open = isSigned(parsed) ? undefined : { last: parsed, length: 1 + (this.#open?.length ?? 0) }
    return undefined
  }

  /** What comes while a run is open goes on with it. */
  #runProblem({ intention }: ParsedIntention): Problem | undefined {
    const run = this.#open
    if (run === undefined) return undefined
    const isNext =
      equalBytes(intention.storePrev, run.last.id) && equalBytes(intention.author, run.last.intention.author)
    const isShort = run.length < MAX_RUN_LENGTH
    return isNext && isShort ? undefined : problem('not_authentic', 'a run is not closed by its own chain')
  }

  #kindProblem({ id, intention, op }: ParsedIntention, { lane, position }: FoundationPlace): Problem | undefined {
    const { storeId, places, policy } = this.#deps
    const isFirst = places.all.length === 0
    if (isFirst !== isGenesis(intention)) return problem('wrong_store', 'the genesis is not what comes first, alone')
    if (isFirst) {
      if (!equalBytes(id, storeId)) return problem('wrong_store', 'the genesis is of another store')
      return lane === 0 && position === 0 ? undefined : problem('misplaced', 'the genesis does not stand first')
    }
    return policy.isRecord(op) ? undefined : problem('not_a_record', 'what is to be a record decides nothing')
  }

  /** Those that have come: what is gone is known to nobody here. */
  #causesProblem(
    { intention }: ParsedIntention,
    { place, isSpine }: Pick<NewPlace, 'place' | 'isSpine'>,
  ): Problem | undefined {
    const { lanes, places } = this.#deps
    if (isGenesis(intention)) return undefined
    const prev = places.find(intention.storePrev)
    if (prev !== undefined && !isNextOf(lanes, prev, place)) {
      return problem('misplaced', 'a record does not stand after what it follows in its chain')
    }
    const past = new Map(place.vector)
    for (const id of [intention.storePrev, ...intention.causalDeps]) {
      const cause = places.find(id)
      if (cause === undefined) continue
      // The past of one that is no record is told as far as may be asked about it.
      const isInPast = !isSpine || (past.get(cause.lane) ?? -1) >= cause.position
      if (!isInPast || (isSpine && cause.isSpine && !reachesAll(place.vector, places.vectorOf(cause)))) {
        return problem('misplaced', 'a record lacks a cause in its past')
      }
      if (cause.generation >= place.generation) return problem('misplaced', 'a record is no further than its cause')
      if (compareHlc(cause.timestamp, intention.timestamp) >= 0) {
        return problem('misplaced', 'a record is no later than its cause')
      }
    }
    return undefined
  }

  #signatureProblem(parsed: ParsedIntention): Problem | undefined {
    if (!isSigned(parsed) || verifyParsed(this.#deps.crypto, parsed)) return undefined
    return problem('not_authentic', 'a signature fails')
  }
}

function isNextOf(lanes: FoundationLanes, prev: PlacedItem, { lane, position }: FoundationPlace): boolean {
  if (position !== prev.position + 1) return false
  const parent = lanes.lanes[lane]?.parent
  return prev.lane === lane || (parent?.lane === prev.lane && parent.position === prev.position)
}
