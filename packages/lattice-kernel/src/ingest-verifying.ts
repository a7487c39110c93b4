/**
 * Having the signatures of slices verified elsewhere.
 *
 * @module
 */
import type { Core } from './core.ts'
import type { Candidate, Slice } from './ingest-slice.ts'

export interface Verifying {
  /** Slices that are being verified elsewhere. */
  readonly count: () => number
  /** True when the last slice was worth asking about, and there is somebody to ask. */
  readonly isInUse: () => boolean
  /** Has the signatures of a complete slice verified; a few at once, in place. */
  readonly verify: (slice: Slice) => void
}

/** Fewer signatures than this are not worth asking another thread. */
const MIN_BATCH_SIGNATURES = 8

/** `verifyNow` verifies in place; `onVerified` is told when the answer for a slice is here. */
export function createVerifying(
  { options: { verifier, logger } }: Core,
  verifyNow: (candidate: Candidate) => boolean,
  onVerified: (slice: Slice) => void,
): Verifying {
  let count = 0
  let isInUse = false
  let isFaultTold = false

  async function ask(slice: Slice): Promise<void> {
    try {
      const verdicts = await verifier?.verifyBatch(
        slice.signed.map(({ parsed }) => ({
          author: parsed.intention.author,
          id: parsed.id,
          signature: parsed.signature,
        })),
      )
      for (const [index, candidate] of slice.signed.entries()) candidate.isAuthentic = verdicts?.[index]
    } catch (error) {
      // What nobody answered for is verified in place when it is admitted.
      if (!isFaultTold) logger.warn('verifier failed: signatures are verified in place', { error })
      isFaultTold = true
    }
    count -= 1
    slice.verifying = undefined
    onVerified(slice)
  }

  return {
    count: () => count,
    isInUse: () => isInUse,
    verify: (slice) => {
      isInUse = slice.signed.length >= MIN_BATCH_SIGNATURES
      if (!isInUse) {
        for (const candidate of slice.signed) verifyNow(candidate)
        return
      }
      count += 1
      slice.verifying = ask(slice)
    },
  }
}
