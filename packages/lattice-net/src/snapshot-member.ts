/**
 * The peers of a snapshot fetch, as its parts see them.
 *
 * @module
 */
import type { IdKey } from '@lattice/model'
import type { WriterSnapshot } from '@lattice/net-types'
import { type BaseOffer, sameTarget, type SnapshotRequest } from './snapshot-client.ts'

/** A request that a peer has not answered. */
export interface OpenAsk {
  readonly request: SnapshotRequest
  readonly atMs: number
}

/** A peer that is connected. */
export interface SnapshotMember {
  readonly key: IdKey
  readonly asks: OpenAsk[]
  /** Undefined until it has said so. */
  offer: BaseOffer | undefined
  /** Times that what it served became another. */
  moves: number
}

/** What the parts of the fetch see of it. */
export interface FetchView {
  readonly members: () => readonly SnapshotMember[]
  readonly ask: (member: SnapshotMember, request: SnapshotRequest) => void
  readonly bar: (key: IdKey, why: string) => void
}

/** Of whom an answer is, and to what. */
export interface Came {
  readonly member: SnapshotMember
  readonly ask: OpenAsk
  readonly view: FetchView
}

/** True where a peer serves that state. */
export function isOf(offer: BaseOffer | undefined, target: WriterSnapshot): boolean {
  return offer?.snapshot !== undefined && sameTarget(offer.snapshot, target)
}
