/**
 * Who vouches for the state at the base of a foundation: its author and those it names, by the roots they signed.
 *
 * @module
 */
import {
  type Crypto,
  equalBytes,
  err,
  HASH_BYTES,
  type Hash,
  type IdKey,
  idKey,
  isSigned,
  ok,
  parseSignedIntention,
  type PublicKey,
  type Result,
  type SignedIntention,
  toHash,
  toHex,
  verifyParsed,
  ZERO_HASH,
} from '@lattice/model'
import { ROOTS_MAX } from './epoch-acks.ts'
import { agreedRoot } from './epoch-status.ts'
import { type Problem, problem } from './foundation-problem.ts'

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
  readonly #roots = new Map<IdKey, Hash[]>()

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
    if (op.value.stateRoot.length !== HASH_BYTES) return problem('not_a_record', 'an ack says no state')
    const roots = this.#roots.get(idKey(intention.author)) ?? []
    if (roots.length >= ROOTS_MAX) return problem('duplicate', 'a peer acknowledges too often')
    this.#roots.set(idKey(intention.author), [...roots, toHash(op.value.stateRoot.slice())])
    this.#seen.add(idKey(id))
    return undefined
  }

  /**
   * The root that they agree on, see {@link agreedRoot}. Who signed two vouches for none. Where too few have signed it is
   * `ZERO_HASH` if `author` says that it made the epoch: its own word is enough for what takes no state over.
   */
  root(author?: PublicKey): Result<Hash, Problem> {
    const roots = [...this.#roots.values()].flatMap(([first, second]) =>
      first === undefined || (second !== undefined && !equalBytes(first, second)) ? [] : [first],
    )
    const agreed = agreedRoot(roots, this.#epoch.required)
    if (agreed !== undefined) return ok(agreed)
    const isOne = new Set(roots.map(toHex)).size < 2
    if (isOne && author !== undefined && equalBytes(author, this.#epoch.author)) return ok(ZERO_HASH)
    return err(
      isOne
        ? problem('no_quorum', `${roots.length} signed the state at the base, too few: ask another peer, or later`)
        : problem('diverged', 'those who vouch for the base signed different states, none of them most of them'),
    )
  }
}
