/**
 * What each frame of a peer makes this node do, beyond reading it.
 *
 * By the claims in the frame, before anything is looked at closer: malformed ones cost what they claim.
 *
 * Pure.
 *
 * @module
 */
import { countAsked } from '@lattice/sync'
import { DIGEST_EXCHANGE_COST, RANGES_PER_FINGERPRINT, RANGES_PER_MESSAGE_MAX } from './defence-limits.ts'
import type { Frame } from './frame.ts'
import {
  FETCH_CHAIN_MAX,
  OUTLINE_PAGES,
  RECONCILE_MESSAGE_BYTES,
  SNAPSHOT_PAGE_ROWS_MAX,
  WITNESS_PAGE_RECORDS_LONG,
} from './limits.ts'

/** Work that is counted apart. */
export type CostlyKind = 'log_reads' | 'ranges' | 'sessions' | 'digests' | 'announced_ids' | 'joins'

export interface FrameCost {
  readonly kind: CostlyKind
  readonly tokens: number
}

/** None for a frame that costs about as much as its bytes. */
export function costsOf(frame: Frame): readonly FrameCost[] {
  switch (frame.case) {
    case 'hello':
      // What it carries of a comparison is answered as a message of its own would be.
      return [
        { kind: 'sessions', tokens: 1 },
        ...(frame.value.reconcile.length > 0 ? [rangesCost(frame.value.reconcile)] : []),
      ]
    case 'witnessPageRequest':
      return [{ kind: 'log_reads', tokens: Math.min(frame.value.limit, WITNESS_PAGE_RECORDS_LONG) }]
    case 'fetchIntentions':
      return [{ kind: 'log_reads', tokens: frame.value.ids.length }]
    case 'fetchChain':
      return [{ kind: 'log_reads', tokens: Math.min(frame.value.limit, FETCH_CHAIN_MAX) }]
    case 'revocationRequest':
      return [
        { kind: 'sessions', tokens: 1 },
        { kind: 'log_reads', tokens: frame.value.known.length },
      ]
    case 'baseRequest':
      return [{ kind: 'sessions', tokens: 1 }]
    case 'foundationRequest':
    case 'snapshotRequest':
      return [{ kind: 'log_reads', tokens: SNAPSHOT_PAGE_ROWS_MAX }]
    case 'outlineRequest':
      return [{ kind: 'log_reads', tokens: OUTLINE_PAGES * SNAPSHOT_PAGE_ROWS_MAX }]
    case 'reconcile':
      return [rangesCost(frame.value.message)]
    case 'digests':
      return [{ kind: 'digests', tokens: DIGEST_EXCHANGE_COST + frame.value.stores.length }]
    case 'ihave':
    case 'graft':
      return [{ kind: 'announced_ids', tokens: frame.value.ids.length }]
    case 'heartbeat':
      return [{ kind: 'announced_ids', tokens: frame.value.stores.length }]
    case 'joinRequest':
      return [{ kind: 'joins', tokens: 1 }]
    default:
      return []
  }
}

function rangesCost(message: Uint8Array): FrameCost {
  return { kind: 'ranges', tokens: rangesAsked(message) }
}

function rangesAsked(message: Uint8Array): number {
  if (message.length > RECONCILE_MESSAGE_BYTES) return 0
  const { fingerprints, lists } = countAsked(message, RANGES_PER_MESSAGE_MAX / RANGES_PER_FINGERPRINT)
  return Math.min(RANGES_PER_MESSAGE_MAX, RANGES_PER_FINGERPRINT * fingerprints + lists)
}
