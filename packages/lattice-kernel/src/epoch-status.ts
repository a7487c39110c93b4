/**
 * What there is to know about each epoch: whether it counts, who has seen it, who signed what state at it.
 *
 * @module
 */
import {
  equalBytes,
  type Hlc,
  type IntentionId,
  type PublicKey,
  readIntentionId,
  readPublicKey,
  readStoreId,
  toHex,
} from '@lattice/model'
import { system, type weaver } from '@lattice/proto'
import type { EpochFault, EpochWish } from '@lattice/store-base'
import { countingAcks } from './counting-acks.ts'
import type { Counts } from './epoch-acks.ts'
import type { BookEpoch } from './epoch-book.ts'
import { inOrder } from './epoch-order.ts'
import type { LogStore } from './log-store.ts'
import { requiredOf, type Settlement } from './settlement.ts'
import { agreedState, isDivergence, type SignedState, vouchedState } from './signed-state.ts'
import type { IsUpheld } from './upheld.ts'

/** What an epoch says it is for; `unknown` for what cannot be read. */
export type EpochPurpose = EpochWish | { readonly kind: 'key' } | { readonly kind: 'unknown' }

/** A root of the state at an epoch, with where chains end below it, and who signed it. */
export interface SignedRoot extends SignedState {
  readonly author: PublicKey
}

export interface EpochStatus {
  readonly id: IntentionId
  /** The number it gives itself. */
  readonly seq: bigint
  readonly author: PublicKey
  readonly timestamp: Hlc
  readonly cause: EpochPurpose
  /** Why it has no effect; undefined when it counts. */
  readonly fault: EpochFault | undefined
  /** It counts, and no other that counts follows it. */
  readonly isHead: boolean
  /** Keys it names, those of them that have seen it, and those it still waits for. */
  readonly required: readonly PublicKey[]
  readonly acked: readonly PublicKey[]
  readonly waitingFor: readonly PublicKey[]
  /** Everybody it names who is still active has seen it. */
  readonly isSettled: boolean
  /**
   * By the author and those it names; not what one of them signed beyond a cutoff, nor of one that signed two: whoever
   * contradicts itself vouches for nothing, and shows of nobody else that its state is wrong.
   */
  readonly roots: readonly SignedRoot[]
  /** They signed different states: one of them is wrong. Nothing is cut here while their roots differ. */
  readonly isDiverged: boolean
  /** What lies below it counts as it was known there: no epoch that it had not seen has changed that. */
  readonly isUpheld: boolean
  /** Settled and upheld, and enough of them signed the same state, see {@link agreedState}. */
  readonly isFinal: boolean
  /**
   * Final, or would be had no senior outranked it. Nothing is cut there any more then; where it was, what is gone stays gone,
   * and others go on from there as they would have.
   */
  readonly mayBegin: boolean
}

type StatusLog = Pick<LogStore, 'book' | 'excluded'>

export interface StatusSource {
  readonly log: StatusLog
  readonly settlement: Settlement
  readonly isUpheld: IsUpheld
}

/** Those that count first, and the newest of them: see `epoch-order.ts`. */
export function epochStatuses(source: StatusSource): readonly EpochStatus[] {
  const { book } = source.log
  return statusesOf(source, inOrder(book, book.epochs()))
}

export function statusesOf(source: StatusSource, epochs: readonly BookEpoch[]): readonly EpochStatus[] {
  const heads = new Set(source.log.book.heads().map(toHex))
  const counts = countingAcks(source.log)
  return epochs.map((epoch) => statusOf({ ...source, heads, counts }, epoch))
}

interface StatusDeps extends StatusSource {
  readonly heads: ReadonlySet<string>
  readonly counts: Counts
}

function statusOf({ log, settlement, isUpheld: upheld, heads, counts }: StatusDeps, epoch: BookEpoch): EpochStatus {
  const { id, author, timestamp, op } = epoch.record
  const fault = log.book.view().faultOf(id)
  const required = requiredOf(epoch)
  const isSettled = settlement.isSettled(epoch)
  const isSeen = isSettled || (fault === 'outranked' && settlement.waitingFor(epoch).length === 0)
  const signers = [author, ...required]
  const signed = log.book.acks.of(id, counts).filter((ack) => signers.some((key) => equalBytes(key, ack.author)))
  const roots = signed.flatMap(({ author: by, states }) => {
    const state = vouchedState(states)
    return state === undefined ? [] : [{ author: by, ...state }]
  })
  // Asked of those alone for which it matters: it takes the view of its past.
  const isUpheld = !isSeen || upheld(epoch)
  const mayBegin = isSeen && isUpheld && agreedState(roots, required) !== undefined
  return {
    id,
    seq: op.value.seq,
    author,
    timestamp,
    cause: purposeOf(op.value.cause?.cause),
    fault,
    isHead: heads.has(toHex(id)),
    required,
    acked: required.filter((key) => settlement.hasSeen(epoch, key)),
    waitingFor: fault === undefined ? settlement.waitingFor(epoch) : [],
    isSettled,
    roots,
    isDiverged: isDivergence(roots),
    isUpheld,
    isFinal: isSettled && mayBegin,
    mayBegin,
  }
}

/** What the cause of an epoch says. */
export function purposeOf(cause: weaver.EpochCause['cause'] | undefined): EpochPurpose {
  switch (cause?.case) {
    case 'initial':
      return { kind: 'initial' }
    case 'prune': {
      if (cause.value.below.length === 0) return { kind: 'prune' }
      const below = readIntentionId(cause.value.below)
      return below === undefined ? { kind: 'unknown' } : { kind: 'prune', below }
    }
    case 'key':
      return { kind: 'key' }
    case 'joinOfEpochs':
      return { kind: 'join_of_epochs' }
    case 'membership':
      return { kind: 'membership', removals: cause.value.removals.flatMap(removalOf) }
    case 'parent': {
      const [store, epoch] = [readStoreId(cause.value.store), readIntentionId(cause.value.epoch)]
      return store === undefined || epoch === undefined ? { kind: 'unknown' } : { kind: 'parent', store, epoch }
    }
    case 'setAside':
      return { kind: 'set_aside', epochs: cause.value.epochs.flatMap((id) => readIntentionId(id) ?? []) }
    case undefined:
      return { kind: 'unknown' }
  }
}

function removalOf({ peer: bytes, remains }: weaver.Removal): Extract<EpochWish, { kind: 'membership' }>['removals'] {
  const peer = readPublicKey(bytes)
  if (peer === undefined) return []
  if (remains === system.Role.WRITER) return [{ peer, remains: 'writer' }]
  return [{ peer, remains: remains === system.Role.READER ? 'reader' : 'none' }]
}
