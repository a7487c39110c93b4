/**
 * Reconciliation of one store between two peers, symmetric in what it achieves.
 *
 * Both say what their set adds up to. Equal: both say so and are done. Else the initiator learns the exact difference by
 * Negentropy over a snapshot of each side's witnessed set, asks for what it lacks, and both stream what the other
 * lacks. Each says `Done`, with its digest of that moment, when everything in both directions is durable. "Synced" is
 * said only when those two digests are equal: writes that were made meanwhile, or a difference beyond one session's
 * bound, leave it unsaid, and the next session goes on from there. A session that is cut has lost nothing.
 *
 * @module
 */
import { assert, equalBytes, HASH_BYTES, MAX_RUN_LENGTH, readStoreId, type StoreId } from '@lattice/model'
import type { ReplicaDigest } from '@lattice/net-types'
import type { net } from '@lattice/proto'
import { type Frame, type FrameInit, readCount } from './frame.ts'
import { MAX_DIFFERENCE_IDS } from './limits.ts'
import type { SendOrder } from './send-order.ts'
import type { ClaimedDigest, SessionAnswer, SessionStore } from './session-call.ts'
import { type Effect, type Effects, finish, send, unexpected, violation } from './session.ts'
import { createTransfer, type TransferCounts } from './transfer.ts'

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
}

export function helloFrame(storeId: StoreId, digest: ReplicaDigest): FrameInit {
  return {
    case: 'hello',
    value: {
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
  return storeId === undefined || claim === undefined ? undefined : { storeId, ...claim }
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

/** The last part of a session, the same on both sides: transfer, then `Done` both ways. */
export interface Closing {
  /** What this side sends is known. */
  readonly begin: (order: SendOrder) => Effects<ReconcileOutcome>
  readonly receive: (frame: Frame) => Effects<ReconcileOutcome>
  readonly answered: (answer: SessionAnswer) => Effects<ReconcileOutcome>
}

/** `peerCount` is what the peer says it holds: it can send no more than that. */
export function createClosing(store: SessionStore, peerCount: number): Closing {
  // With each slice come the closers of the runs it cuts, which the next slice has again: at most twice the difference.
  const receiveMax = 2 * Math.min(peerCount, MAX_DIFFERENCE_IDS) + MAX_RUN_LENGTH
  const transfer = createTransfer({ store, receiveMax })
  let ours: ClaimedDigest | undefined
  let theirs: ClaimedDigest | undefined

  /** Says `Done` once all is exchanged, and finishes once the peer said so too. */
  function advance(): Effects<ReconcileOutcome> {
    if (!transfer.complete()) return []
    const effects: Effect<ReconcileOutcome>[] = []
    if (ours === undefined) {
      ours = store.digest()
      effects.push(send(doneFrame(ours)))
    }
    if (theirs !== undefined) {
      effects.push(finish({ storeId: store.id, ...transfer.counts(), synced: sameSet(ours, theirs), theirs }))
    }
    return effects
  }
  function done(frame: net.Done): Effects<ReconcileOutcome> {
    // What the peer knows to be complete is complete here: its credit for us and ours for it came before.
    if (!transfer.complete()) return [violation('done_too_early')]
    theirs = readClaim(frame)
    return theirs === undefined ? [violation('done_malformed')] : advance()
  }
  return {
    begin: (order) => [...transfer.begin(order), ...advance()],
    receive: (frame) => {
      switch (frame.case) {
        case 'intentions':
          return [...transfer.intentions(frame.value), ...advance()]
        case 'ingested':
          return [...transfer.credit(frame.value), ...advance()]
        case 'done':
          return done(frame.value)
        default:
          return [unexpected(frame)]
      }
    },
    answered: (answer) => {
      if (answer.kind === 'ingested') return [...transfer.ingested(answer.outcomes), ...advance()]
      assert(answer.kind === 'loaded', 'a transfer reads and ingests')
      return [...transfer.loaded(answer.read), ...advance()]
    },
  }
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
