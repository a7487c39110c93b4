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
  type SignedIntention,
  type StoreId,
  verifyParsed,
} from '@lattice/model'
import type { MembershipPolicy } from '@lattice/store-base'
import type { FoundationLanes } from './foundation-lanes.ts'
import { type FoundationPlaces, type PlacedItem, reachesAll } from './foundation-places.ts'
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
    const { crypto, lanes, places } = this.#deps
    const parsed = parseSignedIntention(crypto, record)
    if (!parsed.ok) return problem('not_a_record', `a record is none: ${parsed.error.code}`)
    const { id, intention } = parsed.value
    const author = lanes.authors[lanes.lanes[place.lane]?.author ?? -1]
    if (author !== undefined && !equalBytes(author, intention.author)) {
      return problem('misplaced', "a record stands on another author's lane")
    }
    const found = firstProblem(
      () => this.#kindProblem(parsed.value, place),
      () => this.#causesProblem(parsed.value, place),
      () => this.#signatureProblem(parsed.value),
      () => places.take({ place, id, timestamp: intention.timestamp, item, isSpine: true }),
    )
    if (found !== undefined) return found
    this.last = { ...parsed.value, item }
    if (!isSigned(parsed.value)) this.#open = { last: parsed.value, length: 1 }
    return undefined
  }

  /** One more of the run that the record taken last begins. */
  close(signed: SignedIntention): Problem | undefined {
    const run = this.#open
    if (run === undefined) return problem('out_of_order', 'an intention closes a run that is not open')
    const parsed = parseSignedIntention(this.#deps.crypto, signed)
    if (!parsed.ok) return problem('not_authentic', `what is to close a run is no intention: ${parsed.error.code}`)
    const { intention } = parsed.value
    const isNext =
      equalBytes(intention.storePrev, run.last.id) && equalBytes(intention.author, run.last.intention.author)
    if (!isNext || run.length >= MAX_RUN_LENGTH) return problem('not_authentic', 'a run is not closed by its own chain')
    const found = this.#signatureProblem(parsed.value)
    if (found !== undefined) return found
    this.#open = isSigned(parsed.value) ? undefined : { last: parsed.value, length: run.length + 1 }
    return undefined
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
  #causesProblem(parsed: ParsedIntention, place: FoundationPlace): Problem | undefined {
    const { lanes, places } = this.#deps
    const { intention } = parsed
    if (isGenesis(intention)) return undefined
    const prev = places.find(intention.storePrev)
    if (prev !== undefined && !isNextOf(lanes, prev, place)) {
      return problem('misplaced', 'a record does not stand after what it follows in its chain')
    }
    const past = new Map(place.vector)
    for (const id of [intention.storePrev, ...intention.causalDeps]) {
      const cause = places.find(id)
      if (cause === undefined) continue
      const isInPast = (past.get(cause.lane) ?? -1) >= cause.position
      if (!isInPast || (cause.isSpine && !reachesAll(place.vector, places.vectorOf(cause)))) {
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
