/**
 * Work on the files of stores that must not be open meanwhile: repairs, backups, what is put in place of what is here.
 *
 * @module
 */
import type { AbortSignal, StoreId } from '@lattice/model'
import { repairUnderWay, shortId, storeNotFound } from './errors.ts'
import type { StoreEntry } from './store-entry.ts'
import { clearFailure, type FailureDeps, noteFailure } from './store-failure.ts'

export interface ClosedStores {
  /** Closes the store, runs `work` on its files, and opens it again. Rejects as `work` does, or when the node closes. */
  readonly withClosed: <T>(id: StoreId, work: (entry: StoreEntry, signal: AbortSignal) => Promise<T>) => Promise<T>
  /** Keeps a store that is not open from being opened while `work` reads its files; undefined where it is in use. */
  readonly whileClosed: <T>(entry: StoreEntry, work: () => Promise<T>) => Promise<T | undefined>
  /** Keeps those of the stores that are not open so while `work`, which is told which these are, is at their files. */
  readonly whileKept: <T>(
    entries: readonly StoreEntry[],
    work: (closed: readonly StoreEntry[]) => Promise<T>,
  ) => Promise<T>
}

export interface ClosedStoresDeps {
  readonly entryOf: (id: StoreId) => StoreEntry | undefined
  readonly close: (entry: StoreEntry) => Promise<void>
  /** Resolves once nothing is left to do but what waits for others. */
  readonly settled: () => Promise<void>
  readonly wake: () => void
  /** As a task that ends with the stores. */
  readonly run: <T>(work: (signal: AbortSignal) => Promise<T>) => Promise<T>
  readonly failures: FailureDeps
}

export function createClosedStores({ entryOf, close, settled, wake, run, failures }: ClosedStoresDeps): ClosedStores {
  async function withClosed<T>(id: StoreId, work: (entry: StoreEntry, signal: AbortSignal) => Promise<T>): Promise<T> {
    const entry = entryOf(id)
    if (entry === undefined) throw storeNotFound(shortId(id))
    if (entry.repairing) throw repairUnderWay(id)
    entry.repairing = true
    const before = entry.failure
    try {
      await settled()
      await close(entry)
      const answer = await run((signal) => work(entry, signal))
      clearFailure(entry)
      return answer
    } catch (error) {
      if (before === undefined) clearFailure(entry)
      else noteFailure(entry, before, failures)
      throw error
    } finally {
      entry.repairing = false
      wake()
      await settled()
    }
  }

  async function whileKept<T>(
    entries: readonly StoreEntry[],
    work: (closed: readonly StoreEntry[]) => Promise<T>,
  ): Promise<T> {
    const kept = entries.filter(({ open, repairing }) => open === undefined && !repairing)
    for (const entry of kept) entry.repairing = true
    try {
      await settled()
      return await work(kept.filter(({ open }) => open === undefined))
    } finally {
      for (const entry of kept) entry.repairing = false
      wake()
    }
  }

  return {
    withClosed,
    whileKept,
    whileClosed: (entry, work) =>
      whileKept([entry], ([closed]) => (closed === undefined ? Promise.resolve(undefined) : work())),
  }
}
