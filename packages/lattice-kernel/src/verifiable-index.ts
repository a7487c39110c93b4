/**
 * How an index over the log lets itself be compared with the records.
 *
 * @module
 */
import type { Crypto } from '@lattice/model'
import type { Database } from '@lattice/storage'
import type { PersistentRangeIndex } from '@lattice/sync'
import type { BaseSeed } from './check-base.ts'
import type { CheckedRecords } from './check-records.ts'
import type { ExcludedRow } from './excluded-rows.ts'

/** An index that can be checked against the records it was made of. */
export interface VerifiableIndex {
  readonly name: string
  /**
   * Compares what the disk holds for records up to `uptoSeq`, a slice of a few milliseconds between two yields; each
   * yield tells how many entries were compared. Returns sentences that say what is wrong, a few at most.
   */
  readonly verify: (records: CheckedRecords, uptoSeq: number) => Generator<number, readonly string[]>
}

export interface VerifiableIndexDeps {
  readonly database: Database
  readonly crypto: Crypto
  /** The range index of a log in use. */
  readonly range: PersistentRangeIndex | undefined
  /** Of a pruned log. */
  readonly base: BaseSeed | undefined
  /** What is excluded: of a log in use as it is now, of another as it claims. */
  readonly excluded: () => readonly ExcludedRow[]
}

export type VerifiableIndexFactory = (deps: VerifiableIndexDeps) => VerifiableIndex
