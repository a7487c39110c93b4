/**
 * One key and what becomes of it.
 *
 * @module
 */
import type { KvState } from '@lattice/kvtable'

export interface KeyWrite {
  readonly key: Uint8Array
  readonly state: KvState
}
