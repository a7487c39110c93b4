/**
 * Proof that an author forked: two of its intentions follow the same one.
 *
 * An intention need not carry a signature of its own, so a proof holds what makes each of the two authentic: the run from
 * it, by `store_prev`, to the first signed one. Ids are hashes of bytes and links are ids, so that signature vouches for
 * every member. Whoever has the proof needs nothing else: no log, no store, no trust in who sent it. Nor can it be made of
 * an author that did not fork: the two differ, one key signed for both, and `store_prev` names one place in one store.
 * Geneses are no fork: they follow nothing, and an author may make as many stores as it likes.
 *
 * Pure.
 *
 * @module
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { weaver } from '@lattice/proto'
import { compareBytes, equalBytes } from './bytes.ts'
import type { Crypto } from './crypto-port.ts'
import { type IntentionId, type PublicKey, toIntentionId } from './ids.ts'
import { type IntentionError, isGenesis, type SignedIntention } from './intention.ts'
import { MAX_RUN_LENGTH } from './limits.ts'
import { err, ok, type Result } from './result.ts'
import { type RunError, verifyRun } from './run.ts'
import { type ParsedIntention, parseSignedIntention } from './signed-intention.ts'

/** Evidence of a fork, in the form of disk and wire. */
export interface ForkProof {
  /** From the one with the smaller id to the intention that vouches for it; that one alone when it is signed itself. */
  readonly first: readonly SignedIntention[]
  readonly second: readonly SignedIntention[]
}

/** What a proof that holds shows. */
export interface ProvenFork {
  readonly author: PublicKey
  /** What both follow. */
  readonly storePrev: IntentionId
  /** Ascending. */
  readonly ids: readonly [IntentionId, IntentionId]
}

/** Why bytes or branches are no proof. */
export type ForkProofError =
  | { readonly code: 'fork_proof_malformed' }
  | { readonly code: 'fork_proof_intention_invalid'; readonly error: IntentionError }
  | { readonly code: 'fork_proof_not_authentic'; readonly error: RunError }
  | { readonly code: 'fork_proof_of_geneses' }
  | { readonly code: 'fork_proof_two_authors' }
  | { readonly code: 'fork_proof_two_parents' }
  | { readonly code: 'fork_proof_not_ordered' }

/** The proof of two branches, each from one of the forked intentions to what vouches for it. */
export function createForkProof(
  a: readonly [ParsedIntention, ...ParsedIntention[]],
  b: readonly [ParsedIntention, ...ParsedIntention[]],
): ForkProof {
  const [first, second] = compareBytes(a[0].id, b[0].id) < 0 ? [a, b] : [b, a]
  const signed = (branch: readonly ParsedIntention[]): SignedIntention[] =>
    branch.map(({ bytes, signature }) => ({ bytes, signature }))
  return { first: signed(first), second: signed(second) }
}

/** Checks everything a proof claims. */
export function verifyForkProof(crypto: Crypto, { first, second }: ForkProof): Result<ProvenFork, ForkProofError> {
  const left = checkBranch(crypto, first)
  if (!left.ok) return left
  const right = checkBranch(crypto, second)
  if (!right.ok) return right
  const [a, b] = [left.value, right.value]
  if (isGenesis(a.intention) || isGenesis(b.intention)) return err({ code: 'fork_proof_of_geneses' })
  const { author, storePrev } = a.intention
  if (!equalBytes(author, b.intention.author)) return err({ code: 'fork_proof_two_authors' })
  if (!equalBytes(storePrev, b.intention.storePrev)) return err({ code: 'fork_proof_two_parents' })
  // Equal ids are one intention, which is no fork.
  if (compareBytes(a.id, b.id) >= 0) return err({ code: 'fork_proof_not_ordered' })
  return ok({ author, storePrev: toIntentionId(storePrev), ids: [a.id, b.id] })
}

/** The intention a branch begins with, once the branch is known to be authentic. */
function checkBranch(crypto: Crypto, branch: readonly SignedIntention[]): Result<ParsedIntention, ForkProofError> {
  const run: ParsedIntention[] = []
  // Hashed only as far as a run may go; one more shows that it is longer.
  for (const signed of branch.slice(0, MAX_RUN_LENGTH + 1)) {
    const parsed = parseSignedIntention(crypto, signed)
    if (!parsed.ok) return err({ code: 'fork_proof_intention_invalid', error: parsed.error })
    run.push(parsed.value)
  }
  const verified = verifyRun(crypto, run)
  if (!verified.ok) return err({ code: 'fork_proof_not_authentic', error: verified.error })
  const [start] = run
  return start === undefined ? err({ code: 'fork_proof_malformed' }) : ok(start)
}

export function encodeForkProof({ first, second }: ForkProof): Uint8Array {
  const branch = (signed: readonly SignedIntention[]): { intention: Uint8Array; signature: Uint8Array }[] =>
    signed.map(({ bytes, signature }) => ({ intention: bytes, signature }))
  return toBinary(
    weaver.ForkProofSchema,
    create(weaver.ForkProofSchema, { first: branch(first), second: branch(second) }),
  )
}

/** Decodes exactly the encoder's output; whether the proof holds is `verifyForkProof`'s to say. */
export function decodeForkProof(bytes: Uint8Array): Result<ForkProof, ForkProofError> {
  try {
    const { first, second } = fromBinary(weaver.ForkProofSchema, bytes)
    const branch = (messages: readonly weaver.SignedIntention[]): SignedIntention[] =>
      messages.map(({ intention, signature }) => ({ bytes: intention, signature }))
    const proof: ForkProof = { first: branch(first), second: branch(second) }
    return equalBytes(encodeForkProof(proof), bytes) ? ok(proof) : err({ code: 'fork_proof_malformed' })
  } catch {
    return err({ code: 'fork_proof_malformed' })
  }
}
