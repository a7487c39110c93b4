/**
 * Who vouches for the state at the base of a foundation, and for where chains end: its author and those it names.
 *
 * @module
 */
import {
  type Crypto,
  equalBytes,
  err,
  type Hash,
  type IdKey,
  idKey,
  isSigned,
  ok,
  parseSignedIntention,
  type PublicKey,
  type Result,
  type SignedIntention,
  verifyParsed,
  ZERO_HASH,
} from '@lattice/model'
import { type Problem, problem } from './foundation-problem.ts'
import { agreedState, isDivergence, type SignedState, signedStateOf, vouchedState, withState } from './signed-state.ts'

export interface ProvenEpoch {
  readonly id: Uint8Array
  readonly author: PublicKey
  /** The keys it names. */
  readonly required: readonly PublicKey[]
}

export class FoundationProof {
  readonly #crypto: Crypto
  readonly #epoch: ProvenEpoch
  readonly #seen = new Set<IdKey>()
  /** By signer. */
  readonly #states = new Map<IdKey, readonly SignedState[]>()

  constructor(crypto: Crypto, epoch: ProvenEpoch) {
    this.#crypto = crypto
    this.#epoch = epoch
  }

  take(signed: SignedIntention): Problem | undefined {
    const parsed = parseSignedIntention(this.#crypto, signed)
    if (!parsed.ok) return problem('not_a_record', `an ack is none: ${parsed.error.code}`)
    const { id, intention, op } = parsed.value
    if (op.kind !== 'epochAck' || !equalBytes(op.value.epoch, this.#epoch.id)) {
      return problem('not_a_record', 'what is to be an ack says nothing of the base')
    }
    if (this.#seen.has(idKey(id))) return problem('duplicate', 'an ack comes twice')
    const isSigner = [this.#epoch.author, ...this.#epoch.required].some((key) => equalBytes(key, intention.author))
    if (!isSigner) return problem('not_authentic', 'an ack is by one who does not have to vouch')
    if (!isSigned(parsed.value) || !verifyParsed(this.#crypto, parsed.value)) {
      return problem('not_authentic', 'an ack is not signed by its author')
    }
    const state = signedStateOf(op.value)
    if (state === undefined) return problem('not_a_record', 'an ack says no state')
    const states = this.#states.get(idKey(intention.author)) ?? []
    const next = withState(states, state)
    if (next === states) return problem('duplicate', 'a peer acknowledges too often')
    this.#states.set(idKey(intention.author), next)
    this.#seen.add(idKey(id))
    return undefined
  }

  /**
   * The root that they agree on, see {@link agreedState}, where chains end as they say. Who signed two states vouches for
   * none. Where too few have signed it is `ZERO_HASH` if `author` says that it made the epoch: its own word is enough for what
   * takes no state over.
   */
  root(chainEnds: () => Hash, author?: PublicKey): Result<Hash, Problem> {
    const states = [...this.#states.values()].flatMap((each) => vouchedState(each) ?? [])
    const agreed = agreedState(states, this.#epoch.required)
    if (agreed !== undefined) {
      if (equalBytes(agreed.chainEnds, chainEnds())) return ok(agreed.root)
      return err(problem('ends_differ', 'chains do not end where those who vouch for the base say'))
    }
    const isOne = !isDivergence(states)
    if (isOne && author !== undefined && equalBytes(author, this.#epoch.author)) return ok(ZERO_HASH)
    return err(
      isOne
        ? problem('no_quorum', `${states.length} signed the state at the base, too few: ask another peer, or later`)
        : problem('diverged', 'those who vouch for the base signed different states, none of them most of them'),
    )
  }
}
