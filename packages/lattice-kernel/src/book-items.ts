/**
 * The records that are in the epoch book, in the order in which they were witnessed.
 *
 * @module
 */
import {
  compareEpochs,
  decodeUniversalOp,
  type IdKey,
  idKey,
  type IntentionId,
  type NumberedEpoch,
  toIntentionId,
  toPublicKey,
  type UniversalOp,
} from '@lattice/model'
import type { EpochFault, MembershipRecord } from '@lattice/store-base'
import type { IntentionMeta, LogEntry } from './log-entry.ts'

export interface BookItem {
  readonly record: MembershipRecord
  readonly meta: IntentionMeta
  /** Why an epoch is none, for ever; undefined for a valid one, and for what is no epoch. */
  readonly fault: EpochFault | undefined
}

/** An intention that is an epoch by its form. */
export interface BookEpoch extends BookItem {
  readonly record: MembershipRecord & { readonly op: Extract<UniversalOp, { kind: 'epoch' }> }
}

/** As `compareEpochs`. */
export function byRank(a: BookEpoch, b: BookEpoch): number {
  return compareEpochs(numbered(a), numbered(b))
}

function numbered({ record }: BookEpoch): NumberedEpoch {
  return { epoch: record.id, seq: record.op.value.seq }
}

export class BookItems {
  readonly all: BookItem[] = []
  readonly epochs: BookEpoch[] = []
  /** Epochs without a fault. */
  readonly valid: BookEpoch[] = []
  readonly #byId = new Map<IdKey, BookItem>()
  readonly #epochSeqs = new Set<number>()

  find(id: IntentionId): BookItem | undefined {
    return this.#byId.get(idKey(id))
  }

  epochOf(id: IntentionId): BookEpoch | undefined {
    const item = this.find(id)
    return item !== undefined && isEpoch(item) ? item : undefined
  }

  isEpoch(seq: number): boolean {
    return this.#epochSeqs.has(seq)
  }

  /** The records that the policy is shown. */
  counting(): readonly BookItem[] {
    return this.all.filter(({ fault }) => fault === undefined)
  }

  add(item: BookItem): void {
    this.all.push(item)
    this.#byId.set(idKey(item.record.id), item)
    if (!isEpoch(item)) return
    this.epochs.push(item)
    this.#epochSeqs.add(item.meta.seq)
    if (item.fault === undefined) this.valid.push(item)
  }

  /** Takes the last one out. */
  takeBack(): void {
    const item = this.all.pop()
    if (item === undefined) return
    this.#byId.delete(idKey(item.record.id))
    this.#epochSeqs.delete(item.meta.seq)
    if (this.epochs.at(-1) === item) this.epochs.pop()
    if (this.valid.at(-1) === item) this.valid.pop()
  }

  clear(): void {
    for (const list of [this.all, this.epochs, this.valid]) list.length = 0
    this.#byId.clear()
    this.#epochSeqs.clear()
  }
}

function isEpoch(item: BookItem): item is BookEpoch {
  return item.record.op.kind === 'epoch'
}

/** A copy: what arrives is a view of a larger buffer, and the book outlives it. */
export function recordOf({ parsed: { id, intention }, meta }: LogEntry): MembershipRecord {
  return {
    id: toIntentionId(id.slice()),
    author: toPublicKey(intention.author.slice()),
    timestamp: meta.timestamp,
    generation: meta.generation,
    op: decodeUniversalOp(intention.ops.slice()),
  }
}
