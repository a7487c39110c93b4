/**
 * One intention that waits, and how the pool counts it.
 *
 * @module
 */
import {
  assert,
  decodeIntention,
  decodeUniversalOp,
  HLC_ZERO,
  type Hlc,
  type IdKey,
  idKey,
  isSigned,
  type ParsedIntention,
} from '@lattice/model'

/** Why a run waits. */
export type Wait =
  /** `start`: the first of its run, where that is another. */
  | { readonly kind: 'cause'; readonly on: IdKey; readonly start?: IdKey }
  | { readonly kind: 'future'; readonly untilMs: number }
  | { readonly kind: 'not_admitted' }
  /** It is beyond a cutoff, and nothing that counts needs it. `start` is the first of its run. */
  | { readonly kind: 'revoked'; readonly start: IdKey }

/** Why a run can never be witnessed, whoever holds it. */
export type RunFault =
  | 'store_prev_foreign'
  | 'timestamp_not_after_causes'
  /** Its chain has seen an epoch, and it cites what lies below it. */
  | 'dep_below_epoch'

/** Why an intention was dropped after its causes were known: its own fault, or a cause's. */
export type WitnessFault = RunFault | 'cause_invalid'

export interface FloatingEntry {
  /** What keeps it for long has bytes of its own. */
  parsed: ParsedIntention
  readonly key: IdKey
  /** Of its `store_prev`. */
  readonly prevKey: IdKey
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
  /** The lowest seq among them but for the genesis. */
  lowestDep: number
  /** Where it stood in the run that was looked at last, and which look that was. */
  place: number
  look: number
  /** Of a signed entry: its run, oldest first, once nothing is missing. */
  readyRun: readonly FloatingEntry[] | undefined
  /** The signed descendant that vouches for it; itself when it is signed. */
  closer: FloatingEntry | undefined
  /** Of a signed entry: what its run waits for. */
  wait: Wait | undefined
  /** Of a signed entry whose run is beyond a cutoff: something that counts waits for it, so it is witnessed as a link. */
  isNeeded: boolean
  /** Of a signed entry with a ready run: what the limits were when it was found ready. */
  judgedBy: unknown
  /** True once it has a row in the table. */
  stored: boolean
  /** True until it is counted and kept: it came just now. */
  staged: boolean
  /** The one without a signature whose place it takes; its row goes when this one has one or needs none. */
  replaces: FloatingEntry | undefined
  /** The signed one that took its place. */
  successor: FloatingEntry | undefined
  /** True once it is appended to the log. */
  isWitnessed: boolean
  /** True once it is in the pool no more. */
  isGone: boolean
  /** Why it was dropped, for ever. */
  fault: WitnessFault | undefined
}

/** What an entry costs beside its bytes: maps, ids, decoded fields. */
const ENTRY_OVERHEAD_BYTES = 512

export function createFloatingEntry(parsed: ParsedIntention, key: IdKey, arrival: number): FloatingEntry {
  const signed = isSigned(parsed)
  const entry: FloatingEntry = {
    parsed,
    key,
    prevKey: idKey(parsed.intention.storePrev),
    authorKey: idKey(parsed.intention.author),
    weight: parsed.bytes.length + ENTRY_OVERHEAD_BYTES,
    arrival,
    signed,
    metDeps: 0,
    nextDep: 0,
    latestDep: HLC_ZERO,
    lowestDep: Infinity,
    place: 0,
    look: 0,
    readyRun: undefined,
    closer: undefined,
    wait: undefined,
    isNeeded: false,
    judgedBy: undefined,
    stored: false,
    staged: false,
    replaces: undefined,
    successor: undefined,
    isWitnessed: false,
    isGone: false,
    fault: undefined,
  }
  if (signed) entry.closer = entry
  return entry
}

/** Forgets what was found out about its causes. */
export function resetFloatingEntry(entry: FloatingEntry): void {
  entry.readyRun = undefined
  entry.metDeps = 0
  entry.nextDep = 0
  entry.latestDep = HLC_ZERO
  entry.lowestDep = Infinity
  entry.closer = entry.signed ? entry : undefined
  entry.wait = undefined
  entry.isNeeded = false
}

/** Gives it bytes of its own: those it came with are a part of many. */
export function detachFloatingEntry(entry: FloatingEntry): void {
  const { id, bytes: shared, signature } = entry.parsed
  const bytes = shared.slice()
  const decoded = decodeIntention(bytes)
  assert(decoded.ok, 'what was parsed once is parsed again')
  const intention = decoded.value
  entry.parsed = { id, intention, op: decodeUniversalOp(intention.ops), bytes, signature: signature.slice() }
}
