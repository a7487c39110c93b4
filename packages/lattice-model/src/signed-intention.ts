/**
 * From signed bytes to a checked intention, and back: the one way in for submit and ingest.
 *
 * Parsing checks everything but the signature, which is the expensive part and is skipped for what is already stored;
 * `verifyParsed` checks that. The id is always computed here, from the bytes, so no id is ever taken on trust.
 *
 * @module
 */
import { assert } from './assert.ts'
import { equalBytes } from './bytes.ts'
import type { Crypto } from './crypto-port.ts'
import { type IntentionId, type PublicKey, SIGNATURE_BYTES, toIntentionId } from './ids.ts'
import { decodeIntention, encodeIntention } from './intention-codec.ts'
import { type Intention, type IntentionError, isGenesis, type SignedIntention } from './intention.ts'
import { err, ok, type Result } from './result.ts'
import { type Signer, verifyTagged } from './signing.ts'
import { decodeUniversalOp, type UniversalOp } from './universal-op.ts'
import { validateIntention } from './validate-intention.ts'

/** An intention that is well-formed and within limits. Whether it is authentic, its run says. */
export interface ParsedIntention extends SignedIntention {
  readonly id: IntentionId
  readonly intention: Intention
  readonly op: UniversalOp
}

const NO_SIGNATURE = new Uint8Array(0)

/** The id of an intention: the hash of its bytes. */
export function intentionId(crypto: Crypto, bytes: Uint8Array): IntentionId {
  return toIntentionId(crypto.blake3(bytes))
}

/** True when a signature is present. An unsigned intention is authentic only by a signed descendant. */
export function isSigned(signed: SignedIntention): boolean {
  return signed.signature.length > 0
}

/** Decodes and checks all but the signature's truth. The result's fields are views of `signed.bytes`. */
export function parseSignedIntention(crypto: Crypto, signed: SignedIntention): Result<ParsedIntention, IntentionError> {
  const { bytes, signature } = signed
  if (signature.length !== 0 && signature.length !== SIGNATURE_BYTES) {
    return err({ code: 'bad_signature_length', bytes: signature.length })
  }
  const decoded = decodeIntention(bytes)
  if (!decoded.ok) return decoded
  const intention = decoded.value
  const op = decodeUniversalOp(intention.ops)
  const valid = validateIntention(intention, op)
  if (!valid.ok) return valid
  if (signature.length === 0 && isGenesis(intention)) return err({ code: 'genesis_unsigned' })
  return ok({ id: intentionId(crypto, bytes), intention, op, bytes, signature })
}

/** True when the intention carries a signature and it is its author's. False for an unsigned one. */
export function verifyParsed(crypto: Crypto, parsed: ParsedIntention): boolean {
  return verifyIntention(crypto, parsed.intention.author, parsed)
}

/** {@link verifyParsed} for a caller that kept only the author, the id and the signature. */
export function verifyIntention(
  crypto: Crypto,
  author: PublicKey,
  { id, signature }: { readonly id: IntentionId; readonly signature: Uint8Array },
): boolean {
  return verifyTagged(crypto, author, { tag: 'lattice/intention/v1', hash: id, signature })
}

/** What {@link signIntention} signs. */
export interface SignIntentionOptions {
  readonly intention: Intention
  /** The decoded `intention.ops`, where the caller has it already. */
  readonly op?: UniversalOp
  /** Signs, which closes the run this intention ends. The genesis, epochs and epoch acks always close. */
  readonly close: boolean
}

/** Encodes an intention of the signer. The caller has checked it by `validateIntention`: an invalid one is a bug. */
export function signIntention(
  crypto: Crypto,
  signer: Signer,
  { intention, op = decodeUniversalOp(intention.ops), close }: SignIntentionOptions,
): ParsedIntention {
  assert(equalBytes(signer.publicKey, intention.author), 'the signer is the author')
  const valid = validateIntention(intention, op)
  assert(valid.ok, 'only a valid intention is signed')
  assert(close || !mustClose(intention, op), 'a genesis, epoch or epoch ack closes its run')

  const bytes = encodeIntention(intention)
  const id = intentionId(crypto, bytes)
  const signature = close ? signer.sign('lattice/intention/v1', id) : NO_SIGNATURE
  return { id, intention, op, bytes, signature }
}

/** True for the intentions that are always signed themselves. */
export function mustClose(intention: Intention, op: UniversalOp): boolean {
  return isGenesis(intention) || op.kind === 'epoch' || op.kind === 'epochAck'
}
