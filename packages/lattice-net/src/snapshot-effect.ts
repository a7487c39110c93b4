/**
 * What the coordinator of a snapshot fetch asks its shell to do, and what it tells of itself.
 *
 * @module
 */
import type { IntentionId, PublicKey } from '@lattice/model'
import type { SnapshotRow } from '@lattice/net-types'
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

export type SnapshotEffect =
  /** After a pause, where it was lost before. Answered by `connected`, `gone` or `lost`. */
  | { readonly kind: 'connect'; readonly peer: PublicKey; readonly afterMs: number }
  | { readonly kind: 'ask'; readonly peer: PublicKey; readonly request: SnapshotRequest }
  | { readonly kind: 'write'; readonly work: WriterWork }
  /** The peer sent what it should not have: it is out, and told and scored for it. */
  | { readonly kind: 'bar'; readonly peer: PublicKey; readonly why: string }
  /** Ask for a `tick` then; one at a time. */
  | { readonly kind: 'wake'; readonly afterMs: number }
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
