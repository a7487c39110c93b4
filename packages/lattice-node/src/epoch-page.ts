/**
 * The epochs of a store, a page at a time.
 *
 * @module
 */
import type { EpochPage, EpochPageOptions } from '@lattice/kernel'
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
