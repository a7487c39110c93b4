/**
 * What the coordinator of a snapshot fetch asks its shell to do, and what it tells of itself.
 *
 * @module
 */
import type { IntentionId, PublicKey } from '@lattice/model'
import type { SnapshotRow } from '@lattice/net-types'
import type { FetchEffect } from './fetch-effect.ts'
import type { SnapshotRequest } from './snapshot-client.ts'

/** Something for whoever makes the store; answered before the next one, by `done` or `refused`. */
export type WriterWork =
  | { readonly kind: 'begin'; readonly base: IntentionId; readonly peer: PublicKey }
  | { readonly kind: 'items'; readonly items: readonly Uint8Array[] }
  | { readonly kind: 'end_items' }
  | { readonly kind: 'rows'; readonly rows: readonly SnapshotRow[] }
  | { readonly kind: 'drop' }
  | { readonly kind: 'drop_rows' }
  | { readonly kind: 'finish' }

export type SnapshotEffect = FetchEffect<SnapshotRequest> | SnapshotStep

/** What the fetch of a snapshot alone needs. */
export type SnapshotStep =
  | { readonly kind: 'write'; readonly work: WriterWork }
  | { readonly kind: 'done'; readonly base: IntentionId }
  /** Everybody who answered has the whole history: it is to be fetched as such. */
  | { readonly kind: 'unpruned' }
  /** Nobody is left to fetch from. `why`: where that is not the fault of one. */
  | { readonly kind: 'failed'; readonly why: string | undefined }

/** How it goes. */
export interface SnapshotState {
  readonly stage: 'foundation' | 'rows'
  /** Items or rows that are taken in, of about how many. */
  readonly done: number
  readonly total: number
  /** Of items and rows that were taken in. */
  readonly bytes: number
  /** Peers that are fetched from now. */
  readonly peers: number
}
