/**
 * The records of a log that decide about membership, and the epochs among them.
 *
 * What a record means is the policy's to say; the book finds the records, keeps their causal order at hand, and asks once
 * for each epoch whether it is one: by its own past alone, so the answer is the same on every node and never changes. One
 * that is none has no effect, so the policy is not shown it again.
 *
 * Records are few. Memory and opening follow their number, never that of intentions; a log that was written without a
 * policy is read through once.
 *
 * @module
 */
import { assert, type IntentionId } from '@lattice/model'
import { type Database, LogDamaged } from '@lattice/storage'
import type { EpochFault, MembershipPolicy, MembershipRecord } from '@lattice/store-base'
import { type AdmissionIndex, createAdmissionIndex } from './admission-index.ts'
import { type BookEpoch, type BookItem, BookItems, recordOf } from './book-items.ts'
import { type BookView, createBookView } from './book-view.ts'
import { createEpochAcks, type EpochAcks } from './epoch-acks.ts'
import { type BookRow, type BookRows, createEpochRows } from './epoch-rows.ts'
import type { FindMeta } from './lane-book.ts'
import type { PrunedBase } from './log-base.ts'
import type { IntentionMeta, LogEntry } from './log-entry.ts'
import type { LogIndex } from './log-index.ts'
import type { LogReader } from './log-reader.ts'
import { createRecordOrder, historyOf, type RecordOrder } from './membership-history.ts'
import type { LogReach } from './reach-log.ts'

export type { BookEpoch } from './book-items.ts'

/** See {@link BookView} for what the records come to. */
export interface EpochBook extends LogIndex, BookView {
  /** In the order in which they were witnessed, those that are none included. */
  readonly epochs: () => readonly BookEpoch[]
  /** All records, in the order in which they were witnessed. */
  readonly all: () => readonly BookItem[]
  /** All records but epochs that are none, in the order in which they were witnessed. */
  readonly counting: () => readonly BookItem[]
  /** The valid ones, whatever became of them. */
  readonly valid: () => readonly BookEpoch[]
  /** True for the seq of an epoch, valid or not. */
  readonly isEpoch: (seq: number) => boolean
  readonly epochOf: (id: IntentionId) => BookEpoch | undefined
  /** The seq of the valid epoch witnessed last, 0 without one: nothing later lies below an epoch. */
  readonly lastSeq: () => number
  /** True when `a` is in the past of `b`: of an epoch, or another record, it costs a look-up in memory. */
  readonly isBefore: RecordOrder['isBefore']
  /** Whether what has these causes has what admitted its author in its past. */
  readonly hasAdmission: AdmissionIndex['hasAdmission']
  readonly acks: Pick<EpochAcks, 'of' | 'by'>
  /** What is kept of the records, as it goes to disk. */
  readonly rows: () => BookRows
}

export interface EpochBookDeps {
  readonly database: Database
  readonly reader: Pick<LogReader, 'at' | 'from'>
  readonly find: FindMeta
  readonly reach: Pick<LogReach, 'vectorOf' | 'isAncestor'>
  readonly base: Pick<PrunedBase, 'isBelow'>
  readonly policy: MembershipPolicy | undefined
}

/** Records read at once from a log whose book is behind. */
const PAGE = 256

export function createEpochBook({ database, reader, find, reach, base, policy }: EpochBookDeps): EpochBook {
  const rows = createEpochRows(database)
  const items = new BookItems()
  const order = createRecordOrder({ find: (id) => items.find(id)?.meta ?? find(id) }, reach)
  const view = createBookView(items, order, policy)
  const admissions = createAdmissionIndex({ policy, items: () => items.all, isBefore: order.isBefore })
  const acks = acksOf({ items, reach, base, admissions })
  /** What is on disk of items and acks, up to which record, and the last record that was looked at. */
  let stored = { items: 0, acks: 0, seq: 0 }
  let upto = 0

  function add(item: BookItem): void {
    items.add(item)
    view.forgetView()
  }

  function follow(entry: LogEntry): void {
    const { meta, parsed } = entry
    upto = meta.seq
    if (policy === undefined || parsed.op.kind === 'appData') return
    acks.follow(entry)
    if (!policy.isRecord(parsed.op)) return
    const record = recordOf(entry)
    add({ record, meta, fault: judge({ policy, items, order }, record, meta) })
  }

  function load(): void {
    items.clear()
    admissions.clear()
    order.clear()
    acks.clear()
    view.forgetView()
    const { bookSeq, headSeq } = rows.read()
    upto = headSeq
    stored = { items: 0, acks: 0, seq: bookSeq }
    if (policy === undefined) return
    const kept = readBook({ database, reader }, rows.all())
    for (const item of kept.items) add(item)
    for (const entry of kept.acks) acks.follow(entry)
    stored = { items: items.all.length, acks: acks.seqs().length, seq: bookSeq }
    for (let next = bookSeq + 1; next <= headSeq; next += PAGE) {
      for (const entry of reader.from(next, Math.min(PAGE, headSeq - next + 1))) follow(entry)
    }
  }

  function checkpoint(): void {
    if (policy === undefined) return
    const news = { records: items.all.slice(stored.items).map(rowOf), acks: acks.seqs().slice(stored.acks) }
    rows.write(news, upto)
    stored = { items: items.all.length, acks: acks.seqs().length, seq: upto }
  }

  return {
    ...view,
    ...readsOf(items),
    isBefore: order.isBefore,
    hasAdmission: admissions.hasAdmission,
    acks,
    rows: () => ({ records: items.all.map(rowOf), acks: acks.seqs() }),
    advance: follow,
    retreat: ({ meta: { seq } }) => {
      upto = seq - 1
      acks.retreat(seq)
      order.forget(seq)
      if (items.all.at(-1)?.meta.seq !== seq) return
      assert(items.all.length > stored.items, 'what is taken back is not on disk')
      items.takeBack()
      admissions.clear()
      view.forgetView()
    },
    checkpoint,
    load,
    isBehind: () => policy !== undefined && stored.seq < upto,
  }
}

function acksOf({
  items,
  reach,
  base,
  admissions,
}: Pick<EpochBookDeps, 'reach' | 'base'> & {
  readonly items: BookItems
  readonly admissions: AdmissionIndex
}): EpochAcks {
  return createEpochAcks({
    epochOf: (id) => items.epochOf(id),
    isBefore: reach.isAncestor,
    isBelow: base.isBelow,
    admissionsBefore: admissions.countBefore,
  })
}

function readsOf(
  items: BookItems,
): Pick<EpochBook, 'epochs' | 'all' | 'counting' | 'valid' | 'isEpoch' | 'epochOf' | 'lastSeq'> {
  return {
    epochs: () => items.epochs,
    all: () => items.all,
    counting: () => items.counting(),
    valid: () => items.valid,
    isEpoch: (seq) => items.isEpoch(seq),
    epochOf: (id) => items.epochOf(id),
    lastSeq: () => items.valid.at(-1)?.meta.seq ?? 0,
  }
}

/** What an epoch is called by its own past alone. The rest depends on what else there is. */
const FOR_EVER: readonly EpochFault[] = [
  'seq_wrong',
  'required_acks_wrong',
  'removals_malformed',
  'not_entitled',
  'below_wrong',
  'aside_wrong',
]

interface Judging {
  readonly policy: MembershipPolicy
  readonly items: BookItems
  readonly order: RecordOrder
}

/** Whether it is an epoch, by the records in its past; of what is no epoch nothing. */
function judge(
  { policy, items, order }: Judging,
  record: MembershipRecord,
  meta: IntentionMeta,
): EpochFault | undefined {
  if (record.op.kind !== 'epoch') return undefined
  const past = items.counting().filter((item) => order.isBefore(item.meta, meta))
  const fault = policy.resolve(historyOf([...past, { record }], order)).faultOf(record.id)
  return FOR_EVER.find((each) => each === fault)
}

function rowOf({ meta, fault }: BookItem): BookRow {
  return { seq: meta.seq, fault: fault ?? null }
}

interface BookContents {
  readonly items: readonly BookItem[]
  readonly acks: readonly LogEntry[]
}

/** The records that the rows lead to. Throws `LogDamaged`. */
function readBook({ database, reader }: Pick<EpochBookDeps, 'database' | 'reader'>, rows: BookRows): BookContents {
  const entryAt = (seq: number): LogEntry => {
    const entry = reader.at(seq)
    if (entry === undefined) throw damaged(seq)
    return entry
  }
  const damaged = (seq: number): LogDamaged =>
    new LogDamaged(database.path, { record: `entry ${seq} of the epoch book`, problem: 'it is not one' })
  const items = rows.records.map(({ seq, fault: kept }) => {
    const entry = entryAt(seq)
    const fault = FOR_EVER.find((each) => each === kept)
    if (fault !== (kept ?? undefined)) throw damaged(seq)
    return { record: recordOf(entry), meta: entry.meta, fault }
  })
  return { items, acks: rows.acks.map(entryAt) }
}
