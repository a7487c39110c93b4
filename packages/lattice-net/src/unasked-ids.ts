/**
 * What was sent to a peer over one connection without being asked for.
 *
 * The side that learns a difference sends what the other lacks. What was taken in and still is lacking there floats, or
 * was not to the peer's liking; sending it in every session would cost both of them all of it again. So it is sent once
 * per connection, and from then on the peer, in the sessions that it starts, asks for what it still wants.
 *
 * @module
 */
import { type IdKey, idKey, type IntentionId } from '@lattice/model'
import { MAX_UNASKED_IDS } from './limits.ts'

export interface UnaskedIds {
  /** Those of `ids` that are to be sent: they are remembered once the session has ended well. */
  readonly fresh: (ids: readonly IntentionId[]) => readonly IntentionId[]
  /** The session ended with everything taken in. `synced`: nothing is lacking any more. */
  readonly sent: (synced: boolean) => void
}

/** Starts with nothing sent. One session at a time. */
export function createUnaskedIds(): UnaskedIds {
  const sent = new Set<IdKey>()
  let sending: readonly IdKey[] = []
  return {
    fresh: (ids) => {
      const fresh = sent.size === 0 ? ids : ids.filter((id) => !sent.has(idKey(id)))
      sending = fresh.slice(0, MAX_UNASKED_IDS).map(idKey)
      return fresh
    },
    sent: (synced) => {
      if (synced) sent.clear()
      else for (const key of sending) if (sent.size < MAX_UNASKED_IDS) sent.add(key)
      sending = []
    },
  }
}
