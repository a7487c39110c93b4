/**
 * What looking through a whole store answers.
 *
 * @module
 */
import type { FileCheck } from '@lattice/storage'
import type { MembershipPolicy } from '@lattice/store-base'
import type { AbortSignal, Clock, Crypto, IntentionId, PublicKey, Scheduler, StoreId, StoreType } from '@lattice/model'

/**
 * What is wrong. The first group is damage to records, the truth itself; the second to what is derived from them and can
 * be made again.
 */
export const RECORD_PROBLEMS = [
  /** The row cannot be read or does not decode. */
  'unreadable',
  'missing',
  /** Its hash is not what its content, and the record before it, make. */
  'chain',
  'genesis',
  'intention_signature',
  /** Unsigned, and no signature that vouches for it follows. */
  'run_open',
  'witness_signature',
  'cause_missing',
  /** Not later than one of its causes. */
  'timestamp',
  /** Its `store_prev` is another author's. */
  'store_prev',
  'duplicate',
] as const
export const DERIVED_PROBLEMS = [
  /** Author, lane, position or generation of a record. */
  'place',
  'meta',
  'index',
  'floating',
  'state',
  /** The database's own structure. */
  'file',
] as const

export type RecordProblem = (typeof RECORD_PROBLEMS)[number]
export type DerivedProblem = (typeof DERIVED_PROBLEMS)[number]

export interface VerifyProblem {
  readonly kind: RecordProblem | DerivedProblem
  /** Of the record, where it is one. */
  readonly seq: number | undefined
  /** Of its intention, where it is known. */
  readonly id: IntentionId | undefined
  /** A sentence without the place. */
  readonly what: string
}

export type VerifyPart = 'records' | 'indexes' | 'state' | 'file'

export interface VerifyProgress {
  readonly part: VerifyPart
  readonly done: number
  readonly total: number
}

export interface VerifyOptions {
  /** Also every signature, the structure of the files, and the state made anew and compared. */
  readonly full?: boolean
  readonly onProgress?: (progress: VerifyProgress) => void
  readonly signal?: AbortSignal
}

/** How many of what were looked at, of how many there are. */
export interface Counted {
  readonly checked: number
  readonly total: number
}

/** `indexes`: every record is good, what is derived from them is not. `records`: some of the truth is not as written. */
export type VerifyOutcome = 'sound' | 'indexes' | 'records'

export interface VerifyReport {
  readonly outcome: VerifyOutcome
  readonly full: boolean
  readonly storeId: StoreId | undefined
  readonly storeType: StoreType | undefined
  /** Records that were read, of those that should be there. */
  readonly records: Counted
  readonly intentionSignatures: Counted
  readonly witnessSignatures: Counted
  readonly causes: number
  /** Entries of indexes that were compared with the records. */
  readonly indexEntries: number
  /** Rows of state that were compared with state made anew. */
  readonly stateRows: number
  /** What this did not look at, as phrases. */
  readonly unchecked: readonly string[]
  /** The first few, in the order of the log. */
  readonly problems: readonly VerifyProblem[]
  readonly problemCount: number
  /** The first damaged record. */
  readonly firstBad: VerifyProblem | undefined
  /** Good records before the first damaged one and after it: those after can be saved, too. */
  readonly goodBefore: number
  readonly goodAfter: number
}

/** What whoever verifies is given. */
export interface VerifyDeps {
  readonly crypto: Crypto
  readonly clock: Clock
  readonly scheduler: Scheduler
  /** How SQLite's own structure is looked at; in a thread unless told otherwise. */
  readonly fileCheck?: FileCheck
  /** Absent: of what is kept of epochs the form alone is looked at. */
  readonly membership?: MembershipPolicy
}

export interface VerifyLogOptions extends VerifyOptions, VerifyDeps {
  /** Of the store, which is not open; its files may be damaged or missing. */
  readonly directory: string
  readonly storeId: StoreId
  /** Whose log it is. */
  readonly witnessKey: PublicKey
}

const RECORD_KINDS: ReadonlySet<string> = new Set(RECORD_PROBLEMS)

/** True for damage to the truth itself. */
export function isRecordProblem({ kind }: VerifyProblem): boolean {
  return RECORD_KINDS.has(kind)
}
