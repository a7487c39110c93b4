/**
 * Checks what a peer answers to `FetchChain`: a stretch of one author's chain, oldest first, up to the target.
 *
 * Each intention names the one before it, so a stretch that reaches the target is of its chain whoever sends it. After the
 * target comes only what closes its run. An answer without anything is one of a peer that does not have the target.
 *
 * Pure and synchronous.
 *
 * @module
 */
import {
  type Crypto,
  equalBytes,
  type IntentionId,
  isSigned,
  MAX_RUN_LENGTH,
  type ParsedIntention,
  parseSignedIntention,
  type SignedIntention,
} from '@lattice/model'

export type ChainFault = 'chain_broken' | 'chain_too_long' | 'chain_misses_target' | 'chain_malformed' | 'chain_empty'

export interface FetchedChain {
  /** The next frame. Answers what is wrong with it. */
  readonly take: (intentions: readonly SignedIntention[], last: boolean) => ChainFault | undefined
}

/** Starts to check the answer to a request for at most `limit` intentions up to `target`. */
export function createFetchedChain(
  crypto: Crypto,
  { target, limit }: { readonly target: IntentionId; readonly limit: number },
): FetchedChain {
  let before: ParsedIntention | undefined
  let count = 0
  let afterTarget: number | undefined

  function takeOne(signed: SignedIntention): ChainFault | undefined {
    const result = parseSignedIntention(crypto, signed)
    if (!result.ok) return 'chain_malformed'
    const parsed = result.value
    if (before !== undefined && !equalBytes(parsed.intention.storePrev, before.id)) return 'chain_broken'
    count += 1
    if (afterTarget === undefined) {
      if (count > limit) return 'chain_too_long'
      if (equalBytes(parsed.id, target)) afterTarget = 0
    } else {
      afterTarget += 1
      // A run that its signature closed needs nothing more.
      if (afterTarget > MAX_RUN_LENGTH || (before !== undefined && isSigned(before))) return 'chain_too_long'
    }
    before = parsed
    return undefined
  }

  return {
    take: (intentions, last) => {
      if (intentions.length === 0 && !last) return 'chain_empty'
      for (const signed of intentions) {
        const fault = takeOne(signed)
        if (fault !== undefined) return fault
      }
      return last && count > 0 && afterTarget === undefined ? 'chain_misses_target' : undefined
    },
  }
}
