/**
 * Compares the epoch book with the records: which are in it, and what is kept of the epochs.
 *
 * @module
 */
import type { Crypto } from '@lattice/model'
import type { Database } from '@lattice/storage'
import type { MembershipPolicy } from '@lattice/store-base'
import { acknowledgedPlace } from './epoch-acks.ts'
import { createEpochBook } from './epoch-book.ts'
import type { BookRows } from './epoch-rows.ts'
import { createIdIndex } from './id-index.ts'
import { checkpointSeq, type LogClaims } from './log-claims.ts'
import type { FindMeta } from './lane-book.ts'
import { createPrunedBase } from './log-base.ts'
import { createLogReader } from './log-reader.ts'
import { createLogReach } from './reach-log.ts'
import type { MadeOfRecords } from './record-places.ts'
import { reasonOf } from './record-scan.ts'
import type { VerifyDeps } from './verify-types.ts'

export interface EpochBookCheck {
  readonly claims: LogClaims
  readonly records: Pick<MadeOfRecords, 'deciding'>
}

/** What is wrong with the book. Without a policy, what is missing and what epochs are is not looked at. */
export function checkEpochBook(
  { database }: { readonly database: Database },
  { crypto, membership: policy }: Pick<VerifyDeps, 'crypto' | 'membership'>,
  { claims, records }: EpochBookCheck,
): readonly string[] {
  const { book } = claims
  if (typeof book === 'string') return [book]
  if (book.seq > checkpointSeq(claims)) return ['it goes beyond the other indexes']
  const within = records.deciding.filter((seq) => seq <= book.seq)
  const known = new Set(within)
  const stray = [...book.rows.records.map(({ seq }) => seq), ...book.rows.acks].find((seq) => !known.has(seq))
  if (stray !== undefined) return [`record ${stray} does not decide about membership`]
  if (policy === undefined || book.seq === 0) return []
  try {
    const made = remake({ database, crypto, policy }, within)
    const isRecordWrong = differs(made.records, book.rows.records, (a, b) => a.seq === b.seq && a.fault === b.fault)
    const isAckWrong = differs(made.acks, book.rows.acks.filter(made.isOfUse), (a, b) => a === b)
    return [
      ...(isRecordWrong ? ['its records are not what the log says'] : []),
      ...(isAckWrong ? ['its acks are not what the log says'] : []),
    ]
  } catch (error) {
    return [reasonOf(error)]
  }
}

function differs<T>(made: readonly T[], found: readonly T[], isSame: (a: T, b: T) => boolean): boolean {
  if (made.length !== found.length) return true
  return made.some((one, index) => {
    const other = found[index]
    return other === undefined || !isSame(one, other)
  })
}

interface Remake {
  readonly database: Database
  readonly crypto: Crypto
  readonly policy: MembershipPolicy
}

/** `isOfUse`: false for an ack of an epoch below the base, which a log that was cut by an earlier version may still name. */
function remake(
  { database, crypto, policy }: Remake,
  seqs: readonly number[],
): BookRows & { readonly isOfUse: (ack: number) => boolean } {
  const reader = createLogReader(database, crypto)
  const ids = createIdIndex(database, { path: database.path, crypto })
  const base = createPrunedBase(database)
  base.load()
  const find: FindMeta = (id) => ids.find(id) ?? base.find(id)?.meta
  const reach = createLogReach(database, find, base)
  const book = createEpochBook({ database, reader, find, reach, base, policy })
  for (const seq of seqs) {
    const entry = reader.at(seq)
    if (entry !== undefined) book.advance(entry)
  }
  const isOfUse = (ack: number): boolean => {
    const entry = reader.at(ack)
    const place = entry && acknowledgedPlace(entry.parsed, find)
    return place === undefined || !base.isBelow(place)
  }
  return { ...book.rows(), isOfUse }
}
