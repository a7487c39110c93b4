/**
 * Port of whoever learns from a foundation that this node was removed from a store.
 *
 * Everything is checked behind it, and nothing of the store that is here changes before the end. A refusal is about what was
 * given; a rejection is a failure of this node.
 *
 * @module
 */
import type { WriterRefused } from './pruned-store-writer.ts'

export interface RemovalProof {
  /** The next items, all or none. After a refusal nothing more may be added. */
  readonly add: (items: readonly Uint8Array[]) => Promise<WriterRefused | undefined>
  /** There are no more: true once the store knows that this node was removed, false where it knows better. */
  readonly end: () => Promise<WriterRefused | boolean>
  /** Drops what did not come to an end. Idempotent. */
  readonly close: () => void
}
