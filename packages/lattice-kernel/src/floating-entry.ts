/**
 * One intention that waits, and how the pool counts it.
 *
 * @module
 */
import { HLC_ZERO, type Hlc, type IdKey, idKey, isSigned, type ParsedIntention } from '@lattice/model'

/** Why a run waits. */
export type Wait =
  | { readonly kind: 'cause'; readonly on: IdKey }
  | { readonly kind: 'future'; readonly untilMs: number }
  | { readonly kind: 'not_admitted' }

export interface FloatingEntry {
  readonly parsed: ParsedIntention
  readonly key: IdKey
  readonly authorKey: IdKey
  /** In memory and on disk: the intention and what is kept about it. */
  readonly weight: number
  /** Grows with each arrival. */
  readonly arrival: number
  readonly signed: boolean
  /** Deps, from the first, that are known to be witnessed. */
  metDeps: number
  /** The dep at which the search for one that is missing goes on; never before `metDeps`. */
  nextDep: number
  /** The latest timestamp among them. */
  latestDep: Hlc
  /** The signed descendant that vouches for it; itself when it is signed. */
  closer: FloatingEntry | undefined
  /** Of a signed entry: what its run waits for. */
  wait: Wait | undefined
  /** True once it has a row in the table. */
  stored: boolean
}

/** What an entry costs beside its bytes: maps, ids, decoded fields. */
const ENTRY_OVERHEAD_BYTES = 512

export function createFloatingEntry(parsed: ParsedIntention, arrival: number): FloatingEntry {
  const signed = isSigned(parsed)
  const entry: FloatingEntry = {
    parsed,
    key: idKey(parsed.id),
    authorKey: idKey(parsed.intention.author),
    weight: parsed.bytes.length + ENTRY_OVERHEAD_BYTES,
    arrival,
    signed,
    metDeps: 0,
    nextDep: 0,
    latestDep: HLC_ZERO,
    closer: undefined,
    wait: undefined,
    stored: false,
  }
  if (signed) entry.closer = entry
  return entry
}
