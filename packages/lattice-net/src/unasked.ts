/**
 * What was sent to a peer over one connection without being asked for, in either way of telling it.
 *
 * @module
 */
import { createUnaskedIds, type UnaskedIds } from './unasked-ids.ts'
import { createUnaskedSpans, type UnaskedSpans } from './unasked-spans.ts'

export interface Unasked {
  readonly ids: UnaskedIds
  readonly spans: UnaskedSpans
  /** A session begins: what one that failed was about to send is forgotten. */
  readonly begin: () => void
  /** A session over the store ended with everything taken in that was sent. */
  readonly ended: (outcome: { readonly synced: boolean; readonly sent: number }) => void
}

/** Starts with nothing sent. One session at a time. */
export function createUnasked(): Unasked {
  const ids = createUnaskedIds()
  const spans = createUnaskedSpans()
  return {
    ids,
    spans,
    begin: () => {
      ids.fresh([])
      spans.fresh([])
    },
    ended: (outcome) => {
      ids.sent(outcome.synced)
      spans.sent(outcome)
    },
  }
}
