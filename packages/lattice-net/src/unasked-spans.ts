/**
 * How far the chains are that were sent to a peer by tip maps, over one connection.
 *
 * A tip map tells what is witnessed at the peer, not what it was sent and lets float. As with ids (`unasked-ids.ts`) that
 * is sent once per connection; a peer that still wants it finds its map not to tell all, and asks by id.
 *
 * @module
 */
import { type IdKey, idKey } from '@lattice/model'
import type { ChainSpan } from '@lattice/net-types'

export interface UnaskedSpans {
  /** What of `spans` is to be sent. */
  readonly fresh: (spans: readonly ChainSpan[]) => readonly ChainSpan[]
  /** The session ended with everything taken in that was sent, so many. `synced`: nothing is lacking any more. */
  readonly sent: (outcome: { readonly synced: boolean; readonly sent: number }) => void
}

/** Starts with nothing sent. One session at a time. Remembers one position for each author of a tip map. */
export function createUnaskedSpans(): UnaskedSpans {
  const reached = new Map<IdKey, number>()
  let sending: readonly ChainSpan[] = []
  return {
    fresh: (spans) => {
      sending = spans.flatMap((span) => {
        const after = Math.max(span.after, reached.get(idKey(span.author)) ?? span.after)
        return after < span.through ? [{ ...span, after }] : []
      })
      return sending
    },
    sent: ({ synced, sent }) => {
      const whole = sending.reduce((sum, { after, through }) => sum + through - Math.max(after, 0), 0)
      if (synced) reached.clear()
      // A session that its bound cut short does not tell how far it came.
      else if (sent >= whole) for (const { author, through } of sending) reached.set(idKey(author), through)
      sending = []
    },
  }
}
