/**
 * Verification of signatures in batches, away from the thread that needs the verdicts.
 *
 * A port, so that where the work is done (threads of the platform, or nowhere else) is the choice of whoever composes the
 * program. Where there is no verifier, signatures are verified in place.
 *
 * @module
 */
import type { IntentionId, PublicKey } from './ids.ts'

/** One signature of an intention, as `verifyIntention` would be asked about it. */
export interface SignatureClaim {
  readonly author: PublicKey
  readonly id: IntentionId
  readonly signature: Uint8Array
}

export interface Verifier {
  /**
   * One verdict per claim, in their order, each the one that `verifyIntention` gives. The bytes of the claims are read
   * before it returns. Never rejects for what a claim holds.
   */
  readonly verifyBatch: (claims: readonly SignatureClaim[]) => Promise<readonly boolean[]>
}
