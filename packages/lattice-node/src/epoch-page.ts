/**
 * The epochs of a store, a page at a time, and the one that is waited for.
 *
 * @module
 */
import type { EpochPage, EpochPageOptions, EpochStatus } from '@lattice/kernel'
import { InvalidArgument } from '@lattice/store-base'
import type { OpenStore } from './open-store.ts'

export function epochPageOf({ kernel }: Pick<OpenStore, 'kernel'>, options: EpochPageOptions): EpochPage {
  const page = kernel.epochPage(options)
  if (page === undefined) {
    throw new InvalidArgument(
      'the page goes on after an epoch that the store does not have: list from the first page',
      {},
    )
  }
  return page
}

/** The newest that counts, which speaks for those before it; undefined where there is none, or it is settled. */
export function unsettledEpoch({ kernel }: Pick<OpenStore, 'kernel'>): EpochStatus | undefined {
  const newest = kernel.epochPage({ limit: 1 })?.epochs[0]
  return newest?.fault === undefined && newest?.isSettled === false ? newest : undefined
}
