/**
 * What became of one intention that was handed in, in words that the kernel,
 * the network and the interfaces share.
 *
 * @module
 */
import type { IntentionId } from './ids.ts'

/**
 * Why a valid intention waits, in the order in which the rules are checked:
 * its run is not closed, causes are unknown, it is beyond a cutoff of its author's
 * and nothing that counts needs it, its time lies in the future, its author is not
 * admitted yet.
 */
export type FloatReason = 'unsigned' | 'missing_causes' | 'revoked' | 'future' | 'not_admitted'

/** One outcome per intention, in the order they were handed in. */
export type IngestOutcome =
  | { readonly kind: 'witnessed'; readonly id: IntentionId }
  | { readonly kind: 'duplicate'; readonly id: IntentionId }
  | {
      readonly kind: 'floating'
      readonly id: IntentionId
      readonly reason: FloatReason
      /** Causes nobody here has; empty unless the reason is `missing_causes`. */
      readonly missing: readonly IntentionId[]
    }
  /** Dropped and never stored; `code` names the broken rule. Counts against the sender. */
  | { readonly kind: 'invalid'; readonly code: string; readonly id: IntentionId | undefined }
