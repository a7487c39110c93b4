/**
 * What the doctor looks at: facts alone, gathered at one moment.
 *
 * @module
 */
import type { ScrubStatus } from '@lattice/kernel'
import type { NodeAbout } from '../node-types.ts'
import type { StoreSample, Verified } from '../node-health.ts'
import type { NodeSnapshot } from './node-reasons.ts'
import type { StoreSnapshot } from './store-snapshot.ts'

/** A file or directory that only its owner should be able to use. */
export interface PrivatePath {
  readonly path: string
  /** Permission bits; undefined where the system has none, or does not say. */
  readonly mode: number | undefined
}

export interface DoctorSnapshot extends NodeSnapshot {
  readonly nowMs: number
  readonly about: NodeAbout | undefined
  readonly sqliteVersion: string
  readonly dataDir: PrivatePath
  readonly identity: PrivatePath
  readonly transport: string | undefined
  /** Where this node can be reached, in the transport's own notation. */
  readonly addresses: readonly string[]
  /** Peers that say what time it is. */
  readonly clockPeers: number
  readonly stores: readonly StoreHealth[]
  readonly peers: { readonly known: number; readonly online: number }
}

export interface StoreHealth {
  readonly store: StoreSnapshot
  /** Undefined while the store is not in use. */
  readonly open: OpenHealth | undefined
  readonly verified: Verified | undefined
}

export interface OpenHealth {
  readonly now: StoreSample
  /** When the store came into use. */
  readonly before: StoreSample | undefined
  /** Write-ahead logs, which are part of the sizes. */
  readonly walBytes: number
  readonly scrubbed: ScrubStatus | undefined
  readonly forkedAuthors: number
}
