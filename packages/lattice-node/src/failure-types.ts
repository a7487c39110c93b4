/**
 * Why something is not as it should be, as it is shown.
 *
 * @module
 */
import type { LatticeErrorCode } from '@lattice/model'

export interface StoreFailure {
  readonly code: LatticeErrorCode
  readonly message: string
}
