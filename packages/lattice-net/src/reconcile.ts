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
 * All of it is about the sets over one base (`bases.ts`), on which the two agree with their `Hello`s: where the initiator
 * begins with another than the answering side can take, that one says its own, and the initiator begins anew over it.
 *
 * @module
 */
import { equalBytes, HASH_BYTES, type NumberedEpoch, readIntentionId, readStoreId, type StoreId } from '@lattice/model'
import type { ChainTip, ReplicaDigest } from '@lattice/net-types'
import type { net } from '@lattice/proto'
import { type FrameInit, readCount } from './frame.ts'
import { readBase } from './session-base.ts'
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
export interface ReadHello {
  readonly storeId: StoreId
  readonly claim: ClaimedDigest
  readonly base: NumberedEpoch | undefined
  readonly tips: readonly ChainTip[] | undefined
  /** The first message of the difference, where one came along. */
  readonly message: Uint8Array | undefined
  /** What is compared is being made, and not what the peer holds. */
  readonly isApart: boolean
}

/** What a `Hello` says beside its digest. */
export interface HelloExtras {
  /** Over which the digest is. */
  readonly base?: NumberedEpoch | undefined
  readonly tipMap?: TipMap | undefined
  readonly message?: Uint8Array | undefined
  readonly isApart?: boolean | undefined
}

export function helloFrame(
  storeId: StoreId,
  digest: ReplicaDigest,
  { base, tipMap, message, isApart }: HelloExtras = {},
): FrameInit {
  return {
    case: 'hello',
    value: {
      ...(tipMap === undefined ? {} : tipMapFields(tipMap)),
      ...(message === undefined ? {} : { reconcile: message }),
      ...(base === undefined ? {} : { base: base.epoch, baseSeq: base.seq }),
      ...(isApart === true ? { apart: true } : {}),
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
  const base = readBase(hello)
  const claim = readClaim(hello)
  const tips = hello.hasTipMap ? readTips(hello.tips) : undefined
  const message = hello.reconcile.length === 0 ? undefined : hello.reconcile
  const isMapBroken = hello.hasTipMap ? tips === undefined || message !== undefined : hello.tips.length > 0
  if (storeId === undefined || claim === undefined || base === 'malformed' || isMapBroken) return undefined
  return { storeId, claim, base, tips, message, isApart: hello.apart }
}

/** Reads what a peer says its set adds up to; undefined when a field is out of its range. */
export function readClaim({ witnessCount, fingerprint, base: bytes }: ClaimFields): ClaimedDigest | undefined {
  const count = readCount(witnessCount)
  const base = bytes === undefined || bytes.length === 0 ? undefined : readIntentionId(bytes)
  const isBaseBroken = base === undefined && (bytes?.length ?? 0) > 0
  if (count === undefined || fingerprint.length !== HASH_BYTES || isBaseBroken) return undefined
  return { witnessCount: count, fingerprint, base }
}

/** A claim as it travels; within a session its base is that of the session. */
interface ClaimFields {
  readonly witnessCount: bigint
  readonly fingerprint: Uint8Array
  readonly base?: Uint8Array
}

/** Reads a claim that may be left out: both fields empty. */
export function readOptionalClaim(frame: ClaimFields): ClaimedDigest | 'malformed' | undefined {
  if (frame.fingerprint.length === 0 && frame.witnessCount === 0n) return undefined
  return readClaim(frame) ?? 'malformed'
}

/** True when two sets are the same, as far as 256 bits tell: over one base, or not compared at all. */
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
