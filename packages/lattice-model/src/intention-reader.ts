/**
 * Parses intentions of others once, however many layers look at them.
 *
 * The layer that receives an intention parses it to check what a peer answered; the one that keeps it has to know that it
 * is parsed, too, and must not take anybody's word. What a reader answers is marked by a private field, which only this
 * module can set and only after hashing the bytes, so within one process the mark is the proof: a reader that is given such
 * an intention answers it as it is. Its bytes are a copy of its own, so it keeps no frame in memory and nobody else can
 * write to what was hashed.
 *
 * @module
 */
import { createByteSlab } from './byte-slab.ts'
import type { Crypto } from './crypto-port.ts'
import type { IntentionError, SignedIntention } from './intention.ts'
import { ok, type Result } from './result.ts'
import { type ParsedIntention, parseSignedIntention } from './signed-intention.ts'

/** As {@link parseSignedIntention}, with bytes of its own. One that a reader answered before is answered again. */
export type IntentionReader = (signed: SignedIntention) => Result<ParsedIntention, IntentionError>

const NO_BYTES = new Uint8Array(0)

class ReadIntention implements ParsedIntention {
  // oxlint-disable-next-line no-unused-private-class-members -- That it is there is what `is` asks.
  readonly #isRead = true
  readonly id: ParsedIntention['id']
  readonly intention: ParsedIntention['intention']
  readonly op: ParsedIntention['op']
  readonly bytes: Uint8Array
  readonly signature: Uint8Array

  constructor({ id, intention, op, bytes, signature }: ParsedIntention) {
    this.id = id
    this.intention = intention
    this.op = op
    this.bytes = bytes
    this.signature = signature
  }
  static is(signed: SignedIntention): signed is ReadIntention {
    return #isRead in signed
  }
}

/** Starts a reader. What it copies lies in buffers of some kilobytes, which live as long as any intention in them. */
export function createIntentionReader(crypto: Crypto): IntentionReader {
  const copy = createByteSlab()
  return (signed) => {
    if (ReadIntention.is(signed)) return ok(signed)
    const { bytes, signature } = signed
    const own = { bytes: copy(bytes), signature: signature.length === 0 ? NO_BYTES : copy(signature) }
    const parsed = parseSignedIntention(crypto, own)
    return parsed.ok ? ok(new ReadIntention(parsed.value)) : parsed
  }
}
