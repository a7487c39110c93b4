/**
 * What of a store counts for nothing, a page at a time.
 *
 * @module
 */
import type { ExcludedIntention, Kernel } from '@lattice/kernel'
import type { IntentionId } from '@lattice/model'
import { InvalidArgument } from '@lattice/store-base'

export interface ExcludedPageOptions {
  readonly limit: number
  /** `next` of the page before; absent: from the first on. */
  readonly after?: IntentionId
}

/** Chain by chain. */
export interface ExcludedPage {
  readonly entries: readonly ExcludedIntention[]
  /** Where the next page goes on; undefined on the last. */
  readonly next: IntentionId | undefined
}

export function excludedPageOf(
  { kernel }: { readonly kernel: Pick<Kernel, 'get' | 'excluded'> },
  { limit, after }: ExcludedPageOptions,
): ExcludedPage {
  if (after !== undefined && kernel.get(after) === undefined) {
    throw new InvalidArgument(
      'the page goes on after an intention that the store does not have: list from the first page',
      {},
    )
  }
  // Asked for one more: whether there is a next page is told.
  const found = kernel.excluded(limit + 1, after)
  const entries = found.slice(0, limit)
  return { entries, next: found.length > limit ? entries.at(-1)?.id : undefined }
}
