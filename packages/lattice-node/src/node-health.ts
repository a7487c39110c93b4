/**
 * What a node remembers of its stores for the doctor, from its start on: how large each was when it came into use, and
 * what looking through it last found.
 *
 * It is measured, not guessed, and it is not kept: a restart begins anew. One entry per store is its bound.
 *
 * @module
 */
import type { VerifyReport } from '@lattice/kernel'
import { type IdKey, idKey, type StoreId } from '@lattice/model'

/** How large a store is. `atMs` is wall time. */
export interface StoreSample {
  readonly atMs: number
  readonly records: number
  readonly logBytes: number
  readonly stateBytes: number
  /** States at epochs that are kept. */
  readonly snapshotBytes: number
}

export interface Verified {
  readonly atMs: number
  readonly report: Pick<VerifyReport, 'outcome' | 'full' | 'problemCount' | 'firstBad' | 'problems'>
}

export interface NodeHealth {
  /** The first sample of a store stays. */
  readonly measured: (id: StoreId, sample: StoreSample) => void
  readonly firstSample: (id: StoreId) => StoreSample | undefined
  /** The store was looked through. */
  readonly verified: (id: StoreId, verified: Verified) => void
  readonly lastVerified: (id: StoreId) => Verified | undefined
  /** Its files are others now. */
  readonly replaced: (id: StoreId) => void
}

export function createNodeHealth(): NodeHealth {
  const samples = new Map<IdKey, StoreSample>()
  const reports = new Map<IdKey, Verified>()
  return {
    measured: (id, sample) => {
      if (!samples.has(idKey(id))) samples.set(idKey(id), sample)
    },
    firstSample: (id) => samples.get(idKey(id)),
    verified: (id, verified) => void reports.set(idKey(id), verified),
    lastVerified: (id) => reports.get(idKey(id)),
    replaced: (id) => {
      samples.delete(idKey(id))
      reports.delete(idKey(id))
    },
  }
}
