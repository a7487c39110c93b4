/**
 * Failures of a kernel's operations.
 *
 * @module
 */
import {
  type IntentionId,
  isLatticeError,
  LatticeError,
  type LatticeErrorCode,
  type StoreId,
  toHex,
} from '@lattice/model'

/** The kernel is closing or closed. Open the store again. */
export class KernelClosed extends LatticeError {
  override readonly name = 'KernelClosed'
  readonly code = 'CLOSED'
  override readonly detail: { readonly storeId: string }

  constructor(storeId: StoreId) {
    super(`store ${shortId(storeId)} is closed: open it again to go on`)
    this.detail = { storeId: toHex(storeId) }
  }
}

/** Why a write was refused before anything was signed. */
export type WriteRefusal =
  /** No admission of this node is known here. */
  | 'NOT_ADMITTED'
  /** An epoch took this node's right to write: what it wrote would count nowhere. */
  | 'REVOKED'
  /** The clock is too far from that of the others. */
  | 'CLOCK_SKEW'
  /** Payload, deps or queue are beyond their limit. */
  | 'LIMIT_EXCEEDED'
  /** The state machine would make it a no-op; `detail.reason` is its word for why. */
  | 'INVALID_ARGUMENT'
  /** The store has no genesis yet. */
  | 'STORE_NOT_READY'
  /** Only an admin of the store makes such an epoch. */
  | 'NOT_ADMIN'
  /** An epoch is about a peer that the store does not have. */
  | 'PEER_NOT_FOUND'
  /** There is nothing for such an epoch to do. */
  | 'WRONG_STATE'
  /** The store is open without knowledge of its peers. */
  | 'NOT_SUPPORTED'

/** A local write was refused. Nothing was written. */
export class WriteRefused extends LatticeError {
  override readonly name = 'WriteRefused'
  readonly code: WriteRefusal
  override readonly detail: Readonly<Record<string, unknown>>

  constructor(code: WriteRefusal, message: string, detail: Readonly<Record<string, unknown>> = {}) {
    super(message)
    this.code = code
    this.detail = detail
  }
}

/**
 * Not all of a `submitMany` was written. The first `detail.written` writes of the input are durable and visible, nothing
 * after them is; `detail.index` is the write that ended it, `cause` is why. Hand over the rest again once that is mended.
 */
export class SubmitStopped extends LatticeError {
  override readonly name = 'SubmitStopped'
  readonly code: LatticeErrorCode
  override readonly detail: Readonly<Record<string, unknown>> & { readonly index: number; readonly written: number }

  constructor(index: number, written: number, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause })
    this.code = isLatticeError(cause) ? cause.code : 'INTERNAL'
    this.detail = { ...(isLatticeError(cause) && cause.detail), index, written }
  }
}

/** The projection stands still, so a write would be made from old state. */
export class ProjectionStalled extends LatticeError {
  override readonly name = 'ProjectionStalled'
  readonly code = 'PROJECTION_STALLED'
  override readonly detail: { readonly seq: number; readonly id: string }

  constructor(seq: number, id: IntentionId, cause: unknown) {
    super(`projection stands at record ${seq}: look at the error, then retry or rebuild the store`, { cause })
    this.detail = { seq, id: toHex(id) }
  }
}

/** More is waiting for this store's writer than it holds. Wait for what is under way, then try again. */
export class WriterBusy extends LatticeError {
  override readonly name = 'WriterBusy'
  readonly code = 'LIMIT_EXCEEDED'
  override readonly detail: { readonly limit: number }

  constructor(what: string, limit: number) {
    super(`${limit} ${what} already wait for this store's writer: wait for them first`)
    this.detail = { limit }
  }
}

/** A question about ancestry would look at too much of the log. Ask about intentions that lie closer together. */
export class WalkTooLong extends LatticeError {
  override readonly name = 'WalkTooLong'
  readonly code = 'LIMIT_EXCEEDED'
  override readonly detail: { readonly limit: number }

  constructor(limit: number) {
    super(`the answer lies more than ${limit} records away: ask about intentions that lie closer together`)
    this.detail = { limit }
  }
}

/** A question names an intention that is not witnessed here: it is unknown, or floats. Sync, then ask again. */
export class UnknownIntention extends LatticeError {
  override readonly name = 'UnknownIntention'
  readonly code = 'INTENTION_NOT_FOUND'
  override readonly detail: { readonly id: string }

  constructor(id: IntentionId) {
    super(`intention ${shortId(id)} is not witnessed in this store: sync it, or look at what floats`)
    this.detail = { id: toHex(id) }
  }
}

/** Another snapshot took the place of the one that was being read. Begin again with the one there is. */
export class SnapshotGone extends LatticeError {
  override readonly name = 'SnapshotGone'
  readonly code = 'SNAPSHOT_GONE'
  override readonly detail: { readonly epoch: string }

  constructor(epoch: IntentionId) {
    super(`the snapshot at epoch ${shortId(epoch)} is not here any more: begin again with the one there is`)
    this.detail = { epoch: toHex(epoch) }
  }
}

/** There is no snapshot, for the reason that the message gives. */
export class SnapshotUnavailable extends LatticeError {
  override readonly name = 'SnapshotUnavailable'
  readonly code = 'WRONG_STATE'
}

/** What counts, and so what state is, is decided by an epoch of a parent store that is not here. Sync that store. */
export class ParentNeeded extends LatticeError {
  override readonly name = 'ParentNeeded'
  readonly code = 'WRONG_STATE'

  constructor() {
    super('an epoch of a parent store that decides what counts is not here: sync that store')
  }
}

/** What is asked about lies below the epoch from which on this node keeps the history. `detail.fromSeq` is the first record. */
export class HistoryPruned extends LatticeError {
  override readonly name = 'HistoryPruned'
  readonly code = 'PRUNED'
  override readonly detail: { readonly epoch: string | undefined; readonly fromSeq: number }

  constructor(epoch: IntentionId | undefined, fromSeq: number) {
    super(`the history before record ${fromSeq} is pruned here: ask for what comes from there on`)
    this.detail = { epoch: epoch && toHex(epoch), fromSeq }
  }
}

const SHORT_ID_DIGITS = 16

/** The first digits of an id, for messages. */
export function shortId(id: Uint8Array): string {
  return toHex(id).slice(0, SHORT_ID_DIGITS)
}
