/**
 * Reconciliation of one store between two peers, symmetric in what it achieves.
 *
 * Both say what their set adds up to. Equal: both say so and are done. Else, where neither has a fork or many authors,
 * their tip maps travel with that: both know the exact difference at once and stream what the other lacks. Otherwise, or
 * where the maps do not fit, the initiator learns the difference by Negentropy and asks for what it lacks. Each says
 * `Done`, with its digest of that moment, when everything in both directions is durable. "Synced" is said only when those
 * two digests are equal: writes that were made meanwhile, or a difference beyond one session's bound, leave it unsaid,
 * and the next session goes on from there. A session that is cut has lost nothing.
 *
 * @module
 */
import { equalBytes, HASH_BYTES, readStoreId, type StoreId } from '@lattice/model'
import type { ChainTip, ReplicaDigest } from '@lattice/net-types'
import type { net } from '@lattice/proto'
import { type FrameInit, readCount } from './frame.ts'
import type { ClaimedDigest } from './session-call.ts'
import { readTips, type TipMap, tipMapFields } from './tip-map.ts'
import type { TransferCounts } from './transfer.ts'

/** What a session came to. */
export interface ReconcileOutcome extends TransferCounts {
  readonly storeId: StoreId
  /** Both sides ended with equal digests. */
  readonly synced: boolean
  /** What the peer said at the end that it holds. */
  readonly theirs: ClaimedDigest
}

/** A `Hello` that holds together. */
export interface ReadHello extends ClaimedDigest {
  readonly storeId: StoreId
  readonly tips: readonly ChainTip[] | undefined
  /** The first message of the difference, where one came along. */
  readonly message: Uint8Array | undefined
}

/** What a `Hello` says beside its digest. */
export interface HelloExtras {
  readonly tipMap?: TipMap | undefined
  readonly message?: Uint8Array | undefined
}

export function helloFrame(storeId: StoreId, digest: ReplicaDigest, { tipMap, message }: HelloExtras = {}): FrameInit {
  return {
    case: 'hello',
    value: {
      ...(tipMap === undefined ? {} : tipMapFields(tipMap)),
      ...(message === undefined ? {} : { reconcile: message }),
      storeId,
      witnessCount: BigInt(digest.witnessCount),
      fingerprint: digest.fingerprint,
      epochHeads: [...digest.epochHeads],
      settledSeq: BigInt(digest.settledSeq),
      tipsDigest: digest.tipsDigest,
    },
  }
}

/** Reads a `Hello`; undefined when a field is out of its range. */
export function readHello(hello: net.Hello): ReadHello | undefined {
  const storeId = readStoreId(hello.storeId)
  const claim = readClaim(hello)
  const tips = hello.hasTipMap ? readTips(hello.tips) : undefined
  const message = hello.reconcile.length === 0 ? undefined : hello.reconcile
  const isMapBroken = hello.hasTipMap ? tips === undefined || message !== undefined : hello.tips.length > 0
  if (storeId === undefined || claim === undefined || isMapBroken) return undefined
  return { storeId, ...claim, tips, message }
}

/** Reads what a peer says its set adds up to; undefined when a field is out of its range. */
export function readClaim({
  witnessCount,
  fingerprint,
}: {
  readonly witnessCount: bigint
  readonly fingerprint: Uint8Array
}): ClaimedDigest | undefined {
  const count = readCount(witnessCount)
  if (count === undefined || fingerprint.length !== HASH_BYTES) return undefined
  return { witnessCount: count, fingerprint }
}

/** Reads a claim that may be left out: both fields empty. */
export function readOptionalClaim(frame: Parameters<typeof readClaim>[0]): ClaimedDigest | 'malformed' | undefined {
  if (frame.fingerprint.length === 0 && frame.witnessCount === 0n) return undefined
  return readClaim(frame) ?? 'malformed'
}

/** True when two sets are the same, as far as 256 bits tell. */
export function sameSet(a: ClaimedDigest, b: ClaimedDigest): boolean {
  return a.witnessCount === b.witnessCount && equalBytes(a.fingerprint, b.fingerprint)
}

export function doneFrame(digest: ClaimedDigest): FrameInit {
  return {
    case: 'done',
    value: { witnessCount: BigInt(digest.witnessCount), fingerprint: digest.fingerprint },
  }
}

/** The outcome of a session in which both sides held the same from the start, unless the peer's `Done` takes it back. */
export function nothingToDo(storeId: StoreId, ours: ClaimedDigest, theirs: ClaimedDigest): ReconcileOutcome {
  const counts = { sent: 0, received: 0, witnessed: 0, floating: 0, invalid: 0 }
  return { storeId, ...counts, synced: sameSet(ours, theirs), theirs }
}
