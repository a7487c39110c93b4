/**
 * Runs: what one signature vouches for.
 *
 * `store_prev` makes an author's intentions a hash chain. A valid signature on one of them therefore vouches for every
 * ancestor reached by `store_prev` alone through intentions of the same author, back to the previous signature. The chain
 * ends at a signed intention, at the genesis, at another author's intention, or after {@link MAX_RUN_LENGTH}: whoever
 * signs closes what a run may hold, so that nobody can make a node walk further.
 *
 * @module
 */
import type { Crypto } from './crypto-port.ts'
import { equalBytes } from './bytes.ts'
import { type IdKey, idKey, type IntentionId } from './ids.ts'
import { isGenesis } from './intention.ts'
import { MAX_RUN_LENGTH } from './limits.ts'
import { err, ok, type Result } from './result.ts'
import { isSigned, type ParsedIntention, verifyParsed } from './signed-intention.ts'

/** Why a list is not a run. */
export type RunError =
  | { readonly code: 'run_empty' }
  | { readonly code: 'run_too_long'; readonly length: number; readonly limit: number }
  | { readonly code: 'run_not_chained'; readonly index: number }
  | { readonly code: 'run_signed_inside'; readonly index: number }
  | { readonly code: 'run_not_closed' }
  | { readonly code: 'run_bad_signature' }

/**
 * Checks one run, oldest first: one author, each the `store_prev` of the next, and only the last signed, by that author.
 * Its value is the ids that are thereby authentic, in the order given.
 */
export function verifyRun(crypto: Crypto, run: readonly ParsedIntention[]): Result<readonly IntentionId[], RunError> {
  const closer = run.at(-1)
  if (closer === undefined) return err({ code: 'run_empty' })
  if (run.length > MAX_RUN_LENGTH) return err({ code: 'run_too_long', length: run.length, limit: MAX_RUN_LENGTH })
  for (let index = 0; index < run.length - 1; index += 1) {
    const [older, newer] = [run[index], run[index + 1]]
    if (older === undefined || newer === undefined || !isLink(older, newer)) {
      return err({ code: 'run_not_chained', index: index + 1 })
    }
    if (isSigned(older)) return err({ code: 'run_signed_inside', index })
  }
  if (!isSigned(closer)) return err({ code: 'run_not_closed' })
  if (!verifyParsed(crypto, closer)) return err({ code: 'run_bad_signature' })
  return ok(run.map((parsed) => parsed.id))
}

/**
 * The unsigned intentions that `closer` makes authentic, newest first, without itself; `closer`'s own signature has been
 * verified. `lookup` finds an intention by id among all that are known: an unknown one ends the walk, and is closed when
 * it arrives.
 */
export function closedBy(
  closer: ParsedIntention,
  lookup: (id: IdKey) => ParsedIntention | undefined,
): readonly ParsedIntention[] {
  const closed: ParsedIntention[] = []
  let newer = closer
  while (closed.length < MAX_RUN_LENGTH - 1 && !isGenesis(newer.intention)) {
    const older = lookup(idKey(newer.intention.storePrev))
    if (older === undefined || isSigned(older) || !isLink(older, newer)) break
    closed.push(older)
    newer = older
  }
  return closed
}

function isLink(older: ParsedIntention, newer: ParsedIntention): boolean {
  return equalBytes(older.intention.author, newer.intention.author) && equalBytes(older.id, newer.intention.storePrev)
}
