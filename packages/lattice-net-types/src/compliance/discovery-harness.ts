/**
 * How the cases of discovery reach the adapter under test.
 *
 * @module
 */
import type { PublicKey } from '@lattice/model'
import type { Discovery } from '../discovery.ts'

/** What an adapter's test supplies. */
export interface DiscoveryHarness {
  /** Opens the discovery of node `index`, all on one medium. The same index is open once at a time. */
  readonly open: (index: number) => Promise<Discovery>
  /** The key of node `index`. */
  readonly peer: (index: number) => PublicKey
  /** Two addresses of node `index` that the medium can carry. */
  readonly addresses: (index: number) => readonly [string, string]
  /** Runs a case while the adapter's time passes; needed where time is simulated. */
  readonly during?: (body: () => Promise<void>) => Promise<void>
}
