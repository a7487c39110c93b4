/**
 * The records of a foundation that is kept beside the log, with their causal order as it says: they may be of a past that
 * this log has not seen, and that is gone.
 *
 * @module
 */
import { equalBytes, type IdKey, idKey, type IntentionId, type PublicKey, type StoreId } from '@lattice/model'
import type { Crypto, Signer } from '@lattice/model'
import type { MembershipPolicy, MembershipView } from '@lattice/store-base'
import type { BookItem } from './book-items.ts'
import type { IntentionMeta } from './log-entry.ts'
import { createLogStore, type LogStore } from './log-store.ts'
import { openLog } from './open-log.ts'

export interface ShownRecordsOptions {
  /** Holds the log that was made of the foundation. */
  readonly directory: string
  readonly storeId: StoreId
  readonly crypto: Crypto
  readonly signer: Signer
  readonly membership: MembershipPolicy
}

export interface ShownRecords {
  /** All that count, but for what another record voids, causes first. */
  readonly counting: () => readonly BookItem[]
  readonly find: (id: IntentionId) => BookItem | undefined
  readonly isBefore: (ancestor: IntentionMeta, place: IntentionMeta) => boolean
  /** What they come to by themselves. */
  readonly view: () => MembershipView
  /** By lane, the highest position in the past of a record, itself included. */
  readonly vectorOf: (item: BookItem) => Iterable<readonly [lane: number, position: number]>
  /** The highest position of an author's chain in the past of a record; -1 where nothing of it is. */
  readonly reachOf: (item: BookItem, author: PublicKey) => number
  /** Idempotent. */
  readonly close: () => void
}

/** Throws `LogDamaged`, `DiskFull` or `StorageFailed`. */
export function openShownRecords({ directory, ...options }: ShownRecordsOptions): ShownRecords {
  const { database, meta } = openLog({ directory, ...options })
  let log: LogStore
  try {
    log = createLogStore({ ...options, database, opened: meta })
  } catch (error) {
    database.close()
    throw error
  }
  return recordsOf(log)
}

function recordsOf(log: LogStore): ShownRecords {
  const { book, reach, authors } = log
  const byId = new Map<IdKey, BookItem>(book.all().map((item) => [idKey(item.record.id), item]))
  let isClosed = false
  return {
    counting: book.counting,
    find: (id) => byId.get(idKey(id)),
    isBefore: book.isBefore,
    view: book.view,
    vectorOf: ({ meta }) => reach.vectorOf(meta),
    reachOf: ({ meta }, author) => {
      let highest = -1
      for (const [lane, position] of reach.vectorOf(meta)) {
        if (equalBytes(authors.byNumber(authors.lane(lane).author).key, author)) highest = Math.max(highest, position)
      }
      return highest
    },
    close: () => {
      if (!isClosed) log.close()
      isClosed = true
    },
  }
}
