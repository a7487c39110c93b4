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
  type PublicKey,
  type SignedIntention,
} from '@lattice/model'
import type { ClaimedDigest } from '../claimed-digest.ts'
import type { TreeMessage } from './broadcast-tree.ts'
import type { Topic } from './gossip-topic.ts'
import type { GossipPayload } from './tree-frames.ts'

/** A broadcast: a run, or that there is one to be fetched. */
export type RunMessage = Extract<TreeMessage<GossipPayload>, { readonly kind: 'gossip' }>

/** A broadcast that a peer sent. */
export interface ArrivedRun {
  readonly message: RunMessage
  /** By which it was sent. */
  readonly topic: Topic
  /** The sender's digest after it. */
  readonly claim: ClaimedDigest | undefined
}

export interface GossipRun {
  /** Of its closing intention: the id of the message. */
  readonly id: IntentionId
  readonly author: PublicKey
  /** Oldest first. */
  readonly intentions: readonly SignedIntention[]
}

/**
 * The runs of a batch in witness order, each with those of its members that are in the batch; `unclosed` are the
 * intentions that no signature in it closes.
 */
export function splitRuns(batch: readonly ParsedIntention[]): {
  readonly runs: readonly GossipRun[]
  readonly unclosed: number
} {
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
    if (isSigned(parsed)) runs.push(toRun(run, parsed))
    else open.set(idKey(id), run)
  }
  return { runs, unclosed: [...open.values()].reduce((sum, members) => sum + members.length, 0) }
}

function isSameAuthor([first]: readonly ParsedIntention[], { intention }: ParsedIntention): boolean {
  return first !== undefined && equalBytes(first.intention.author, intention.author)
}

function toRun(members: readonly ParsedIntention[], { id, intention }: ParsedIntention): GossipRun {
  const intentions = members.map(({ bytes, signature }) => ({ bytes, signature }))
  return { id, author: intention.author, intentions }
}
