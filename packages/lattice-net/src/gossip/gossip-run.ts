/**
 * What travels as one message: a run, the intentions that one signature closes.
 *
 * @module
 */
import {
  equalBytes,
  type IdKey,
  idKey,
  type IntentionId,
  isGenesis,
  isSigned,
  type ParsedIntention,
  type SignedIntention,
  type StoreId,
} from '@lattice/model'
import type { ClaimedDigest } from '../session-call.ts'

/** A run by name: enough to tell of it, and to read it from the log. */
export interface RunRef {
  readonly storeId: StoreId
  /** Of all its intentions, oldest first; the last is the id of the message. */
  readonly ids: readonly IntentionId[]
  /** Of its intentions with their signatures. */
  readonly bytes: number
}

export interface GossipRun extends RunRef {
  readonly intentions: readonly SignedIntention[]
}

/** A run that a peer pushed, or announced by name only. */
export interface ArrivedRun {
  /** Hops from its author to here. */
  readonly round: number
  readonly run: GossipRun | RunRef
  /** The sender's digest after it. */
  readonly claim: ClaimedDigest | undefined
}

/** The id of the message that a run travels as: that of its closing intention. */
export function messageId({ ids }: RunRef): IntentionId {
  const id = ids.at(-1)
  if (id === undefined) throw new RangeError('a run has an intention')
  return id
}

export function sizeOf(intentions: readonly SignedIntention[]): number {
  return intentions.reduce((sum, { bytes, signature }) => sum + bytes.length + signature.length, 0)
}

/**
 * The runs of a batch in witness order, each with those of its members that are in the batch; `unclosed` are the
 * intentions that no signature in it closes.
 */
export function splitRuns(
  storeId: StoreId,
  batch: readonly ParsedIntention[],
): { readonly runs: readonly GossipRun[]; readonly unclosed: number } {
  const runs: GossipRun[] = []
  // By the id that the next member names as its predecessor.
  const open = new Map<IdKey, ParsedIntention[]>()
  for (const parsed of batch) {
    const { intention, id } = parsed
    const before = idKey(intention.storePrev)
    const members = isGenesis(intention) ? undefined : open.get(before)
    const isNext = members !== undefined && isSameAuthor(members, parsed)
    const run = isNext ? members : []
    run.push(parsed)
    if (isNext) open.delete(before)
    if (isSigned(parsed)) runs.push(toRun(storeId, run))
    else open.set(idKey(id), run)
  }
  return { runs, unclosed: [...open.values()].reduce((sum, members) => sum + members.length, 0) }
}

function isSameAuthor([first]: readonly ParsedIntention[], { intention }: ParsedIntention): boolean {
  return first !== undefined && equalBytes(first.intention.author, intention.author)
}

function toRun(storeId: StoreId, members: readonly ParsedIntention[]): GossipRun {
  const intentions = members.map(({ bytes, signature }) => ({ bytes, signature }))
  return { storeId, ids: members.map(({ id }) => id), intentions, bytes: sizeOf(intentions) }
}
