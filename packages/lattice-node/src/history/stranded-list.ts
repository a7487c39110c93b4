/**
 * What is put aside of an open store, and what of it was settled since.
 *
 * @module
 */
import type { Kernel, StrandedWrite } from '@lattice/kernel'
import { idKey, type IdKey, type IntentionId } from '@lattice/model'
import { keepStranded, readStranded } from './stranded-file.ts'

export interface StrandedList {
  /** Oldest first. */
  readonly all: () => readonly StrandedWrite[]
  /**
   * Takes one off that was written anew, or of which nothing is left to do. Throws where the disk takes that not; it is listed
   * no more all the same for as long as the store is open, so nobody writes it twice.
   */
  readonly settled: (id: IntentionId) => void
  /** Takes these off. Throws where the disk takes that not; then they are listed still. */
  readonly drop: (ids: readonly IntentionId[]) => void
}

/** For the store in `directory` whose kernel is this. */
export function createStrandedList(directory: string, kernel: Pick<Kernel, 'has'>): StrandedList {
  const settled = new Set<IdKey>()
  const all = (): readonly StrandedWrite[] =>
    readStranded(directory, kernel).filter(({ id }) => !settled.has(idKey(id)))
  return {
    all,
    settled: (id) => {
      settled.add(idKey(id))
      keepStranded(directory, all())
    },
    drop: (ids) => {
      const dropped = new Set(ids.map(idKey))
      keepStranded(
        directory,
        all().filter(({ id }) => !dropped.has(idKey(id))),
      )
    },
  }
}
