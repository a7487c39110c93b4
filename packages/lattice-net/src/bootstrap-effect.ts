/**
 * What the coordinator of a bootstrap asks its shell to do, and what it tells of itself.
 *
 * @module
 */
import type { PublicKey, SignedIntention } from '@lattice/model'
import type { FetchEffect } from './fetch-effect.ts'
import type { LogRequest } from './log-client.ts'
import type { BootstrapPosition } from './session-call.ts'

export type BootstrapEffect = FetchEffect<LogRequest> | BootstrapStep

/** What a bootstrap alone needs. */
export type BootstrapStep =
  /** Goes to the store after those before it, which it may not have taken in yet. Answered by `ingested` with its number. */
  | {
      readonly kind: 'ingest'
      readonly number: number
      readonly peer: PublicKey
      readonly intentions: readonly SignedIntention[]
    }
  /** Everything up to the position of the peer's log is durable; answered by `advanced`, one at a time. */
  | { readonly kind: 'advance'; readonly peer: PublicKey; readonly position: BootstrapPosition; readonly total: number }
  | { readonly kind: 'done'; readonly outcome: FetchedStore }
  /** Nobody is left to fetch from. */
  | { readonly kind: 'failed' }

/** What was fetched. */
export interface FetchedStore {
  /** The peer whose log was taken in to its end. */
  readonly peer: PublicKey
  readonly pages: number
  readonly fetched: number
}

/** How it goes. */
export interface BootstrapState {
  /** Peers that are fetched from now. */
  readonly peers: number
  /** Bytes of intentions that the store took in. */
  readonly bytes: number
  /** No more should be read from peers for now; something is on its way to the store. */
  readonly isFull: boolean
}
