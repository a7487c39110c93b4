/**
 * The records of a log that decide about membership, and the epochs among them.
 *
 * What a record means is the policy's to say; the book finds the records, keeps their causal order at hand, and asks once
 * for each epoch whether it is one: by its own past alone, so the answer is the same on every node and never changes. One
 * that is none has no effect, so the policy is not shown it again. What all records together come to is asked for when it
 * is wanted, and remembered until a record comes.
 *
 * Records are few. Memory and opening follow their number, never that of intentions; a log that was written without a
 * policy is read through once.
 *
 * @module
 */
import {
  assert,
  compareBytes,
  decodeUniversalOp,
  type IdKey,
  idKey,
  type IntentionId,
  toIntentionId,
  toPublicKey,
} from '@lattice/model'
import type {
  EpochFault,
  MembershipHistory,
  MembershipPolicy,
  MembershipRecord,
  MembershipView,
} from '@lattice/store-base'
import { type Database, LogDamaged } from '@lattice/storage'
import { createEpochAcks, type EpochAcks } from './epoch-acks.ts'
import { type BookRow, type BookRows, createEpochRows } from './epoch-rows.ts'
import { historyOf, NOBODY_KNOWN, type RecordPlaces, createRecordOrder } from './membership-history.ts'
import type { FindMeta } from './lane-book.ts'
import type { IntentionMeta, LogEntry } from './log-entry.ts'
import type { LogIndex } from './log-index.ts'
import type { LogReader } from './log-reader.ts'
import type { LogReach } from './reach-log.ts'

/** An intention that is an epoch by its form. */
export interface BookEpoch {
  readonly record: MembershipRecord & { readonly op: Extract<MembershipRecord['op'], { kind: 'epoch' }> }
  readonly meta: IntentionMeta
  /** Why it is none, for ever; undefined for a valid one. */
  readonly fault: EpochFault | undefined
}

export interface EpochBook extends LogIndex {
  /** All records but epochs that are none. */
  readonly history: () => MembershipHistory
  /** Those of the history that `isInPast` has. */
  readonly historyWithin: (isInPast: (place: IntentionMeta) => boolean) => MembershipHistory
  /** What all records come to; nothing counts where there is no policy. */
  readonly view: () => MembershipView
  /** What the policy draws on beside the records is another: the view is made anew when it is wanted. */
  readonly forgetView: () => void
  /** Changes when the view may. */
  readonly version: () => number
  /** In the order in which they were witnessed, those that are none included. */
  readonly epochs: () => readonly BookEpoch[]
  /** The valid ones. */
  readonly valid: () => readonly BookEpoch[]
  /** True for the seq of an epoch, valid or not. */
  readonly isEpoch: (seq: number) => boolean
  readonly epochOf: (id: IntentionId) => BookEpoch | undefined
  /** Epochs that count and are not in the past of another that does. Sorted. */
  readonly heads: () => readonly IntentionId[]
  /** The seq of the valid epoch witnessed last, 0 without one: nothing later lies below an epoch. */
  readonly lastSeq: () => number
  /** True when `a` is in the past of `b`: of an epoch, or another record, it costs a look-up in memory. */
  readonly isBefore: (a: IntentionMeta, b: IntentionMeta) => boolean
  readonly acks: Pick<EpochAcks, 'of' | 'by'>
  /** What is kept of the records, as it goes to disk. */
  readonly rows: () => BookRows
}

export interface EpochBookDeps {
  readonly database: Database
  readonly reader: Pick<LogReader, 'at' | 'from'>
  readonly find: FindMeta
  readonly reach: Pick<LogReach, 'vectorOf' | 'isAncestor'>
  readonly policy: MembershipPolicy | undefined
}

interface BookItem {
  readonly record: MembershipRecord
  readonly meta: IntentionMeta
  readonly fault: EpochFault | undefined
}

/** What an epoch is called by its own past alone. The rest depends on what else there is. */
const FOR_EVER: ReadonlySet<EpochFault> = new Set<EpochFault>([
  'seq_wrong',
  'required_acks_wrong',
  'removals_malformed',
  'not_entitled',
])
/** Records read at once from a log whose book is behind. */
const PAGE = 256

export function createEpochBook({ database, reader, find, reach, policy }: EpochBookDeps): EpochBook {
  const rows = createEpochRows(database)
  const items: BookItem[] = []
  const epochs: BookEpoch[] = []
  const valid: BookEpoch[] = []
  const epochSeqs = new Set<number>()
  const byId = new Map<IdKey, BookItem>()
  const places: RecordPlaces = { find: (id) => byId.get(idKey(id))?.meta ?? find(id) }
  const order = createRecordOrder(places, reach)
  const acks = createEpochAcks({ epochOf, isBefore: (a, b) => reach.isAncestor(a, b) })
  /** Items and acks on disk, and the last record of the log that was looked at. */
  let [stored, storedAcks, upto, storedUpto] = [0, 0, 0, 0]
  let version = 0
  let derived: Derived | undefined

  function changed(): void {
    derived = undefined
    version += 1
  }

  function push(item: BookItem): void {
    items.push(item)
    byId.set(idKey(item.record.id), item)
    if (isEpoch(item)) {
      epochs.push(item)
      epochSeqs.add(item.meta.seq)
      if (item.fault === undefined) valid.push(item)
    }
    changed()
  }

  function pop(): void {
    const item = items.pop()
    if (item === undefined) return
    byId.delete(idKey(item.record.id))
    order.forget(item.meta.seq)
    epochSeqs.delete(item.meta.seq)
    if (epochs.at(-1) === item) epochs.pop()
    if (valid.at(-1) === item) valid.pop()
    changed()
  }

  /** Whether it is an epoch, by the records in its past. */
  function judge(record: MembershipRecord, meta: IntentionMeta): EpochFault | undefined {
    if (policy === undefined || record.op.kind !== 'epoch') return undefined
    const past = items.filter(({ fault, meta: other }) => fault === undefined && order.isBefore(other, meta))
    const fault = policy.resolve(historyOf([...past, { record, meta }], order)).faultOf(record.id)
    return fault !== undefined && FOR_EVER.has(fault) ? fault : undefined
  }

  function follow(entry: LogEntry): void {
    upto = entry.meta.seq
    const { meta, parsed } = entry
    if (policy !== undefined) acks.follow(entry)
    if (policy === undefined || parsed.op.kind === 'appData' || !policy.isRecord(parsed.op)) return
    const record = recordOf(entry)
    push({ record, meta, fault: judge(record, meta) })
  }

  function read({ seq, fault }: BookRow): void {
    const entry = recordAt(seq)
    const known = [...FOR_EVER].find((each) => each === fault)
    if (known !== (fault ?? undefined)) throw damaged(seq)
    push({ record: recordOf(entry), meta: entry.meta, fault: known })
  }

  function recordAt(seq: number): LogEntry {
    const entry = reader.at(seq)
    if (entry === undefined) throw damaged(seq)
    return entry
  }

  function damaged(seq: number): LogDamaged {
    return new LogDamaged(database.path, { record: `entry ${seq} of the epoch book`, problem: 'it is not one' })
  }

  function epochOf(id: IntentionId): BookEpoch | undefined {
    const item = byId.get(idKey(id))
    return item !== undefined && isEpoch(item) ? item : undefined
  }

  function load(): void {
    for (const list of [items, epochs, valid]) list.length = 0
    byId.clear()
    epochSeqs.clear()
    order.clear()
    acks.clear()
    changed()
    const { bookSeq, headSeq } = rows.read()
    storedUpto = bookSeq
    upto = headSeq
    ;[stored, storedAcks] = [0, 0]
    if (policy === undefined) return
    const onDisk = rows.all()
    for (const row of onDisk.records) read(row)
    for (const seq of onDisk.acks) acks.follow(recordAt(seq))
    ;[stored, storedAcks] = [items.length, acks.seqs().length]
    for (let next = bookSeq + 1; next <= headSeq; next += PAGE) {
      for (const entry of reader.from(next, Math.min(PAGE, headSeq - next + 1))) follow(entry)
    }
  }

  function derive(): Derived {
    if (derived !== undefined) return derived
    const counting = items.filter(({ fault }) => fault === undefined)
    const history = historyOf(counting, order)
    const view = policy === undefined ? NOBODY_KNOWN : policy.resolve(history)
    const heads = maximalEpochs(
      valid.filter(({ record }) => view.faultOf(record.id) === undefined),
      order.isBefore,
    )
    derived = {
      history,
      view: withFaults(view, (id) => byId.get(idKey(id))?.fault),
      heads: heads.map(({ record }) => record.id).sort(compareBytes),
    }
    return derived
  }

  return {
    history: () => derive().history,
    historyWithin: (isInPast) =>
      historyOf(
        items.filter(({ fault, meta }) => fault === undefined && isInPast(meta)),
        order,
      ),
    view: () => derive().view,
    forgetView: changed,
    version: () => version,
    epochs: () => epochs,
    valid: () => valid,
    isEpoch: (seq) => epochSeqs.has(seq),
    epochOf,
    acks,
    // Without epochs nobody needs to ask what the records come to.
    heads: () => (valid.length === 0 ? [] : derive().heads),
    lastSeq: () => valid.at(-1)?.meta.seq ?? 0,
    isBefore: order.isBefore,
    rows: () => ({ records: items.map(rowOf), acks: acks.seqs() }),
    advance: follow,
    retreat: ({ meta }) => {
      upto = meta.seq - 1
      acks.retreat(meta.seq)
      if (items.at(-1)?.meta.seq !== meta.seq) return
      assert(items.length > stored, 'what is taken back is not on disk')
      pop()
    },
    checkpoint: () => {
      if (policy === undefined) return
      rows.write({ records: items.slice(stored).map(rowOf), acks: acks.seqs().slice(storedAcks) }, upto)
      ;[stored, storedAcks] = [items.length, acks.seqs().length]
      storedUpto = upto
    },
    load,
    isBehind: () => policy !== undefined && storedUpto < upto,
  }
}

interface Derived {
  readonly history: MembershipHistory
  readonly view: MembershipView
  readonly heads: readonly IntentionId[]
}

function isEpoch(item: BookItem): item is BookEpoch {
  return item.record.op.kind === 'epoch'
}

function rowOf({ meta, fault }: BookItem): BookRow {
  return { seq: meta.seq, fault: fault ?? null }
}

/** A copy: what arrives is a view of a larger buffer, and the book outlives it. */
function recordOf({ parsed: { id, intention }, meta }: LogEntry): MembershipRecord {
  return {
    id: toIntentionId(id.slice()),
    author: toPublicKey(intention.author.slice()),
    timestamp: meta.timestamp,
    generation: meta.generation,
    op: decodeUniversalOp(intention.ops.slice()),
  }
}

/** The view, knowing also of the epochs that it was not shown. */
function withFaults(view: MembershipView, faultOf: MembershipView['faultOf']): MembershipView {
  return {
    ...view,
    faultOf: (id) => faultOf(id) ?? view.faultOf(id),
    removalsOf: (id) => (faultOf(id) === undefined ? view.removalsOf(id) : []),
  }
}

/** Those that no other has in its past. */
export function maximalEpochs(
  epochs: readonly BookEpoch[],
  isBefore: (a: IntentionMeta, b: IntentionMeta) => boolean,
): readonly BookEpoch[] {
  const maximal: BookEpoch[] = []
  // The latest first: nothing that comes later has it in its past.
  for (const epoch of epochs.toReversed()) {
    if (!maximal.some((other) => isBefore(epoch.meta, other.meta))) maximal.push(epoch)
  }
  return maximal
}
