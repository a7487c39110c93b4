/**
 * What the coordinator of any fetch from several peers asks its shell to do, and what it is told.
 *
 * @module
 */
import type { PublicKey } from '@lattice/model'

/** Every coordinator asks for these, beside what it alone needs. */
export type FetchEffect<Request> =
  /** After a pause, where it was lost before. Answered by `connected`, `gone` or `lost`. */
  | { readonly kind: 'connect'; readonly peer: PublicKey; readonly afterMs: number }
  | { readonly kind: 'ask'; readonly peer: PublicKey; readonly request: Request }
  /** The peer sent what it should not have: it is out, and told and scored for it. */
  | { readonly kind: 'bar'; readonly peer: PublicKey; readonly why: string }
  /** Ask for a `tick` then; one at a time. */
  | { readonly kind: 'wake'; readonly afterMs: number }

/** Events that come after the end change nothing. */
export interface FetchCoordinator<Answer, Effect> {
  readonly start: () => readonly Effect[]
  readonly connected: (peer: PublicKey) => readonly Effect[]
  /** The peer cannot be reached, or refuses: it is out. */
  readonly gone: (peer: PublicKey) => readonly Effect[]
  /** A peer that was connected is not, or could not be again: it is tried a few times more. */
  readonly lost: (peer: PublicKey) => readonly Effect[]
  /** The session with the peer is over before all was answered, and another may begin: what still lacks is asked anew. */
  readonly restarted: (peer: PublicKey) => readonly Effect[]
  /** What came for the oldest open request of the peer. */
  readonly answered: (peer: PublicKey, answer: Answer) => readonly Effect[]
  readonly tick: () => readonly Effect[]
}
