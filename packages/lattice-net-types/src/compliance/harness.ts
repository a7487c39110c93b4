/**
 * How the cases reach the adapter under test.
 *
 * @module
 */
import type { PublicKey } from '@lattice/model'
import type { Transport } from '../transport.ts'

/** What an adapter's test supplies. */
export interface TransportHarness {
  /** Opens the transport of node `index`. The same index has the same key each time; it is open once at a time. */
  readonly open: (index: number) => Promise<Transport>
  /** A key and addresses in the adapter's notation where nobody answers. */
  readonly nobody: { readonly peer: PublicKey; readonly addresses: readonly string[] }
  /** Runs a case while the adapter's time passes; needed where time is simulated. */
  readonly during?: (body: () => Promise<void>) => Promise<void>
}

/** A rule and its check. */
export interface ComplianceCase {
  readonly name: string
  readonly run: () => Promise<void>
}
